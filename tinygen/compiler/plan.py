"""Where each value lies: the memory of a program, planned once.

Values that are not needed at the same time share memory; a view lies where its source lies; the new value of a state is
written over the old one, if nobody reads the old one any more.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import Array, array_module, device_module, to_device
from .definitions import VIEW_OPS
from .memory import LINE, address, outer_first
from .program import GROUPS, VIEWS, Instruction, Program, Value


class Plan:
    """The arrays of a program.

    arrays: the array of each value, in memory that is the program's own, or its states'.  copies: what is copied at the
    end, (from, to), into states whose new value could not be written in place.  room: bytes of memory of its own.
    scratch: of the instructions that need some, the bytes; then the memory.
    """

    def __init__(self, program: Program, device: str = "cpu", scratch: Mapping[Instruction, int] | None = None):
        self.program = program
        self._needs = scratch or {}
        self.arrays: dict[Value, Any] = {
            value: to_device(array, device) if value.op == "constant" else array
            for value, array in program.arrays.items()
        }
        self.copies: list[tuple[Value, Value]] = []
        self._last = _last_reads(program)
        self._in_state = self._updated_in_place()
        self._together = self._returned_together(device)
        rooms = self._placed(self._rooms())
        self.room = max((room.at + room.size for room in rooms), default=0)
        memory = device_module(device).empty(self.room + LINE, np.uint8)
        begin = -address(memory) % LINE
        self.scratch: dict[Instruction, Any] = {}
        for room in rooms:
            part = memory[begin + room.at : begin + room.at + room.size]
            self.arrays |= {value: _laid_out(part, value) for value in room.values}
            if room.scratch_of is not None:
                self.scratch[room.scratch_of] = part
        self._add_views()

    def __getitem__(self, value: Value) -> Any:
        return self.arrays[value]

    def finish(self) -> list[Any]:
        """The end of a step: the outputs, as arrays of their own, and then the copies. What is read may be a state."""
        outputs = self._outputs()
        new = [self[value].copy() if self._lies_in_state(value) else self[value] for value, _ in self.copies]
        for (_, state), array in zip(self.copies, new, strict=True):
            self[state][...] = array
        return outputs

    def _outputs(self) -> list[Any]:
        copied: Any = self._together.copy() if self._places else None
        return [
            _laid_out(copied[self._places[v] :], v) if v in self._places else self[v].copy()
            for v in self.program.outputs
        ]

    def _returned_together(self, device: str) -> Any:
        """Memory for what is returned. On a GPU it lies together, so that one copy takes all of it."""
        self._places: dict[Value, int] = {}
        size = 0
        for value in self.program.outputs if device == "cuda" else ():
            if value.op not in VIEWS and not self._lies_in_state(value) and value not in (*self.arrays, *self._places):
                self._places[value], size = size, size + _size(value)
        memory = device_module(device).empty(size, np.uint8)
        self.arrays |= {value: _laid_out(memory[at:], value) for value, at in self._places.items()}
        return memory

    def _lies_in_state(self, value: Value) -> bool:
        """Whether a value lies in the memory of a state, which a copy to that state would overwrite."""
        return value.root.op == "state" or value.root in self._in_state

    def _updated_in_place(self) -> dict[Value, Value]:
        """The values that are written into the memory of a state; the others are noted as copies."""
        found: dict[Value, Value] = {}
        there = {state: state for state in self.program.updates}  # whose elements are in its memory
        for i, instruction in enumerate(self.program.instructions):
            for value in instruction.results if instruction.op in GROUPS else ():
                state = value.state
                old = None if state is None else there.get(state)
                if (
                    state is not None
                    and old is not None
                    and self._last.get(old, -1) <= i
                    and _fits(value, old, instruction)
                ):
                    found[value], there[state] = state, value
        self.copies = [(value, state) for state, value in self.program.updates.items() if there[state] is not value]
        return found

    def _placed(self, rooms: list[_Room]) -> list[_Room]:
        """The same with their offsets: the largest first, each as low as it can lie."""
        placed: list[_Room] = []
        for room in sorted(rooms, key=lambda room: -room.size):
            for other in placed:  # in the order of their places
                if other.first <= room.last and room.first <= other.last:
                    if room.at + room.size <= other.at:
                        break
                    room.at = max(room.at, other.at + other.size)
            bisect.insort(placed, room, key=lambda room: room.at)
        return placed

    def _rooms(self) -> list[_Room]:
        """The memory that is needed, and when. What a loop makes may lie where the loop reads its last operand."""
        for value, state in self._in_state.items():
            self.arrays[value] = self.program.arrays[state]
        rooms: dict[Value, _Room] = {}
        scratch = []
        for i, instruction in enumerate(self.program.instructions):
            dying = [v for v in instruction.values if v in rooms and self._last.get(v) == i]
            for value in instruction.results if instruction.op not in VIEWS else ():
                if value in self.arrays:
                    continue
                old = next((v for v in dying if instruction.op in GROUPS and _fits(value, v, instruction)), None)
                room = rooms[value] = _Room(_size(value), i) if old is None else rooms[old]
                room.values.append(value)
                room.last = max(self._last.get(value, i), i)
                dying = [v for v in dying if v is not old]
            if need := self._needs.get(instruction):
                scratch.append(_Room(-(-need // LINE) * LINE, i, i, scratch_of=instruction))
        return [*dict.fromkeys(rooms.values()), *scratch]

    def _add_views(self) -> None:
        for instruction in self.program.instructions:
            if instruction.op in VIEWS:
                source = self.arrays[instruction.operands[0]]
                view = VIEW_OPS[instruction.op](source, **instruction.options)
                assert array_module(view).may_share_memory(view, source) or not view.size, instruction
                self.arrays[instruction.result] = view


@dataclass(eq=False)
class _Room:
    """A piece of memory: its size, at which instructions it is in use, for what, and its offset."""

    size: int
    first: int
    last: int = 0
    values: list[Value] = field(default_factory=list)
    at: int = 0
    scratch_of: Instruction | None = None


def _last_reads(program: Program) -> dict[Value, int]:
    """The place of the last instruction that reads the memory of each value; the end for what the step leaves."""
    last: dict[Value, int] = {}
    for i, instruction in enumerate(program.instructions):
        if instruction.op not in VIEWS:
            last.update(dict.fromkeys((v.root for v in instruction.values), i))
    end = len(program.instructions)
    last.update(dict.fromkeys((v.root for v in (*program.outputs, *program.updates.values())), end))
    return last


def _fits(value: Value, old: Value, maker: Instruction) -> bool:
    """Whether a loop that makes a value may write it over an old one: it reads that element by element, if at all, and
    not after it has made the value. A back end may take sums at the end, and run loops beside each other in any order.
    """
    if maker.op == "update" and any(v.root is old for term in maker.options["terms"] for v in term.product.values):
        return False
    loops = maker.options["loops"] if maker.op == "beside" else [maker.options.get("loop", maker)]
    loop = next(one for one in loops if value in one.results)
    if any(v.root is old for one in loops if one is not loop for v in one.values):
        return False
    alike = value.shape == old.shape and value.like.strides == old.like.strides and not _is_sum(value, loop)
    made = next(n for n, member in enumerate(loop.body) if value in member.results)
    read_later = any(old in member.values for n, member in enumerate(loop.body) if n > made or member.op == "sum")
    return (
        alike
        and value.dtype == old.dtype
        and not read_later
        and all(v is old or v.root is not old for v in loop.values)
    )


def _is_sum(value: Value, loop: Instruction) -> bool:
    return any(member.op == "sum" and value in member.results for member in loop.body)


def _size(value: Value) -> int:
    return -(-value.like.nbytes // LINE) * LINE or LINE


def _laid_out(memory: Array, value: Value) -> Array:
    """An array in this memory with the layout that the value has."""
    like = value.like
    order = outer_first(like)
    lengths = [like.shape[a] for a in order]
    flat = memory[: like.nbytes].view(like.dtype)
    return flat.reshape(lengths).transpose(np.argsort(order).tolist()) if like.ndim else flat.reshape(())
