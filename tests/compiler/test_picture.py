"""What is said of a program, in print and in the page's pictures, against the program itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygen as tg
from tinygen.compiler.passes import PASSES, optimised
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import GROUPS, VIEWS, members, operations, work
from tinygen.compiler.sections import line_of, sections
from tinygen.compiler.spans import bytes_apart, spans
from tinygen.compiler.work import KINDS, flops, kind_of
from tinygen.layers import Dense
from tinygen.models import GAN, VAE, WGANGP, GANConfig, VAEConfig, WGANGPConfig
from tinygen.models.dcgan import DCGAN, DCGANConfig
from tinygen.optim import Optimizer

SHAPE = (8, 8, 1)
MODELS = {
    "gan": lambda: GAN(GANConfig(SHAPE, latent_dim=4, g_hidden=(12, 8), d_hidden=(10, 6))),
    "wgangp": lambda: WGANGP(WGANGPConfig(SHAPE, latent_dim=4, g_hidden=(6,), d_hidden=(6,), d_steps=2)),
    "vae": lambda: VAE(VAEConfig(SHAPE, latent_dim=3, hidden=(12,))),
    "dcgan": lambda: DCGAN(DCGANConfig(SHAPE, latent_dim=4, g_channels=(4, 3, 2), d_channels=(3, 4))),
}


def traced(name):
    model = MODELS[name]()
    return tg.compile(model).trace(np.zeros((6 * model.batches_per_step, *SHAPE), np.float32))


@pytest.mark.parametrize("name", MODELS)
def test_a_program_prints_each_instruction_once_and_the_same_each_time(name):
    program = optimised(traced(name))
    text = str(program)
    assert text == str(program) == str(optimised(traced(name)))
    shown = [line for line in text.splitlines() if " = " in line and not line.startswith("#")]
    whole = [i for i in program.instructions if i.op in VIEWS and not i.result.name.startswith("%")]
    views = sum(i.op in VIEWS for i in program.instructions) - len(whole)
    inner = sum(len(members(i)) for i in work(program))
    assert len(shown) == inner + views
    groups = sum(len(members(i)) > 1 for i in work(program))
    words = f"# {len(work(program))} instructions, of {operations(program)} operations in {groups} groups: "
    assert words in text and len(max(text.splitlines(), key=len)) < 200
    assert len(repr(program)) < 60


def test_names_are_made_once_and_read_after_that():
    text = str(optimised(traced("wgangp")))
    made: set[str] = set()
    for line in text.splitlines():
        if " = " in line and not line.startswith("#"):
            names, call = re.match(r"[ .│└]*(\S.*?)\s+(?:[bfiu]\d+\[|number).*? = (.*)", line).groups()
            assert set(re.findall(r"%\d+", call)) <= made
            new = names.split(", ")
            assert made.isdisjoint(new)
            made |= set(new)


@pytest.mark.parametrize("as_traced", [True, False])
@pytest.mark.parametrize("name, steps", [("gan", "DG"), ("wgangp", "DDG"), ("vae", ["encoder and decoder"])])
def test_sections_name_the_steps_and_the_lines(name, steps, as_traced):
    program = traced(name) if as_traced else optimised(traced(name))
    found = sections(program)
    assert [i for section in found for i in section.instructions] == work(program)
    names = {number: step for (number, step), _, _ in found if number >= 0}
    assert [names[k] for k in sorted(names)] == list(steps)
    lines = {section.line.code for section in found if section.line is not None}
    assert any("self.opt" in line or "kernels." in line for line in lines)
    assert all("/layers/" not in section.line.file for section in found if section.line is not None)


def test_an_optimiser_of_the_users_own_has_its_step():
    class Sign(Optimizer):
        def update(self, p, g, *state, lr):
            p -= lr * np.sign(g)

    net = Dense(3, 1)
    opt = Sign(net.parameters(), 0.1, clip_norm=1.0)
    program = tg.compile(lambda x: opt.step(tg.grad((net(x) ** 2).mean(), net.parameters())))
    found = sections(program.trace(np.ones((4, 3), np.float32)))
    assert {section.step for section in found} == {(0, "net")}


@pytest.mark.parametrize("name", MODELS)
def test_spans_are_the_plan(name):
    program = optimised(traced(name))
    plan = Plan(program)
    found = spans(program, plan)
    instructions = work(program)
    assert 0 <= plan.room - max(s.at + s.size for s in found) < 64
    for i, s in enumerate(found):
        assert s.first <= s.last < len(instructions) and s.size == s.value.like.nbytes
        assert s.value in program.inputs or s.value in instructions[s.first].results
        for other in found[:i]:  # what is needed at the same time lies apart
            early, late = sorted((s, other), key=lambda span: span.first)
            written_over = early.last == late.first and (early.at, early.size) == (late.at, late.size)
            apart = early.last < late.first or s.at + s.size <= other.at or other.at + other.size <= s.at
            assert apart or (written_over and instructions[late.first].op in GROUPS)
    of = {s.value: s for s in found}
    for i, instruction in enumerate(instructions):  # and stays until it is read for the last time
        for value in instruction.values:
            assert value.root not in of or of[value.root].first <= i <= of[value.root].last
    assert bytes_apart(program) > plan.room


@pytest.mark.parametrize("name", MODELS)
def test_each_pass_leaves_the_work(name):
    """Products stay what they are, to the last multiplication, and operations only get fewer."""
    program = traced(name)
    before = operations(program)
    for change in PASSES[1:]:  # simplify makes constants of views
        program = change(program)
        if change.__name__ != "simplify":
            assert operations(program) <= before
        before = operations(program)
    kinds = {kind_of(i) for i in work(program)}
    assert kinds <= set(KINDS) and "product" in kinds and ("convolution" in kinds) == (name == "dcgan")
    assert all((flops(i) > 0) == (kind_of(i) in ("product", "convolution")) for i in work(program))
    assert all(line_of(i) is not None for i in work(program))


def test_flops_are_those_of_the_formulas():
    x, w = np.ones((5, 4), np.float32), tg.tensor(np.ones((4, 3), np.float32))
    (product,) = [i for i in work(tg.compile(lambda a: a @ w).trace(x)) if kind_of(i) == "product"]
    assert flops(product) == 2 * 5 * 4 * 3
    image, kernel = np.ones((2, 6, 6, 3), np.float32), tg.tensor(np.ones((3, 3, 3, 4), np.float32), requires_grad=True)

    def step(a):
        a = tg.tensor(a).requires_grad_() if isinstance(a, np.ndarray) else tg.Tensor(a).requires_grad_()
        y = tg.ops.conv2d(a, kernel, padding=1)
        return tg.grad((y * y).sum(), [a, kernel])

    found = [flops(i) for i in work(tg.compile(step).trace(image)) if kind_of(i) == "convolution"]
    assert found == [2 * (2 * 6 * 6 * 4) * (3 * 3 * 3)] * 3


@pytest.fixture
def section():
    """The README's section on programs."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    return readme.partition("### What the machine really does")[2].partition("\n### ")[0]


def test_the_program_in_the_readme_is_what_its_code_prints(section):
    code, shown = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("python", "text"))
    names: dict[str, Any] = {"tg": tg}
    exec(compile(code, "readme.py", "exec"), names)
    names["step"](np.zeros((8, 64), np.float32))
    printed = [_plain(line) for line in str(names["step"].program).splitlines()]
    assert all(_plain(line) in printed for line in shown.splitlines() if line.strip() != "...")


def test_the_numbers_below_the_picture_in_the_readme(section):
    program = optimised(tg.compile(GAN()).trace(np.zeros((GAN.defaults["batch"], 28, 28, 1), np.float32)))
    megabytes = bytes_apart(program) / 1e6, Plan(program).room / 1e6
    counts = f"{operations(program)} operations in {len(work(program))} instructions"
    assert f"{counts}, whose {megabytes[0]:.0f} MB of arrays share {megabytes[1]:.1f} MB." in " ".join(section.split())


def _plain(line):
    """A line without its numbers of values and its columns."""
    return " ".join(re.sub(r"%\d+", "%", line).split())
