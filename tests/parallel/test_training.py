"""`fit` in a group: one process writes, all learn the same, and a run resumes on another number of processes."""

from __future__ import annotations

import pytest
from compiler.test_models import distance
from models.small import data_for, in_float64, small
from processes import on_threads

import tinygen as tg
from tinygen.train import RunDirectory


def fit(steps, out=None, name="gan", **options):
    model, data = in_float64(small(name, eps=1e-3)), data_for(name)
    loader = tg.data.Loader(data.train, 8, model.value_range, tg.Generator(0, "order", "cpu"))
    return tg.fit(model, loader, steps, out=out, log_every=2, progress=False, **options)


def weights(path):
    return RunDirectory(path).newest().weights


@pytest.mark.parametrize("sizes", [(2, 1), (1, 4), (4, 2)])
def test_a_run_is_that_of_one_process_and_resumes_on_any_number(sizes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(6, "alone")
    for steps, size in zip((3, 6), sizes, strict=True):
        on_threads(size, lambda group, steps=steps: fit(steps, "shared", resume=steps == 6))
    expected, made = weights("alone"), weights("shared")
    assert {n: d for n, x in expected.items() if (d := distance(x, made[n])) > 1e-9} == {}
    rows = [RunDirectory(path).read_metrics() for path in ("alone", "shared")]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
