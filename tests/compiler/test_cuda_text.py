"""The kernels of fused groups, compiled and run by the host, against NumPy: every op on odd shapes and strides."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from compiler.on_host import launch

from tinygen.compiler.cuda_kernel import has_kernel
from tinygen.compiler.cuda_text import TEXTS, arguments_of
from tinygen.compiler.passes.fuse import loop_of
from tinygen.compiler.program import ELEMENTWISE, Instruction, Value
from tinygen.compiler.trace import _result_like

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++, which compiles the kernels for the host")

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]
SHAPE = (3, 4, 5)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.5, np.inf, -np.inf, np.nan, 3.0, 7.25, -7.0, 100.0, -0.3]


def value(array, op="input", **options):
    return Value(array, Instruction(op, (), options))


def made(op, *operands, **options):
    """An instruction of an op."""
    instruction = Instruction(op, operands, options)
    like = np.empty_like(operands[0].like, options.get("dtype")) if options else _result_like(op, operands)
    instruction.results = [Value(like, instruction)]
    return instruction


def copied(x):
    instruction = Instruction("copy", (x,))
    instruction.results = [Value(np.empty_like(x.like), instruction)]
    return instruction


def operands(dtype, seed=0):
    """Three arrays that broadcast to SHAPE, none of which lies in C order."""
    rng = np.random.default_rng(seed)
    pick = SPECIAL if np.dtype(dtype).kind == "f" else range(-9, 10) if np.dtype(dtype).kind == "i" else range(9)
    a, b, c = (rng.choice(pick, n) for n in ((5, 4, 3), (4, 2), (3, 1, 10)))
    return a.astype(dtype).T, b.astype(dtype)[:, :1], c.astype(dtype)[..., ::-2]


def launched(body, outputs):
    """What a kernel makes of a body, in outputs that lie in Fortran order."""
    loop = loop_of(body, SHAPE, outputs)
    arrays = {v: v.like for v in loop.values} | {v: np.zeros(SHAPE, v.dtype, order="F") for v in outputs}
    launch([loop], arrays)
    return [arrays[v] for v in outputs]


def has_text(op, values):
    """Whether NumPy has the op for these operands, and it has a text for their dtype."""
    try:
        member = copied(values[0]) if op == "copy" else made(op, *values[: arguments_of(op)])
    except (TypeError, ValueError):
        return None
    return member if has_kernel(loop_of([member], SHAPE, member.results)) else None


def test_every_function_of_elements_has_a_text():
    assert set(TEXTS) == ELEMENTWISE | {"copy"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_op_is_as_in_numpy(dtype):
    values = [value(x) for x in operands(dtype)]
    body = [member for op in TEXTS if (member := has_text(op, values)) is not None]
    assert len(body) > 15
    if np.dtype(dtype).kind == "f":
        assert len(body) == len(TEXTS) - 6  # what is for bits
    for member, y in zip(body, launched(body, [m.result for m in body]), strict=True):
        with np.errstate(all="ignore"):
            given = [v.like for v in member.operands]
            right = np.array(given[0]) if member.op == "copy" else getattr(np, member.op)(*given)
        right = np.broadcast_to(right, SHAPE)
        np.testing.assert_allclose(y, right, rtol=3e-6 if dtype == "float32" else 1e-13, err_msg=member.op)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_casts(dtype):
    x = value(operands("float64")[0])
    x.like[~np.isfinite(x.like)] = 4
    x.like[:] = abs(x.like)
    body = [made("astype", x, dtype=np.dtype(dtype))]
    np.testing.assert_array_equal(launched(body, body[0].results)[0], x.like.astype(dtype))


def test_numbers_and_what_is_written_where_it_is_read():
    """As an optimiser does: a number that changes, one that does not, one that stands in the text, and p := p - ..."""
    x = value(np.asfortranarray(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)))
    rate, ones = value(np.empty(()), "call"), value(np.ones(SHAPE, np.float32), "full", value=1.0)
    scaled = made("multiply", x, rate)
    shifted = made("subtract", scaled.result, 0.1)
    doubled = made("add", shifted.result, ones)
    before, other = x.like.copy(), np.zeros(SHAPE, np.float32)
    loop = loop_of([scaled, shifted, doubled], SHAPE, [shifted.result, doubled.result])
    kernel = launch([loop], {x: x.like, shifted.result: x.like, doubled.result: other}, {rate: 0.3})
    assert kernel.params.declared() == ["const float* x0", "float* y0", "float* y1", "const float* s0"]
    right = before * np.float32(0.3) - np.float32(0.1)
    np.testing.assert_allclose(x.like, right, rtol=1e-6)
    np.testing.assert_allclose(other, right + 1, rtol=1e-6)


def test_no_text_for_half_precision_or_powers_of_integers():
    half, whole = value(np.ones(3, np.float16)), value(np.ones(3, np.int64))
    for member in (made("add", half, half), made("power", whole, whole)):
        assert not has_kernel(loop_of([member], (3,), member.results))


def test_numbers_that_c_writes_otherwise():
    x = value(np.zeros(SHAPE))
    body = [made("add", x, number) for number in (float("inf"), float("-inf"), float("nan"), 1e-300, True, 7)]
    for member, y in zip(body, launched(body, [m.result for m in body]), strict=True):
        np.testing.assert_array_equal(y, np.broadcast_to(x.like + member.operands[1], SHAPE))
