"""Products of matrices: lists of calls of a BLAS, one list a thread, made once and walked at each run.

A call is a row of a table: how `a` and `b` lie, M, N, K, and three addresses with the lengths of a line. Any division
of the work is a division of NumPy's views, before the first run. What a BLAS is not made for, a product with a single
column, or of a column and a row, is a loop.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ...kernels.openblas import blas
from ..convolutions import Product
from ..shares import FEW_PRODUCTS, LANES, cut, cut_product
from .code import address_of
from .ir import Code, Module
from .loops import Input, Loop, Output, Step, Sum, add_loop, moves_of
from .team import Machine
from .values import INT, Value, type_of

Array: TypeAlias = "np.ndarray[Any, Any]"

_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED = 101, 111, 112  # CBLAS's names for how a matrix lies in memory
_DEEP = 8  # times as many products in a sum as there are rows or columns: each thread sums a part of them


def add_product(machine: Machine, out: Array, a: Array, b: Array, adds: bool = False) -> None:
    """Add out = a @ b to a machine's table; out += a @ b with `adds`.

    Matrices of one dtype, float32 or float64, with rows or columns of neighbouring elements, at any distance.
    Raises ValueError for others, and if there is no BLAS that can be called.
    """
    (m, k), n = a.shape, b.shape[1]
    if out.shape != (m, n) or b.shape[0] != k or not out.dtype == a.dtype == b.dtype:
        raise ValueError(f"a product {out.dtype} {out.shape} can't be {a.dtype} {a.shape} @ {b.dtype} {b.shape}")
    if m == 1 or (n > 1 and out.strides[1] != out.itemsize):
        out, a, b = out.T, b.T, a.T
        (m, k), n = a.shape, b.shape[1]
    if k == 1:
        _add_outer_product(machine, out, a, b, adds)
    elif n == 1:
        _add_column(machine, out, a, b, adds)
    elif (parts := _parts_of_depth(machine.threads, m, n, k)) > 1:
        _add_deep_product(machine, out, a, b, adds, parts)
    else:
        add_products(machine, [[(*part, adds)] for part in cut_product(machine.threads, out, a, b)])


def _parts_of_depth(threads: int, m: int, n: int, k: int) -> int:
    return threads if m * n * k >= FEW_PRODUCTS and k > _DEEP * max(m, n) else 1


def _add_deep_product(machine: Machine, out: Array, a: Array, b: Array, adds: bool, parts: int) -> None:
    """Each thread sums a part of the products; then the parts are added up."""
    ends = cut(b.shape[0], parts, LANES)
    with machine.in_turn(), machine.borrowed(out.dtype, *[out.shape] * (len(ends) - 1)) as more:
        parts_of_sum = zip([out, *more], [adds, *[False] * len(more)], ends, strict=True)
        add_products(machine, [[(room, a[:, i:j], b[i:j], adding)] for room, adding, (i, j) in parts_of_sum])
        if more:
            add_up(machine, out, more, adds=True)


def add_up(machine: Machine, out: Array, parts: Sequence[Array], adds: bool) -> None:
    """out = Σ parts, or out += Σ parts."""
    kind, terms = str(out.dtype), [*([out] if adds else []), *parts]
    steps: list[Step] = []
    for k in range(1, len(terms)):
        steps.append(Step("add", (("step", k - 2) if k > 1 else ("in", 0), ("in", k)), kind))
    total = ("step", len(steps) - 1) if steps else ("in", 0)
    inputs = tuple(Input(kind, moves_of(x)) for x in terms)
    loop = Loop(out.ndim, inputs, tuple(steps), (Output(total, kind, moves_of(out)),))
    add_loop(machine, loop, out.shape, terms, [out])


def add_products(machine: Machine, shares: Sequence[Sequence[Product]]) -> None:
    """Add a job that does a list of products for each thread. No two of these may write to the same place."""
    library = blas()
    arrays = [x for share in shares for product in share for x in product[:3]]
    if library is None or (kind := str(arrays[0].dtype)) not in library.gemm:
        raise ValueError("no BLAS can be called here" if library is None else f"no BLAS makes products of {kind}")
    calls = np.array([_call(*product) for share in shares for product in share], np.int64)
    ends = np.cumsum([0, *(len(share) for share in shares)])
    ends = np.pad(ends, (0, machine.threads + 1 - len(ends)), mode="edge")
    if library.alone not in machine.around:
        machine.around.append(library.alone)
    args = [library.address(kind), calls.ctypes.data, *ends]
    machine.add(address_of(_text(library.bits, kind)), args, small=len(shares) == 1, keep=(calls, arrays))


def _call(out: Array, a: Array, b: Array, adds: bool) -> list[int]:
    (order_a, line_a), (order_b, line_b), (order, line) = _laid_out(a), _laid_out(b), _laid_out(out)
    if order != _AS_IT_IS:
        raise ValueError("a product's result must lie in memory row by row")
    (m, k), n = a.shape, b.shape[1]
    address = [x.ctypes.data for x in (a, b, out)]
    return [order_a, order_b, m, n, k, address[0], line_a, address[1], line_b, address[2], line, int(adds)]


def _laid_out(x: Array) -> tuple[int, int]:
    """Which way a matrix lies, and the length of a line."""
    (rows, columns), (down, right), item = x.shape, x.strides, x.itemsize
    if not x.size or ((right == item or columns == 1) and (rows == 1 or down >= columns * item)):
        return _AS_IT_IS, max(down // item if rows > 1 else 0, columns, 1)
    if (down == item or rows == 1) and (columns == 1 or right >= rows * item):
        return _TRANSPOSED, max(right // item if columns > 1 else 0, rows, 1)
    raise ValueError(f"a matrix {x.shape} with strides {x.strides} has neither rows nor columns of neighbours")


@functools.cache
def _text(bits: int, kind: str) -> str:
    module = Module()
    f = module.function("job", "args", "rank", "team")
    args, rank, _ = f.parameters
    gemm, calls = f.load(INT, args, 0), f.load(INT, args, 1)
    with f.loop(f.load(INT, args, rank + 2), f.load(INT, args, rank + 3)) as i:
        _write_call(f, gemm, [f.load(INT, calls, i * 12 + k) for k in range(12)], f"i{bits}", np.dtype(kind))
    return str(module)


def _write_call(f: Code, gemm: Value, words: list[Value], integer: str, kind: Any) -> None:
    order_a, order_b, m, n, k, a, line_a, b, line_b, out, line, adds = words

    def whole(x: Value, type: str = integer) -> str:
        return f"{type} {x.text if type == 'i64' else f.emit(INT, f'trunc i64 {x.text} to {type}').text}"

    def place(x: Value) -> str:
        return f"ptr {f.pointer(x)}"

    number = type_of(kind)
    alpha, beta = f"{number} {f.constant(1, kind).text}", f"{number} {adds.astype(kind).text}"
    arguments = [f"i32 {_ROW_MAJOR}", whole(order_a, "i32"), whole(order_b, "i32"), whole(m), whole(n), whole(k), alpha]
    arguments += [place(a), whole(line_a), place(b), whole(line_b), beta, place(out), whole(line)]
    f.write(f"call void {f.pointer(gemm)}({', '.join(arguments)})")


def _add_outer_product(machine: Machine, out: Array, a: Array, b: Array, adds: bool) -> None:
    """out = a @ b for a column and a row."""
    kind, arrays = str(out.dtype), [a, b, out] if adds else [a, b]
    steps = [Step("multiply", (("in", 0), ("in", 1)), kind), Step("add", (("step", 0), ("in", 2)), kind)]
    inputs, last = tuple(Input(kind, moves_of(x)) for x in arrays), len(arrays) - 2
    loop = Loop(2, inputs, tuple(steps[: last + 1]), (Output(("step", last), kind, moves_of(out)),))
    add_loop(machine, loop, out.shape, arrays, [out])


def _add_column(machine: Machine, out: Array, a: Array, b: Array, adds: bool) -> None:
    """out = a @ b for a column b: sums along the rows of `a`, or of its rows, whichever lie in memory."""
    kind, along = str(out.dtype), a.strides[1] == a.itemsize or a.shape[0] == 1
    arrays = [a, b.T] if along else [a.T, b]
    times = Step("multiply", (("in", 0), ("in", 1)), kind)
    total = Sum(("step", 0), "rows" if along else "columns", kind)
    loop = Loop(2, tuple(Input(kind, moves_of(x)) for x in arrays), (times,), (), (total,))
    target = np.empty_like(out) if adds else out
    with machine.in_turn():
        add_loop(machine, loop, arrays[0].shape, arrays, sums=[target[:, 0]])
        if adds:
            add_up(machine, out, [target], adds=True)
