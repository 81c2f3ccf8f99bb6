"""Every op of a compiled loop against NumPy, on edge values."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native import ops
from tinygen.compiler.native.loops import Input, Loop, Output, Step, add_loop
from tinygen.compiler.native.team import Machine

ONE = ("negative", "reciprocal", "absolute", "sign", "square", "floor", "sqrt", "copy", "isfinite", "isnan")
TWO = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
COMPARED = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
SMOOTH = ("exp", "expm1", "log", "log1p", "tanh")
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift")
LOGIC = ("logical_and", "logical_or", "logical_xor")


def run(steps: list[Step], *arrays: Any, numbers: tuple[float, ...] = (), dtypes: tuple[str, ...] = ()) -> list[Any]:
    """The results of several steps on the same inputs, in one loop."""
    machine = Machine(1, len(numbers))
    outputs = [np.empty(arrays[0].shape, step.dtype) for step in steps]
    loop = Loop(
        1,
        tuple(Input(str(x.dtype), "1") for x in arrays),
        tuple(steps),
        tuple(Output(("step", j), step.dtype, "1") for j, step in enumerate(steps)),
        numbers=dtypes,
    )
    add_loop(machine, loop, arrays[0].shape, arrays, outputs, numbers=range(len(numbers)))
    machine.numbers[: len(numbers)] = numbers
    machine.run()
    return outputs


def values(dtype: str) -> Any:
    if dtype == "bool":
        return np.array([False, True] * 9)
    info: Any = np.finfo(dtype) if dtype.startswith("f") else np.iinfo(dtype)
    if dtype.startswith("f"):
        tiny = [info.smallest_subnormal, info.tiny, info.tiny / 8, info.eps]
        edges = [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 1e-3, 88.7, 1e4, *tiny, info.max, math.inf]
        return np.array([*edges, *(-x for x in edges), math.nan], dtype)
    return np.array([0, 1, 2, 3, 7, 31, 63, 64, info.max, info.max - 1, info.min, info.min // 2], dtype)


def pairs(dtype: str) -> tuple[Any, Any]:
    a, b = zip(*product(values(dtype), repeat=2), strict=True)
    return np.array(a, dtype), np.array(b, dtype)


def two(names: tuple[str, ...], dtype: str) -> list[Step]:
    return [Step(name, (("in", 0), ("in", 1)), dtype) for name in names]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@np.errstate(all="ignore")
def test_floats_with_one_operand(dtype: str) -> None:
    x = values(dtype)
    steps = [Step(name, (("in", 0),), "bool" if name in ("isfinite", "isnan") else dtype) for name in ONE]
    for name, y in zip(ONE, run(steps, x), strict=True):
        np.testing.assert_array_equal(y, x if name == "copy" else getattr(np, name)(x), err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@np.errstate(all="ignore")
def test_floats_with_two_operands(dtype: str) -> None:
    a, b = pairs(dtype)
    for name, y in zip((*TWO, *COMPARED), run([*two(TWO, dtype), *two(COMPARED, "bool")], a, b), strict=True):
        np.testing.assert_array_equal(y, getattr(np, name)(a, b), err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@np.errstate(all="ignore")
def test_exp_log_and_their_kin(dtype: str) -> None:
    some = np.concatenate(
        [np.linspace(-12, 12, 5001), np.geomspace(1e-37, 1e37, 3001), -np.geomspace(1e-37, 110, 3001)]
    )
    x = np.concatenate([values(dtype), some.astype(dtype), np.array([-103.9, -104.1, 88.72283, 88.7229, 9.02], dtype)])
    for name, y in zip(SMOOTH, run([Step(name, (("in", 0),), dtype) for name in SMOOTH], x), strict=True):
        exact = getattr(np, name)(x.astype(np.float64))
        rounded = exact.astype(dtype)
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(rounded), err_msg=name)
        sound = np.isfinite(rounded)
        np.testing.assert_array_equal(y[~sound], rounded[~sound], err_msg=name)
        ulps = np.abs(y[sound] - exact[sound]) / np.spacing(np.abs(rounded[sound]))
        assert ulps.max() < 3, (name, x[sound][ulps.argmax()], ulps.max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sine_and_cosine(dtype: str) -> None:
    x = np.linspace(-50, 50, 999).astype(dtype)
    for name, y in zip(("sin", "cos"), run([Step(n, (("in", 0),), dtype) for n in ("sin", "cos")], x), strict=True):
        np.testing.assert_allclose(y, getattr(np, name)(x), atol=2 * np.finfo(dtype).eps, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@np.errstate(all="ignore")
def test_power(dtype: str) -> None:
    x = values(dtype)
    exponents = (0, 1, 2, 3, 7, 64, -1, -2, 0.5, -0.5, 1.7, -1.3)
    steps = [Step("power", (("in", 0), ("const", n, dtype)), dtype) for n in exponents]
    steps.append(Step("power", (("in", 0), ("number", 0)), dtype))
    results = run(steps, x, numbers=(2.5,), dtypes=(dtype,))
    for n, y in zip((*exponents, 2.5), results, strict=True):
        normal = ~((x == -np.inf) & (abs(n) == 0.5))  # pow(-inf, 0.5) is inf, a square root NaN
        expected = np.power(x, np.array(n, dtype))
        np.testing.assert_allclose(y[normal], expected[normal], 1e-6 if dtype == "float32" else 1e-14, err_msg=str(n))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
@np.errstate(all="ignore")
def test_integers(dtype: str) -> None:
    a, b = pairs(dtype)
    names = ("add", "subtract", "multiply", "maximum", "minimum", *BITS)
    results = run([*two(names, dtype), *two(COMPARED, "bool"), *two(LOGIC, "bool")], a, b)
    for name, y in zip((*names, *COMPARED, *LOGIC), results, strict=True):
        wanted = getattr(np, name)(a, b)
        if "shift" in name:  # NumPy leaves what a negative count means to the processor
            y, wanted = y[b >= 0], wanted[b >= 0]
        np.testing.assert_array_equal(y, wanted, err_msg=name)
    one = ("negative", "absolute", "sign", "square", "invert", "floor")
    for name, y in zip(one, run([Step(name, (("in", 0),), dtype) for name in one], a), strict=True):
        np.testing.assert_array_equal(y, a if name == "floor" else getattr(np, name)(a), err_msg=name)


def test_bools() -> None:
    a, b = pairs("bool")
    names = ("add", "multiply", "maximum", "minimum", *BITS[:3], *LOGIC, "equal", "not_equal")
    for name, y in zip(names, run(two(names, "bool"), a, b), strict=True):
        np.testing.assert_array_equal(y, getattr(np, name)(a, b), err_msg=name)
    (y,) = run([Step("logical_not", (("in", 0),), "bool")], a)
    np.testing.assert_array_equal(y, ~a)


def test_where() -> None:
    a, b = pairs("float32")
    condition = np.arange(a.size) % 3 == 0
    for chosen in (condition, condition.astype(np.int64)):
        (y,) = run([Step("where", (("in", 0), ("in", 1), ("in", 2)), "float32")], chosen, a, b)
        np.testing.assert_array_equal(y, np.where(condition, a, b))


@pytest.mark.parametrize("old", ["bool", "uint8", "int32", "int64", "float32", "float64"])
@np.errstate(all="ignore")
def test_astype(old: str) -> None:
    x = values(old)
    if old.startswith("f"):  # what lies out of an integer's range is anybody's guess in NumPy
        x = np.concatenate([x[(x > -0.9) & (x < 1e5)], np.array([0.5, 1.9, 254.9], old)])
    x = x if old.startswith("f") or old == "bool" else x[(x >= 0)]
    new = [d for d in ("bool", "int32", "int64", "float32", "float64") if d != old]
    for dtype, y in zip(new, run([Step("astype", (("in", 0),), d) for d in new], x), strict=True):
        np.testing.assert_array_equal(y, x.astype(dtype), err_msg=dtype)


def test_a_float_out_of_range_becomes_the_nearest_integer() -> None:
    x = np.array([1e30, -1e30, np.inf, -np.inf, np.nan, -1.0], np.float32)
    signed, unsigned = run([Step("astype", (("in", 0),), d) for d in ("int32", "uint8")], x)
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    assert signed.tolist() == [high, low, high, low, 0, -1]
    assert unsigned.tolist() == [255, 0, 255, 0, 0, 0]


def test_operands_of_other_dtypes_are_converted() -> None:
    a, b = np.array([1, 2, 3]), np.array([0.5, 2.0, 3.5], np.float32)
    total, less = run(
        [Step("add", (("in", 0), ("in", 1)), "float32"), Step("less", (("in", 0), ("in", 1)), "bool")], a, b
    )
    assert total.tolist() == [1.5, 4, 6.5]
    assert less.tolist() == [False, False, True]


def test_every_op_is_tested_here() -> None:
    tested = {*ONE, *TWO, *COMPARED, *SMOOTH, *BITS, *LOGIC}
    assert set(ops.OPS) == tested | {"where", "astype", "power", "sin", "cos", "invert", "logical_not"}


def test_errors() -> None:
    x = np.arange(3)
    with pytest.raises(ValueError, match=r"no op 'median'; it has absolute, add"):
        run([Step("median", (("in", 0),), "int64")], x)
    with pytest.raises(ValueError, match=r"power: an integer's exponent must be a constant from 0 to 64"):
        run([Step("power", (("in", 0), ("in", 0)), "int64")], x)
