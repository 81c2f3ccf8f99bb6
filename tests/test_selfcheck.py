"""The table of cases is complete, and `run` reports on it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from derivatives import derivatives

import tinygen as tg
from tinygen import ops, selfcheck
from tinygen.backend import to_host
from tinygen.errors import ConfigError
from tinygen.gradcheck import GradcheckReport
from tinygen.primitives import PRIMITIVES
from tinygen.selfcheck import CASES
from tinygen.selfcheck.case import normal, op

LAYERS = [case for case in CASES if case.build is not None]

if selfcheck.missing():
    raise AssertionError(f"no case in tinygen/selfcheck/table.py for {', '.join(selfcheck.missing())}")


@pytest.mark.parametrize("case", LAYERS, ids=repr)
def test_layers_at_first_and_second_order(case):
    assert case.check().comparisons > 0


@pytest.mark.parametrize("case", LAYERS, ids=repr)
def test_a_gpu_has_the_derivatives_of_layers_that_were_checked(case, gpu):
    layer = case.function()
    if not isinstance(layer, tg.layers.Module):  # it draws, and a GPU draws other numbers than a CPU
        assert case.check().comparisons > 0
        return
    state = {name: to_host(x) for name, x in layer.state_dict().items()}
    found = derivatives(layer, case.arrays())
    with tg.use("cpu"):
        twin = case.function()
        twin.load_state_dict(state)
        checked = derivatives(twin, case.arrays())
    for y, right in zip(found, checked, strict=True):
        np.testing.assert_allclose(y, right, rtol=1e-11, atol=1e-12 * max(1, np.abs(right).max()))


def test_a_primitive_an_op_or_a_layer_without_a_case_is_noticed(monkeypatch):
    def unheard_of(x):
        return x

    unheard_of.__module__ = "tinygen.ops.unheard_of"
    monkeypatch.setattr(ops, "composite", lambda x: x, raising=False)
    monkeypatch.setattr(tg.layers, "Strange", type("Strange", (tg.layers.Module,), {}), raising=False)
    try:
        tg.primitive(unheard_of)
        assert selfcheck.missing() == ["unheard_of", "composite", "Strange"]
    finally:
        del PRIMITIVES["unheard_of"]


def test_a_users_own_primitive_needs_no_case():
    try:
        tg.primitive(lambda x: x)
        assert selfcheck.missing() == []
    finally:
        del PRIMITIVES["<lambda>"]


def test_cases_have_names_of_their_own():
    assert len({repr(case) for case in CASES}) == len(CASES)


def test_a_case_makes_the_same_arrays_each_time_and_others_for_another_seed():
    case = next(c for c in CASES if c.name == "where")
    first, again, other = case.arrays(), case.arrays(), case.arrays(1)
    assert [a.dtype.kind for a in first] == ["b", "f", "f"]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_run_prints_a_line_an_op_and_the_sum(capsys):
    assert selfcheck.run(["matmul", "Dense", "greater"]) is True
    head, matmul, dense, greater, last = lines(capsys)
    assert head.split() == ["cases", "order", "1", "order", "2"]
    assert re.fullmatch(r"matmul +13 +\d\.\de-1\d +\d\.\de-1\d ok", matmul)
    assert re.fullmatch(r"Dense +2 +\d\.\de-1\d +\d\.\de-1\d ok", dense)
    assert re.fullmatch(r"greater +\d+ +- +0\.0e\+00 ok", greater)
    assert last == "3 right, 0 wrong"
    assert selfcheck.run(["tanh"], order=1) is True
    assert lines(capsys)[0].split() == ["cases", "order", "1"]


@pytest.fixture
def checked(monkeypatch):
    """The cases that were checked, with their order: all are found to be right, in no time."""
    cases = []
    monkeypatch.setattr(selfcheck.Case, "check", lambda case, order: cases.append((case, order)) or GradcheckReport())
    return cases


def test_run_without_names_checks_all(capsys, checked):
    assert selfcheck.run(order=1) is True
    assert sorted(map(repr, checked)) == sorted(repr((case, 1)) for case in CASES)
    names = [line.split()[0] for line in lines(capsys)[1:-1]]
    assert sorted(names) == sorted({case.name for case in CASES})


def test_run_says_what_is_wrong(capsys, monkeypatch):
    def wrong_tanh(x):
        return tg.array_module(x).tanh(x)

    monkeypatch.setattr(ops, "tanh", tg.primitive(wrong_tanh))
    del PRIMITIVES["wrong_tanh"]
    ops.tanh.rules(lambda gy, y, x: gy * (1 - y * y) * 1.001)
    broken = op("sum", normal(2, 3), axis=7)
    monkeypatch.setattr(selfcheck, "CASES", [*(c for c in CASES if c.name in ("tanh", "exp")), broken])
    assert selfcheck.run(["exp", "tanh", "sum"]) is False
    out = lines(capsys)
    assert out[1].endswith(" ok") and re.fullmatch(r"tanh +3 +1\.0e-03 +- WRONG", out[2])
    assert out[3].startswith("    tanh (2,3): GradcheckError: gradcheck, order 1: 6 of 6 comparisons disagree")
    assert any(line.endswith("WRONG") and line.startswith("sum") for line in out)
    assert any(line.startswith("    sum (2,3) axis=7: AxisError") for line in out)
    assert out[-1] == "1 right, 2 wrong"


def test_run_says_what_has_no_case(capsys, monkeypatch, checked):
    monkeypatch.setattr(selfcheck, "CASES", [c for c in CASES if c.name != "tanh"])
    assert selfcheck.run(order=1) is False
    out = lines(capsys)
    assert any(re.match(r"tanh +0 +NO CASE", line) for line in out) and out[-1].endswith(" 1 wrong")


def test_run_refuses_an_unknown_name():
    with pytest.raises(ConfigError, match=r"there is no 'matmull' \(did you mean 'matmul'\?\)"):
        selfcheck.run(["matmull"])
