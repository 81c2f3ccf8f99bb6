"""out = a @ b, out += a @ b and out = a @ b + bias in float32, compiled by Numba for CPUs with AVX-512.

A tile of 8 x 48 results stays in 24 of the 32 vector registers; for each k, eight numbers of a column of `a` meet 48 of
a row of `b`,

    tile[r, :] += a[i + r, k] · b[k, j : j + 48],     two vectors a cycle, as many as the CPU can multiply and add.

A BLAS is made for large square matrices: it copies both operands into an order of its own, which pays if each number is
then used a thousand times. In a batch of 32, or a convolution to 64 channels, it is not. Here only `b` is copied, and
`a` stays where it is unless it is transposed. (The way of BLAS: Goto and van de Geijn 2008.) No Python loop keeps its
sums in registers, so the innermost ones are written in LLVM's own language. What it buys: `python -m benchmarks micro`.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..backend import Array
from .compiled import in_turn

LANES, ROWS, VECTORS = 16, 8, 3  # floats in a vector; a tile is 8 rows of 3 vectors
_ITEM, _LINE = 4, 64  # bytes of a float and of a vector
_AHEAD = 8  # from the row in use to the row that is fetched into the cache: 200 GFLOP/s a core; without it 165
_TOGETHER = 8  # rows of b that are copied a vector at a time: 30 GB/s, where whole rows come at 20
_STRIP, _DEPTH = 1 << 18, 512  # floats of b, and rows of it, in use at a time: half of the second cache (2 MB a core)
_RUNS = 1 << 17  # floats of `a` that a place's runs may read again and again
_DEEP = 8  # so many times as many k as rows or columns: then the k are shared out among the threads
_THREADS = numba.get_num_threads()

SUPPORTED = bool(binding.get_host_cpu_features().get("avx512f")) and binding.llvm_version_info[0] >= 20

# The innermost loops. Addresses and distances are integers, in bytes.

_float, _int, _i32, _byte = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.IntType(8)
_vector = ir.VectorType(_float, LANES)
_zeros, _nothing = ir.Constant(_vector, [0.0] * LANES), ir.Constant(_vector, ir.Undefined)


def _written(count: int, write: Callable[..., None]) -> Any:
    """What Numba asks about a function of so many integers: write(builder, *integers) writes its instructions."""

    def generate(context, builder, signature, args):
        write(builder, *args)
        return context.get_dummy_value()

    return types.void(*[types.intp] * count), generate


def _at(builder, address, kind=_vector):
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder, address, kind=_vector):
    return builder.load(_at(builder, address, kind), align=4)


def _store(builder, x, address):
    builder.store(x, _at(builder, address, x.type), align=4)


def _call(builder, name, result, *args):
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _fetch(builder, address):
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), _at(builder, address, _byte), _i32(0), _i32(3), _i32(1))


def _lanes(numbers):
    return ir.Constant(ir.VectorType(_i32, LANES), numbers)


def _everywhere(builder, number):
    """The number in all lanes."""
    return builder.shuffle_vector(builder.insert_element(_nothing, number, _i32(0)), _nothing, _lanes([0] * LANES))


def _make_tile(vectors: int) -> Any:
    """out[:8, :n] = Σ a[:8, k] · b[k, :n] over the k of some runs, for n = 16 · vectors; plus what was in out, if adds.

    runs: the address of a table, for each run where it begins from a on, from b on, and how many k it has.
    b lies as _copy_columns leaves it: `pitch` from one vector of a row to the next.
    """

    def write(builder, a, a_row, a_k, b, pitch, out, out_row, runs, count, adds):
        add, mul = builder.add, builder.mul
        places = [(r, j) for r in range(ROWS) for j in range(vectors)]
        results = [add(out, add(mul(out_row, _int(r)), _int(_LINE * j))) for r, j in places]
        for address in results:
            _fetch(builder, address)
        names = ("run", "loop", "next", "total", "grown", "end")
        start, (run, loop, following, total, grown, end) = (
            builder.block,
            map(builder.function.append_basic_block, names),
        )
        builder.branch(run)

        builder.position_at_end(run)
        r = builder.phi(_int)
        sums_so_far = [builder.phi(_vector) for _ in places]
        entry = add(runs, mul(r, _int(24)))
        a_first, b_first = add(a, _load(builder, entry, _int)), add(b, _load(builder, add(entry, _int(8)), _int))
        length = _load(builder, add(entry, _int(16)), _int)
        builder.branch(loop)

        builder.position_at_end(loop)
        k, a_now, b_now = counters = [builder.phi(_int) for _ in range(3)]
        sums = [builder.phi(_vector) for _ in places]
        columns = [add(b_now, mul(pitch, _int(j))) for j in range(vectors)]
        row_of_b = [_load(builder, address) for address in columns]
        for address in columns:
            _fetch(builder, add(address, _int(_LINE * _AHEAD)))
        column_of_a = []
        for i in range(ROWS):
            column_of_a.append(_everywhere(builder, _load(builder, add(a_now, mul(a_row, _int(i))), _float)))
        new = [
            _call(builder, "llvm.fma.v16f32", _vector, column_of_a[i], row_of_b[j], s)
            for (i, j), s in zip(places, sums, strict=True)
        ]
        first = [_int(0), a_first, b_first, *sums_so_far]
        after = [add(k, _int(1)), add(a_now, a_k), add(b_now, _int(_LINE)), *new]
        for phi, x, y in zip([*counters, *sums], first, after, strict=True):
            phi.add_incoming(x, run)
            phi.add_incoming(y, loop)
        builder.cbranch(builder.icmp_signed("<", after[0], length), loop, following)

        builder.position_at_end(following)
        next_run = add(r, _int(1))
        for phi, x, y in zip([r, *sums_so_far], [_int(0)] + [_zeros] * len(places), [next_run, *new], strict=True):
            phi.add_incoming(x, start)
            phi.add_incoming(y, following)
        builder.cbranch(builder.icmp_signed("<", next_run, count), run, total)

        builder.position_at_end(total)
        builder.cbranch(builder.icmp_signed("!=", adds, _int(0)), grown, end)
        builder.position_at_end(grown)
        sums_before = [builder.fadd(_load(builder, address), x) for address, x in zip(results, new, strict=True)]
        builder.branch(end)
        builder.position_at_end(end)
        last = [builder.phi(_vector) for _ in places]
        for phi, x, y in zip(last, new, sums_before, strict=True):
            phi.add_incoming(x, total)
            phi.add_incoming(y, grown)
        for x, address in zip(last, results, strict=True):
            _store(builder, x, address)

    @intrinsic
    def tile(typing, a, a_row, a_k, b, pitch, out, out_row, runs, count, adds):
        return _written(10, write)

    return tile


_tile1, _tile2, _tile3 = (_make_tile(n) for n in (1, 2, 3))


@intrinsic
def _put(typing, address, number):
    """Put an integer into the memory there."""
    return _written(2, lambda builder, address, number: _store(builder, number, address))


@intrinsic
def _move1(typing, source, target):
    """Copy a float."""
    return _written(2, lambda builder, source, target: _store(builder, _load(builder, source, _float), target))


@intrinsic
def _move16(typing, source, target):
    """Copy a vector."""
    return _written(2, lambda builder, source, target: _store(builder, _load(builder, source), target))


@intrinsic
def _add16(typing, source, target):
    """Add a vector to what is there."""

    def write(builder, source, target):
        _store(builder, builder.fadd(_load(builder, source), _load(builder, target)), target)

    return _written(2, write)


@intrinsic
def _fetch_line(typing, address):
    """Have a line of memory brought into the cache."""
    return _written(1, _fetch)


@intrinsic
def _transpose(typing, source, source_row, target, target_row):
    """Copy a block of 16 x 16 floats with rows and columns exchanged: parts of 1, 2, 4, 8 change places in pairs."""

    def write(builder, source, source_row, target, target_row):
        add, mul = builder.add, builder.mul
        addresses = [add(source, mul(source_row, _int(i))) for i in range(LANES)]
        rows = [_load(builder, address) for address in addresses]
        for address in addresses:
            _fetch(builder, add(address, _int(2 * _LINE)))
        for s in (1, 2, 4, 8):
            upper = _lanes([i if not i & s else LANES + i - s for i in range(LANES)])
            lower = _lanes([i + s if not i & s else LANES + i for i in range(LANES)])
            for i in [i for i in range(LANES) if not i & s]:
                x, y = rows[i], rows[i + s]
                rows[i], rows[i + s] = builder.shuffle_vector(x, y, upper), builder.shuffle_vector(x, y, lower)
        for i, x in enumerate(rows):
            _store(builder, x, add(target, mul(target_row, _int(i))))

    return _written(4, write)


# The loops around them


@numba.njit
def _copy_columns(b, b_k, b_n, copy, pitch, vectors, length):
    """b as vectors of 16 columns: those of column 16 · v, for k = 0, 1, ..., begin at copy + v · pitch."""
    whole = length - length % LANES
    if b_n == _ITEM:
        for start in range(0, length, _TOGETHER):
            for v in range(vectors):
                for k in range(start, min(start + _TOGETHER, length)):
                    _move16(b + k * b_k + v * _LINE, copy + v * pitch + k * _LINE)
    else:  # b is a transposed matrix
        for v in range(vectors):
            source = b + v * LANES * b_n
            for k in range(0, whole, LANES):
                _transpose(source + k * b_k, b_n, copy + v * pitch + k * _LINE, _LINE)
            for k in range(whole, length):
                for lane in range(LANES):
                    _move1(source + lane * b_n + k * b_k, copy + v * pitch + k * _LINE + lane * _ITEM)


@numba.njit
def _row_of_tiles(a, a_row, a_k, copy, pitch, out, out_row, runs, count, adds, first, last):
    """Eight rows of the result, from column 16 · first to 16 · last."""
    v = first
    while last - v > 4 or last - v == VECTORS:
        _tile3(a, a_row, a_k, copy + v * pitch, pitch, out + v * _LINE, out_row, runs, count, adds)
        v += 3
    while last - v >= 2:  # 4 as 2 + 2: a tile of one vector is the slowest
        _tile2(a, a_row, a_k, copy + v * pitch, pitch, out + v * _LINE, out_row, runs, count, adds)
        v += 2
    if v < last:
        _tile1(a, a_row, a_k, copy + v * pitch, pitch, out + v * _LINE, out_row, runs, count, adds)


@numba.njit
def _block(i, m, a, a_row, a_k, copy, pitch, out, out_row, runs, adds, first, last, spare, bias):
    """Rows 8 · i to 8 · i + 7 of the result. If m ends before: the last eight, in `spare`, and of them the new ones."""
    if bias:
        for r in range(i * ROWS, min((i + 1) * ROWS, m)):
            for v in range(first, last):
                _move16(bias + v * _LINE, out + r * out_row + v * _LINE)
        adds = 1
    if (i + 1) * ROWS <= m:
        row = out + i * ROWS * out_row
        _row_of_tiles(a + i * ROWS * a_row, a_row, a_k, copy, pitch, row, out_row, runs, 1, adds, first, last)
    else:
        line = (last - first) * _LINE
        shifted = spare - first * _LINE
        _row_of_tiles(a + (m - ROWS) * a_row, a_row, a_k, copy, pitch, shifted, line, runs, 1, 0, first, last)
        for r in range(i * ROWS, m):
            for v in range(first, last):
                source, target = shifted + (r - m + ROWS) * line + v * _LINE, out + r * out_row + v * _LINE
                if adds:
                    _add16(source, target)
                else:
                    _move16(source, target)


@numba.njit
def _part(a, a_row, a_k, b, b_k, b_n, out, out_row, m, n, k, adds, bias, depth, memory):
    """One thread's part, of at least 16 rows and a multiple of 16 columns."""
    vectors, blocks = n // LANES, (m + ROWS - 1) // ROWS
    runs, memory = memory, memory + _LINE  # one run at a time
    _put(runs, 0)
    _put(runs + 8, 0)
    pitch = _LINE * (depth | 1)  # odd, or all vectors of one k would compete for the same place in the cache
    spare = memory + vectors * pitch
    lines = spare + ROWS * n * _ITEM
    for k0 in range(0, k, depth):
        length, add, row = min(depth, k - k0), 1 if adds or k0 > 0 else 0, bias if k0 == 0 else 0
        a0, b0 = a + k0 * a_k, b + k0 * b_k
        _put(runs + 16, length)
        _copy_columns(b0, b_k, b_n, memory, pitch, vectors, length)
        if a_k == _ITEM and m <= n:  # the smaller operand is the one that is read again and again
            for v in range(0, vectors, VECTORS):
                for i in range(blocks):
                    end = min(v + VECTORS, vectors)
                    _block(i, m, a0, a_row, a_k, memory, pitch, out, out_row, runs, add, v, end, spare, row)
        else:
            for pair in range((blocks + 1) // 2):
                rows, down, step = a0, a_row, a_k
                if a_k != _ITEM:  # the lines of `a` in memory are its columns: copy two blocks, 16 rows
                    start = min(pair * LANES, m - LANES)
                    for q in range(length):
                        source = a0 + start * a_row + q * a_k
                        _move16(source, lines + q * _LINE)
                        _fetch_line(source + _LINE)  # for the next pair
                    rows, down, step = lines - start * _ITEM, _ITEM, _LINE
                for i in range(2 * pair, min(2 * pair + 2, blocks)):
                    _block(i, m, rows, down, step, memory, pitch, out, out_row, runs, add, 0, vectors, spare, row)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def _product(a, a_row, a_k, b, b_k, b_n, out, out_row, m, n, k, adds, bias, axis, parts, depth, room, memory):
    """The rows (axis 0) or columns (1) of the result, or the k (2), shared out among the threads.

    With axis 2, out has room for one result a part.
    """
    for t in numba.prange(parts):
        own = memory + t * room
        if axis == 0:
            first, last = t * (m // LANES) // parts * LANES, (t + 1) * (m // LANES) // parts * LANES
            rows = (m if t == parts - 1 else last) - first
            row = out + first * out_row
            _part(a + first * a_row, a_row, a_k, b, b_k, b_n, row, out_row, rows, n, k, adds, bias, depth, own)
        elif axis == 1:
            first, last = t * (n // LANES) // parts * LANES, (t + 1) * (n // LANES) // parts * LANES
            b0, column, row = b + first * b_n, out + first * _ITEM, bias + first * _ITEM if bias else 0
            _part(a, a_row, a_k, b0, b_k, b_n, column, out_row, m, last - first, k, adds, row, depth, own)
        else:
            first, last = t * k // parts, (t + 1) * k // parts
            result, b0 = out + t * m * out_row, b + first * b_k
            _part(a + first * a_k, a_row, a_k, b0, b_k, b_n, result, out_row, m, n, last - first, 0, 0, depth, own)


def product(out: Array, a: Array, b: Array, adds: bool, bias: Array | None = None) -> None:
    """out = a @ b, out += a @ b, or out = a @ b + bias for float32 matrices: out in rows, a and b in rows or columns in
    memory; bias a contiguous row."""
    (m, k), n = a.shape, b.shape[1]
    if m < LANES or n % LANES:
        _product_of_odd_size(out, a, b, adds)
        if bias is not None:
            out += bias
        return
    axis = 2 if k > _DEEP * max(m, n) and bias is None else 0 if m > n else 1
    parts = min(_THREADS, (m // LANES, n // LANES, k)[axis])
    depth = min(k, _DEPTH, max(_STRIP * (parts if axis == 1 else 1) // n, 128))
    width = -(-(n // LANES) // parts) * LANES if axis == 1 else n  # of one part
    room = ((depth | 1) * width + ROWS * width + LANES * depth) * _ITEM + _LINE
    memory = _on_lines(parts * room // _ITEM)
    row_of_bias = None if bias is None else np.ascontiguousarray(bias, a.dtype)
    target = np.empty((parts, m, n), a.dtype) if axis == 2 else out
    _product(
        _address(a), *a.strides, _address(b), *b.strides, _address(target), target.strides[-2],
        m, n, k, adds, 0 if row_of_bias is None else _address(row_of_bias), axis, parts, depth, room, _address(memory),
    )  # fmt: skip
    if axis == 2:
        out[...] = out + target.sum(axis=0) if adds else target.sum(axis=0)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def _copy_all(b, b_k, copy, pitch, vectors, length, parts):
    """b as _copy_columns leaves it, by all threads."""
    for t in numba.prange(parts):
        first, last = t * vectors // parts, (t + 1) * vectors // parts
        _copy_columns(b + first * _LINE, b_k, _ITEM, copy + first * pitch, pitch, last - first, length)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def _sums_of_runs(a, a_row, copy, pitch, out, out_row, places, first_runs, runs, rows, vectors, together):
    """For each place: its rows of the result, from its runs."""
    for p in numba.prange(len(places)):
        table, count = runs + first_runs[p] * 24, first_runs[p + 1] - first_runs[p]
        for start in range(0, rows if count > 0 else 0, together):
            for v in range(0, vectors, VECTORS):
                for i in range(start, min(start + together, rows), ROWS):
                    row = min(i, rows - ROWS)  # the last eight, some of them again
                    _row_of_tiles(
                        a + row * a_row, a_row, _ITEM, copy, pitch, out + places[p] + row * out_row, out_row,
                        table, count, 0, v, min(v + VECTORS, vectors),
                    )  # fmt: skip


def sums_of_runs(
    out: Array, a: Array, b: Array, places: Array, first_runs: Array, runs: Array, strides: tuple[int, int]
) -> None:
    """For each place p and row r: out[p + r·out_row :][:n] = Σ a[r·a_row + from :][:k] @ b[from :][:k] over its runs.

    b: (rows, n) with n a multiple of 16.  places: where in out, in bytes.  first_runs: the runs of place p are those
    from first_runs[p] on.  runs: (from in a, in bytes; from in b, in rows; k).  strides: a_row and out_row, in bytes.
    """
    (length, n), rows = b.shape, a.shape[1]
    vectors, pitch = n // LANES, _LINE * (length | 1)
    copy = _on_lines((length | 1) * n)
    _copy_all(_address(b), b.strides[0], _address(copy), pitch, vectors, length, min(_THREADS, vectors))
    table = runs * np.array([1, _LINE, 1])
    ends = np.concatenate([[0], runs[:, 2].cumsum()])[first_runs]
    longest, shortest = np.diff(ends).max(), np.diff(ends).min()
    if shortest == 0:
        out[...] = 0
    together = max(_RUNS // max(int(longest), 1) // ROWS * ROWS, ROWS)
    _sums_of_runs(
        _address(a), strides[0], _address(copy), pitch, _address(out), strides[1],
        places, first_runs, _address(table), rows, vectors, together,
    )  # fmt: skip


def _product_of_odd_size(out: Array, a: Array, b: Array, adds: bool) -> None:
    """The same for too few rows, or for columns that fill no vector, on copies filled up with zeros."""
    (m, k), n = a.shape, b.shape[1]
    whole = n - n % LANES if m >= LANES else 0
    if whole:
        product(out[:, :whole], a, b[:, :whole], adds)
    rows, rest = max(m, LANES), n - whole
    a_filled, b_filled = np.zeros((rows, k), a.dtype), np.zeros((k, -(-rest // LANES) * LANES), b.dtype)
    a_filled[:m], b_filled[:, :rest] = a, b[:, whole:]
    result = np.empty((rows, b_filled.shape[1]), a.dtype)
    product(result, a_filled, b_filled, False)
    part = out[:, whole:]
    part[...] = part + result[:m, :rest] if adds else result[:m, :rest]


def _on_lines(floats: int) -> Array:
    """Memory that begins with a line of the cache, or every vector in it would lie in two."""
    memory = np.empty(floats + LANES, np.float32)
    return memory[-_address(memory) % _LINE // _ITEM :]


def _address(x: Array) -> int:
    return x.__array_interface__["data"][0]
