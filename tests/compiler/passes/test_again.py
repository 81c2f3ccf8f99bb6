"""Large arrays that are computed again where they are read: the program before and after, and what it computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models.small import batches, fed, in_float64, small

import tinygen as tg
from tinygen.compiler import Program, compile
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import again, optimised
from tinygen.compiler.plan import Plan
from tinygen.layers import BatchNorm, Conv, LeakyReLU, Sequential

X = np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype(np.float32)


@pytest.fixture
def _all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "_LARGE", 1)
    monkeypatch.setattr(again, "_TINY", 1 << 8)


def traced(x: np.ndarray = X) -> Program:
    """The gradients of two convolutions with batch norm and a leaky ReLU between them."""
    tg.seed(0)
    net = Sequential(Conv(3, 8, 3, padding="same"), BatchNorm(8), LeakyReLU(0.2), Conv(8, 4, 3, padding="same"))
    return optimised(compile(lambda x: tg.grad((net(x) ** 2).mean(), net.parameters())).trace(x))


def of(program: Program, op: str) -> list[Any]:
    return [i for i in program.instructions if i.op == op]


def test_small_arrays_are_kept() -> None:
    program = traced()
    second, gradient = of(program, "conv2d")[1], of(program, "conv2d_weight_grad")[0]
    assert second.operands[0] is gradient.operands[0]


@pytest.mark.usefixtures("_all_is_large")
def test_the_gradient_of_a_kernel_reads_what_is_computed_again() -> None:
    program = traced()
    second, gradient = of(program, "conv2d")[1], of(program, "conv2d_weight_grad")[0]
    first, anew = second.operands[0], gradient.operands[0]
    assert first is not anew
    assert [m.op for m in first.maker.body] == [m.op for m in anew.maker.body]
    places = program.instructions.index
    assert places(second) < places(anew.maker) < places(gradient)


def test_it_takes_less_memory_and_computes_the_same(request: pytest.FixtureRequest) -> None:
    before = traced()
    expected = interpret(before, [X])
    request.getfixturevalue("_all_is_large")
    after = traced()
    assert Plan(after).room < Plan(before).room
    for y, z in zip(interpret(after, [X]), expected, strict=True):
        np.testing.assert_array_equal(y, z)  # the same operations on the same numbers


@pytest.mark.usefixtures("_all_is_large")
def test_a_state_that_has_changed_since_is_not_read_again() -> None:
    w, v = tg.Parameter(np.ones((3, 3, 3, 4))), tg.Parameter(np.full(3, 2.0))

    def step(x: Any) -> Any:
        scaled = np.multiply(x, v.array) if isinstance(x, np.ndarray) else x * v.array
        y = tg.ops.conv2d(scaled, w, padding=1)
        v.array[...] = v.array * 3.0
        return tg.grad((y * y).sum(), [w])

    x = X.astype(np.float64)
    expected = step(x)[0].array
    v.array[...] = 2.0
    compiled = compile(step, "numpy")
    np.testing.assert_allclose(compiled(x)[0].array, expected, 1e-9)
    assert compiled.reason is None
    np.testing.assert_array_equal(v.array, 6.0)


@pytest.mark.usefixtures("_all_is_large")
@pytest.mark.parametrize("name", ["gan", "vae", "dcgan", "dcgan64", "sngan", "wgangp", "convvae"])
def test_models_with_everything_computed_again(name: str) -> None:
    model, twin = (in_float64(small(name, eps=1e-3)) for _ in range(2))
    step = compile(twin, "numpy")
    for x in batches(3, size=4 * model.batches_per_step):
        x = x.astype(np.float64)
        expected, made = model.train_step(fed(model, x)), step(fed(twin, x))
        for key in expected:
            np.testing.assert_allclose(made[key].item(), expected[key].item(), 1e-8, err_msg=key)
    assert step.reason is None
