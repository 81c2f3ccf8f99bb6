"""Where each value lies: the memory of a program, planned once.

Values that are not needed at the same time share memory; a view lies where its source lies; the new value of a state is
written over the old one, if nobody reads the old one any more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module, device_module, to_device
from .definitions import VIEW_OPS
from .memory import address, outer_first
from .program import GROUPS, VIEWS, Program, Value

_LINE = 64  # bytes of a line of the cache


class Plan:
    """The arrays of a program.

    arrays: the array of each value, in memory that is the program's own, or its states'.  copies: what is copied at the
    end, (from, to), into states whose new value could not be written in place.  room: bytes of memory of its own.
    """

    def __init__(self, program: Program, device: str = "cpu"):
        self.program = program
        self.arrays: dict[Value, Any] = {
            value: to_device(array, device) if value.op == "constant" else array
            for value, array in program.arrays.items()
        }
        self.copies: list[tuple[Value, Value]] = []
        self._last = _last_reads(program)
        self._in_state = self._updated_in_place()
        places = self._places()
        self.room = max((at + _size(v) for v, at in places.items()), default=0)
        memory = device_module(device).empty(self.room + _LINE, np.uint8)
        begin = -address(memory) % _LINE
        for value, at in places.items():
            self.arrays[value] = _laid_out(memory[begin + at :], value)
        self._add_views()

    def __getitem__(self, value: Value) -> Any:
        return self.arrays[value]

    def finish(self) -> list[Any]:
        """The end of a step: the outputs, as arrays of their own, and then the copies. What is read may be a state."""
        outputs = [self[value].copy() for value in self.program.outputs]
        new = [self[value].copy() if value.root.op == "state" else self[value] for value, _ in self.copies]
        for (_, state), array in zip(self.copies, new, strict=True):
            self[state][...] = array
        return outputs

    def _updated_in_place(self) -> dict[Value, Value]:
        """The values that are written into the memory of a state; the others are noted as copies."""
        found: dict[Value, Value] = {}
        there = {state: state for state in self.program.updates}  # whose elements are in its memory
        for i, instruction in enumerate(self.program.instructions):
            for value in instruction.results if instruction.op in GROUPS else ():
                state = value.state
                old = None if state is None else there.get(state)
                if state is not None and old is not None and self._last.get(old, -1) <= i and _fits(value, old):
                    found[value], there[state] = state, value
        self.copies = [(value, state) for state, value in self.program.updates.items() if there[state] is not value]
        return found

    def _places(self) -> dict[Value, int]:
        """An offset for each value with memory of the program's own."""
        places: dict[Value, int] = {}
        free, busy = _Free(), list[Value]()
        for i, instruction in enumerate(self.program.instructions):
            for value in instruction.results:
                if value in self._in_state:
                    self.arrays[value] = self.program.arrays[self._in_state[value]]
                elif value.op not in VIEWS and value not in self.arrays:
                    places[value] = free.take(_size(value))
                    busy.append(value)
            for value in [v for v in busy if self._last.get(v, i) <= i]:
                busy.remove(value)
                free.give(places[value], _size(value))
        return places

    def _add_views(self) -> None:
        for instruction in self.program.instructions:
            if instruction.op in VIEWS:
                source = self.arrays[instruction.operands[0]]
                view = VIEW_OPS[instruction.op](source, **instruction.options)
                assert array_module(view).may_share_memory(view, source) or not view.size, instruction
                self.arrays[instruction.result] = view


class _Free:
    """Free pieces of memory, from 0 on without end: the smallest that is large enough is given."""

    def __init__(self) -> None:
        self._pieces: dict[int, int] = {}
        self._end = 0

    def take(self, size: int) -> int:
        fitting = [(n, at) for at, n in self._pieces.items() if n >= size]
        if fitting:
            n, at = min(fitting)
            del self._pieces[at]
            if n > size:
                self._pieces[at + size] = n - size
            return at
        last = [(at, n) for at, n in self._pieces.items() if at + n == self._end]
        at = last[0][0] if last else self._end  # the last piece is made longer
        if last:
            del self._pieces[at]
        self._end = at + size
        return at

    def give(self, at: int, size: int) -> None:
        for other, n in list(self._pieces.items()):
            if other + n == at:
                del self._pieces[other]
                at, size = other, n + size
            elif other == at + size:
                del self._pieces[other]
                size += n
        self._pieces[at] = size


def _last_reads(program: Program) -> dict[Value, int]:
    """The place of the last instruction that reads the memory of each value; the end for what the step leaves."""
    last: dict[Value, int] = {}
    for i, instruction in enumerate(program.instructions):
        if instruction.op not in VIEWS:
            last.update(dict.fromkeys((v.root for v in instruction.values), i))
    end = len(program.instructions)
    last.update(dict.fromkeys((v.root for v in (*program.outputs, *program.updates.values())), end))
    return last


def _fits(value: Value, old: Value) -> bool:
    """Whether a loop that makes a value may write it over an old one: it reads that element by element, if at all, and
    not after it has made the value."""
    maker = value.maker
    loop = maker.options["loop"] if maker.op == "update" else maker
    if maker.op == "update" and any(v.root is old for term in maker.options["terms"] for v in term.product.values):
        return False
    alike = value.shape == loop.options["shape"] and value.like.strides == old.like.strides
    made = next(n for n, member in enumerate(loop.body) if value in member.results)
    read_later = any(old in member.values for member in loop.body[made + 1 :])
    return alike and not read_later and all(v is old or v.root is not old for v in loop.values)


def _size(value: Value) -> int:
    return -(-value.like.nbytes // _LINE) * _LINE or _LINE


def _laid_out(memory: Array, value: Value) -> Array:
    """An array in this memory with the layout that the value has."""
    like = value.like
    order = outer_first(like)
    lengths = [like.shape[a] for a in order]
    flat = memory[: like.nbytes].view(like.dtype)
    return flat.reshape(lengths).transpose(np.argsort(order).tolist()) if like.ndim else flat.reshape(())
