"""Fused groups for NumPy: one call an instruction, on one block of the arrays after the other.

What lies between the instructions of a group is as large as a block, and stays in the cache. A sum is taken of each
block, and of the blocks' sums at the end. Several threads take some of the blocks each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..backend import Array
from ..kernels import sums
from ..kernels.blas import prepared_product
from .lowering import Call, Numbers
from .plan import Plan
from .program import Instruction, Value
from .shares import cut
from .space import Space
from .threads import run_together

_BLOCK = 1 << 16  # elements: the operands of a block stay in the cache
_SHARED_BLOCK = 1 << 17  # where threads take turns in Python: longer calls, fewer turns
_WORK = 1 << 18  # elements, times the instructions on them, that are worth waking another thread

Scratch: TypeAlias = "dict[int, list[Array]]"  # memory that one block after the other uses, by its size


class Products:
    """The products whose sum an update reads as its gradient, some rows at a time."""

    def __init__(self, gradient: Value, factors: Sequence[tuple[Array, Array]]):
        self.gradient, self.factors = gradient, factors
        self.columns = factors[0][1].shape[1]

    def calls(self, begin: int, end: int, out: Array) -> list[Call]:
        """Makes the elements from begin to end, which are whole rows."""
        rows, block = slice(begin // self.columns, end // self.columns), out.reshape(-1, self.columns)
        (a, b), *more = self.factors
        added = [prepared_product(block, a[rows], b, True) for a, b in more]
        return [functools.partial(np.matmul, a[rows], b, out=block), *added]


class Blocks:
    """A fused group, cut along the outermost dimension of its arrays.

    scratch: of each thread, for all groups of a program.  products: what the group reads as a gradient.
    """

    def __init__(
        self,
        plan: Plan,
        numbers: Numbers,
        scratch: Sequence[Scratch],
        fused: Instruction,
        products: Products | None = None,
    ):
        self.numbers, self.scratch, self.fused, self.products = numbers, scratch, fused, products
        axes = {m.result: m.options["axes"] for m in fused.body if m.op == "sum"}
        made = [v for v in fused.results if v not in axes]
        read = [v for v in fused.values if v.op != "call" and (products is None or v is not products.gradient)]
        values = [*dict.fromkeys([*made, *read])]
        space = Space(fused.options["shape"], [plan[v] for v in values], merges=not axes)
        self.shape, self.arrays = space.lengths, dict(zip(values, space.arrays, strict=True))
        self.over = {v: space.reduced(a) for v, a in axes.items()}
        self.totals: dict[Value, Any] = {v: space.summed(a, plan[v]) for v, a in axes.items()}
        self.parts: dict[Value, list[Array]] = {v: [] for v in axes}

    def calls(self) -> list[Call]:
        """The calls, in order."""
        parts = [
            [call for ends in share for call in Block(self, *ends, scratch).calls()]
            for share, scratch in zip(self._shares(), self.scratch, strict=False)
        ]
        calls: list[Call] = parts[0] if len(parts) == 1 else [functools.partial(run_together, parts)]
        return calls + [functools.partial(_add_up, self.totals[v], parts) for v, parts in self.parts.items() if parts]

    def _shares(self) -> list[list[tuple[int, int]]]:
        """The blocks of each thread, as (begin, end)."""
        length, width = self.shape[0], math.prod(self.shape[1:])
        row = self.products.columns if self.products is not None else 1  # rows of products stay whole
        pays = self.products is not None or length * width * len(self.fused.body) >= _WORK
        threads = len(self.scratch) if pays else 1
        size = _BLOCK if threads == 1 else _SHARED_BLOCK
        block = max(size // max(width * row, 1), 1)
        shares = []
        for begin, end in cut(length // row, threads):
            parts = -(-(end - begin) // block) if (end - begin) * row * width >= 2 * _BLOCK else 1
            shares.append([((begin + i) * row, (begin + j) * row) for i, j in cut(end - begin, parts)])
        return shares


class Block:
    """A part of a group: each value there is a part of a planned array, or lies in scratch memory."""

    def __init__(self, blocks: Blocks, begin: int, end: int, scratch: Scratch):
        self.blocks, self.begin, self.end, self.scratch = blocks, begin, end, scratch
        self.shape = (end - begin, *blocks.shape[1:])
        self.arrays = {v: x[begin:end] if len(x) > 1 else x for v, x in blocks.arrays.items()}
        body = blocks.fused.body
        self._left = {v: sum(v in m.operands for m in body) for m in body for v in m.values}
        self._scratch: set[Value] = set()
        self._free: list[Array] = []
        self._borrowed: dict[int, int] = {}  # how many pieces of scratch memory of each size

    def calls(self) -> list[Call]:
        """The calls of this block."""
        first: list[Call] = []
        if (products := self.blocks.products) is not None:
            out = self.arrays[products.gradient] = self._borrow(products.gradient.dtype)
            first += products.calls(self.begin, self.end, out)
        return first + [call for member in self.blocks.fused.body for call in self._calls(member)]

    def _calls(self, member: Instruction) -> list[Call]:
        op, y = member.op, member.result
        operands = [self._operand(x, member) for x in member.operands]
        for v in set(member.values):
            self._left[v] -= 1
        if op == "sum":
            return [functools.partial(sums.total_into, operands[0], self.blocks.over[y], self._part_of_sum(y))]
        self._free += [self.arrays[v] for v in set(member.values) & self._scratch if not self._left[v]]
        out = self.arrays[y] if y in self.arrays else self._new(y)
        if op in ("copy", "astype"):
            return [functools.partial(np.copyto, out, operands[0], casting="unsafe")]
        if op == "where":
            return _choices(out, *operands)
        return [functools.partial(getattr(np, op), *operands, out=out)]

    def _operand(self, x: Any, member: Instruction) -> Any:
        if not isinstance(x, Value):
            return x
        if x.op == "full" and x not in self.arrays:
            return np.asarray(x.maker.options["value"], x.dtype)
        return self.blocks.numbers.array(x, _float_of(member)) if x.op == "call" else self.arrays[x]

    def _part_of_sum(self, value: Value) -> Array:
        """Where this block's part of a sum goes."""
        over, total = self.blocks.over[value], self.blocks.totals[value]
        if 0 not in over:
            return total[self.begin : self.end]
        self.blocks.parts[value].append(np.empty(total.shape, value.dtype))
        return self.blocks.parts[value][-1]

    def _new(self, value: Value) -> Array:
        """Memory for a value that only this block needs: that of an operand which it needs no more, or scratch."""
        found = next((a for a in self._free if a.dtype == value.dtype and a.shape == self.shape), None)
        if found is None:
            found = self._borrow(value.dtype)
        self._free = [a for a in self._free if a is not found]
        self._scratch.add(value)
        self.arrays[value] = found
        return found

    def _borrow(self, dtype: Any) -> Array:
        """Scratch memory, for the time of this block."""
        needed = math.prod(self.shape) * np.dtype(dtype).itemsize
        size = max(1 << (needed - 1).bit_length(), 4 * _BLOCK)  # few sizes, as each has a pool
        pool, count = self.scratch.setdefault(size, []), self._borrowed.get(size, 0)
        if count == len(pool):
            pool.append(np.empty(size, np.uint8))
        self._borrowed[size] = count + 1
        return pool[count][:needed].view(dtype).reshape(self.shape)


def _float_of(member: Instruction) -> Any:
    """The dtype in which a scalar enters: that of the arrays beside it."""
    others = [v.dtype for v in member.values if v.op != "call"]
    return np.result_type(*others, 1.0) if others else np.dtype(float)


def _choices(out: Array, condition: Any, a: Any, b: Any) -> list[Call]:
    """The calls for where(condition, a, b)."""
    bits = f"i{out.itemsize}"
    if _is_zero(b) and _may_multiply(out, condition, a):  # the bits as whole numbers: see reference.select
        return [functools.partial(np.multiply, a.view(bits), condition, out=out.view(bits))]
    if np.may_share_memory(out, a) or np.may_share_memory(out, condition):
        return [functools.partial(_choose, out, condition, a, b)]
    return [functools.partial(np.copyto, out, b), functools.partial(np.copyto, out, a, where=condition)]


def _is_zero(b: Any) -> bool:
    return np.ndim(b) == 0 and not isinstance(b, np.ndarray) and b == 0


def _may_multiply(out: Array, condition: Any, a: Any) -> bool:
    arrays = isinstance(a, np.ndarray) and isinstance(condition, np.ndarray) and condition.dtype == bool
    return arrays and a.ndim > 0 and a.dtype == out.dtype and out.dtype.char in "fd" and out is not condition


def _choose(out: Array, condition: Array, a: Any, b: Any) -> None:
    out[...] = np.where(condition, a, b)


def _add_up(total: Array, parts: Sequence[Array]) -> None:
    whole = parts[0] if len(parts) == 1 else sums.total(np.stack(parts), 0)
    np.copyto(total, whole, casting="unsafe")
