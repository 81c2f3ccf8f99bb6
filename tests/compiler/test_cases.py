"""Every op and layer, with its first and second derivatives and an update, as a compiled step against the eager one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygen as tg
from tinygen import compile, layers, ops
from tinygen.layers import Module
from tinygen.optim import SGD
from tinygen.selfcheck.table import CASES
from tinygen.tensor import Parameter, Tensor


def refusal(case: Any) -> str:
    """Why a case stays eager; "" if it doesn't."""
    if case.name == "getitem" and any(mask in repr(case) for mask in ("mask", "True")):
        return "indexed with a mask"
    return "the step moves Generator" if case.name == "Dropout" and not case.options else ""


def step_of(case: Any, dtype: Any) -> tuple[Any, list[Parameter]]:
    """A step that calls the case, takes first and second derivatives of a sum of its results, and an SGD step."""
    tg.seed(0)
    call = case.function()
    arrays = [Parameter(a.astype(dtype)) if a.dtype.kind == "f" else a for a in case.arrays()]
    learnt = [a for a in arrays if isinstance(a, Parameter)]
    if isinstance(call, Module):
        for _, module in call.named_modules():
            for name, t in list(vars(module).items()):
                if isinstance(t, (Parameter, layers.Buffer)):
                    setattr(module, name, type(t)(t.data.astype(dtype)))
        learnt += call.parameters()
    optimizer = SGD(learnt, 0.01) if learnt else None

    def step() -> Any:
        y = call(*arrays)
        parts = [t for t in (y if isinstance(y, (tuple, list)) else [y]) if isinstance(t, Tensor)]
        loss = sum(ops.sum(t * waves(t, i)) for i, t in enumerate(parts))
        if loss.node is None:
            return y
        first = tg.grad(loss, learnt, create_graph=True, unused="zeros")
        slope = sum(ops.sum(g * g * waves(g, 7)) for g in first)
        second = first if slope.node is None else tg.grad(slope, learnt, unused="zeros")
        optimizer.step([a + b for a, b in zip(first, second, strict=True)])
        return y, loss, slope

    return step, learnt


def waves(t: Any, shift: float) -> np.ndarray:
    """A cotangent: numbers of either sign, of the shape and dtype of t."""
    return np.cos(np.arange(t.size) + shift).reshape(t.shape).astype(t.dtype if t.dtype.kind == "f" else np.float64)


def numbers(y: Any) -> list[np.ndarray]:
    """All arrays in what a step returns, and copies of them."""
    if isinstance(y, (tuple, list)):
        return [a for part in y for a in numbers(part)]
    return [np.array(getattr(y, "array", y))]


def compare(case: Any, dtype: Any, back_end: str, tolerance: float) -> None:
    (eager, learnt), (twin, twins) = step_of(case, dtype), step_of(case, dtype)
    compiled = compile(twin, back_end)
    for _ in range(2):
        expected, made = numbers(eager()), numbers(compiled())
        for y, z in zip(made + numbers(twins), expected + numbers(learnt), strict=True):
            assert (y.shape, y.dtype) == (z.shape, z.dtype)
            size = np.linalg.norm(z[np.isfinite(z)]) if z.dtype.kind == "f" else 0
            np.testing.assert_allclose(y, z, 0, tolerance * max(size, 1))
    assert refusal(case) in compiled.reason if refusal(case) else compiled.reason is None


NAMES = list(dict.fromkeys(case.name for case in CASES))
NATIVE = {
    "power", "where", "clip", "softmax", "matmul", "dense", "einsum", "sum", "var", "max", "cumsum", "concatenate",
    "getitem", "put", "batch_norm", "conv2d", "conv_transpose2d", "max_pool2d", "upsample_bilinear",
    "sigmoid_cross_entropy", "LayerNorm", "SpectralNorm", "Sequential",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_step_is_the_eager_one(name, back_end, campaign):
    """All cases in a campaign; else three an op, and on native code, where each loop is compiled, one of a few ops."""
    if back_end == "native" and name not in NATIVE and not campaign:
        return
    cases = [case for case in CASES if case.name == name]
    for case in cases if campaign else cases[: 1 if back_end == "native" else 3]:
        for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-4)):
            if campaign or dtype == (np.float32 if back_end == "native" else np.float64):
                compare(case, dtype, back_end, tolerance)
