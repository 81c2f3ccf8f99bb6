"""Tiles of a product in float32, compiled by Numba for CPUs with AVX-512, and the loops around them, for gemm.py.

A tile of 8 x 48 results stays in 24 of the 32 vector registers; for each k, eight numbers of a column of `a` meet 48 of
a row of `b`,

    tile[r, :] += a[i + r, k] · b[k, j : j + 48],     two vectors a cycle, as many as the CPU can multiply and add.

No Python loop keeps its sums in registers, so the innermost ones are written in LLVM's own language. All that
is compiled is here: Numba compiles a function again only if its own file has changed.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .compiled import in_turn

LANES, ROWS, VECTORS = 16, 8, 3  # floats in a vector; a tile is 8 rows of 3 vectors
ITEM, LINE = 4, 64  # bytes of a float and of a vector
_AHEAD = 8  # from the row in use to the row that is fetched into the cache: 200 GFLOP/s a core; without it 165
_TOGETHER = 8  # rows of b that are copied a vector at a time: 30 GB/s, where whole rows come at 20

SUPPORTED = bool(binding.get_host_cpu_features().get("avx512f")) and binding.llvm_version_info[0] >= 20

# The innermost loops. Addresses and distances are integers, in bytes.

_float, _int, _i32, _byte = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.IntType(8)
_vector = ir.VectorType(_float, LANES)
_zeros, _nothing = ir.Constant(_vector, [0.0] * LANES), ir.Constant(_vector, ir.Undefined)


def _written(count: int, write: Callable[..., None]) -> Any:
    """What Numba needs of an intrinsic of `count` integers: write(builder, *integers) writes its instructions."""

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
        results = [add(out, add(mul(out_row, _int(r)), _int(LINE * j))) for r, j in places]
        for address in results:
            _fetch(builder, address)
        start, names = builder.block, ("run", "loop", "next", "total", "grown", "end")
        run, loop, following, total, grown, end = map(builder.function.append_basic_block, names)
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
            _fetch(builder, add(address, _int(LINE * _AHEAD)))
        column_of_a = [
            _everywhere(builder, _load(builder, add(a_now, mul(a_row, _int(i))), _float)) for i in range(ROWS)
        ]
        products = [(column_of_a[i], row_of_b[j]) for i, j in places]
        new = [_call(builder, "llvm.fma.v16f32", _vector, *p, s) for p, s in zip(products, sums, strict=True)]
        first = [_int(0), a_first, b_first, *sums_so_far]
        after = [add(k, _int(1)), add(a_now, a_k), add(b_now, _int(LINE)), *new]
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
            _fetch(builder, add(address, _int(2 * LINE)))
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
    if b_n == ITEM:
        for start in range(0, length, _TOGETHER):
            for v in range(vectors):
                for k in range(start, min(start + _TOGETHER, length)):
                    _move16(b + k * b_k + v * LINE, copy + v * pitch + k * LINE)
    else:  # b is a transposed matrix
        for v in range(vectors):
            source = b + v * LANES * b_n
            for k in range(0, whole, LANES):
                _transpose(source + k * b_k, b_n, copy + v * pitch + k * LINE, LINE)
            for k in range(whole, length):
                for lane in range(LANES):
                    _move1(source + lane * b_n + k * b_k, copy + v * pitch + k * LINE + lane * ITEM)


@numba.njit
def _row_of_tiles(a, a_row, a_k, copy, pitch, out, out_row, runs, count, adds, first, last):
    """Eight rows of the result, from column 16 · first to 16 · last."""
    v = first
    while last - v > 4 or last - v == VECTORS:
        _tile3(a, a_row, a_k, copy + v * pitch, pitch, out + v * LINE, out_row, runs, count, adds)
        v += 3
    while last - v >= 2:  # 4 as 2 + 2: a tile of one vector is the slowest
        _tile2(a, a_row, a_k, copy + v * pitch, pitch, out + v * LINE, out_row, runs, count, adds)
        v += 2
    if v < last:
        _tile1(a, a_row, a_k, copy + v * pitch, pitch, out + v * LINE, out_row, runs, count, adds)


@numba.njit
def _block(i, m, a, a_row, a_k, copy, pitch, out, out_row, runs, adds, first, last, spare, bias):
    """Rows 8 · i to 8 · i + 7 of the result. If m ends earlier: the last eight, in `spare`; only the new are stored."""
    if bias:
        for r in range(i * ROWS, min((i + 1) * ROWS, m)):
            for v in range(first, last):
                _move16(bias + v * LINE, out + r * out_row + v * LINE)
        adds = 1
    if (i + 1) * ROWS <= m:
        row = out + i * ROWS * out_row
        _row_of_tiles(a + i * ROWS * a_row, a_row, a_k, copy, pitch, row, out_row, runs, 1, adds, first, last)
    else:
        line = (last - first) * LINE
        shifted = spare - first * LINE
        _row_of_tiles(a + (m - ROWS) * a_row, a_row, a_k, copy, pitch, shifted, line, runs, 1, 0, first, last)
        for r in range(i * ROWS, m):
            for v in range(first, last):
                source, target = shifted + (r - m + ROWS) * line + v * LINE, out + r * out_row + v * LINE
                if adds:
                    _add16(source, target)
                else:
                    _move16(source, target)


@numba.njit
def _part(a, a_row, a_k, b, b_k, b_n, out, out_row, m, n, k, adds, bias, depth, memory):
    """One thread's part, of at least 16 rows and a multiple of 16 columns."""
    vectors, blocks = n // LANES, (m + ROWS - 1) // ROWS
    runs, memory = memory, memory + LINE  # one run at a time
    _put(runs, 0)
    _put(runs + 8, 0)
    pitch = LINE * (depth | 1)  # odd, or all vectors of one k would compete for the same place in the cache
    spare = memory + vectors * pitch
    lines = spare + ROWS * n * ITEM
    for k0 in range(0, k, depth):
        length, add, row = min(depth, k - k0), 1 if adds or k0 > 0 else 0, bias if k0 == 0 else 0
        a0, b0 = a + k0 * a_k, b + k0 * b_k
        _put(runs + 16, length)
        _copy_columns(b0, b_k, b_n, memory, pitch, vectors, length)
        if a_k == ITEM and m <= n:  # the smaller operand is the one that is read again and again
            for v in range(0, vectors, VECTORS):
                for i in range(blocks):
                    end = min(v + VECTORS, vectors)
                    _block(i, m, a0, a_row, a_k, memory, pitch, out, out_row, runs, add, v, end, spare, row)
        else:
            for pair in range((blocks + 1) // 2):
                rows, down, step = a0, a_row, a_k
                if a_k != ITEM:  # the lines of `a` in memory are its columns: copy two blocks, 16 rows
                    start = min(pair * LANES, m - LANES)
                    for q in range(length):
                        source = a0 + start * a_row + q * a_k
                        _move16(source, lines + q * LINE)
                        _fetch_line(source + LINE)  # for the next pair
                    rows, down, step = lines - start * ITEM, ITEM, LINE
                for i in range(2 * pair, min(2 * pair + 2, blocks)):
                    _block(i, m, rows, down, step, memory, pitch, out, out_row, runs, add, 0, vectors, spare, row)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def product_of_parts(a, a_row, a_k, b, b_k, b_n, out, out_row, m, n, k, adds, bias, axis, parts, depth, room, memory):
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
            b0, column, row = b + first * b_n, out + first * ITEM, bias + first * ITEM if bias else 0
            _part(a, a_row, a_k, b0, b_k, b_n, column, out_row, m, last - first, k, adds, row, depth, own)
        else:
            first, last = t * k // parts, (t + 1) * k // parts
            result, b0 = out + t * m * out_row, b + first * b_k
            _part(a + first * a_k, a_row, a_k, b0, b_k, b_n, result, out_row, m, n, last - first, 0, 0, depth, own)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def copy_all(b, b_k, copy, pitch, vectors, length, parts):
    """b as _copy_columns leaves it, by all threads."""
    for t in numba.prange(parts):
        first, last = t * vectors // parts, (t + 1) * vectors // parts
        _copy_columns(b + first * LINE, b_k, ITEM, copy + first * pitch, pitch, last - first, length)


@in_turn
@numba.njit(parallel=True, cache=True, nogil=True)
def sums_at_places(a, a_row, copy, pitch, out, out_row, places, first_runs, runs, rows, vectors, together):
    """For each place: its rows of the result, from its runs."""
    for p in numba.prange(len(places)):
        table, count = runs + first_runs[p] * 24, first_runs[p + 1] - first_runs[p]
        for start in range(0, rows if count > 0 else 0, together):
            for v in range(0, vectors, VECTORS):
                for i in range(start, min(start + together, rows), ROWS):
                    row = min(i, rows - ROWS)  # the last eight, some of them again
                    _row_of_tiles(
                        a + row * a_row, a_row, ITEM, copy, pitch, out + places[p] + row * out_row, out_row,
                        table, count, 0, v, min(v + VECTORS, vectors),
                    )  # fmt: skip
