"""Fusion: functions of elements that follow each other become one loop, and sums at its end are taken in it.

    %4 = add(%3, G.0.b)
    %5 = multiply(%4, 0.2)               %6, %7 = fused(%3, G.0.b)
    %6 = maximum(%4, %5)           ->        %4 = add(%3, G.0.b) ...
    %7 = sum(%6, axes=(0,))

The arrays between them are never written: their elements stay in registers. A group has one shape and one place in the
program. An instruction moves up to it, if all that it reads is there by then and it leaves no large array, which would
lie there unread for long; or the group moves down to the instruction, if nobody in between reads what the group makes.
"""

from __future__ import annotations

from typing import Any

from ..program import ELEMENTWISE, Instruction, Program, Value
from .dead import drop_unused
from .order import views_where_read

_LIGHT = 1 << 14  # bytes
_LOOPS = ELEMENTWISE | {"copy", "astype", "sum"}


class Group:
    """Instructions that run together, at one place; one alone is a group, too."""

    def __init__(self, instruction: Instruction, place: int):
        summing, axes = instruction.op == "sum", instruction.options.get("axes")
        self.shape = instruction.operands[0].shape if summing else instruction.results[0].shape
        self.place = place
        self.body = [instruction]
        self.sums = set(instruction.results) if summing else set[Value]()
        self.summed = {axes} - {tuple(range(len(self.shape)))} if summing else set[Any]()  # axes, unless they are all
        self.loops = instruction.op in _LOOPS

    def take_in(self, other: Group, order: dict[Instruction, int]) -> None:
        """Let the members of another group run here as well."""
        self.body = sorted([*self.body, *other.body], key=order.__getitem__)
        self.sums |= other.sums
        self.summed |= other.summed


class Fusion:
    """A program on its way to groups."""

    def __init__(self, program: Program):
        self.program = program
        self.readers = program.readers()
        self.outside = {v.root for v in (*program.outputs, *program.updates.values())}
        self.order = {instruction: place for place, instruction in enumerate(program.instructions)}
        self.group_of: dict[Instruction, Group] = {}

    def groups(self) -> list[Group]:
        """The groups, in the order of their places."""
        for place, instruction in enumerate(self.program.instructions):
            group = self.group_of[instruction] = Group(instruction, place)
            if group.loops:
                while self._joins_a_source(self.group_of[instruction]):
                    pass
        return sorted(set(self.group_of.values()), key=lambda group: group.place)

    def _joins_a_source(self, group: Group) -> bool:
        """Whether a group that this one reads could be joined with it."""
        sources = dict.fromkeys(self.group_of[v.maker] for i in group.body for v in i.values)
        return any(self._joined(source, group) for source in sources)

    def _joined(self, source: Group, group: Group) -> bool:
        """Make one group of two, of which the second reads the first, if that is right somewhere."""
        if source is group or not source.loops or source.shape != group.shape or self._reads_whole(group, source):
            return False
        if len(source.summed | group.summed) > 1:  # along rows or along columns
            return False
        if self._is_ready(group, source) and self._is_light(group):
            place = source.place
        elif source.place < group.place and self._is_free(source, group):
            place = group.place
        else:
            return False
        source.take_in(group, self.order)
        source.place = place
        self.group_of.update(dict.fromkeys(group.body, source))
        return True

    def _is_light(self, group: Group) -> bool:
        """Whether little is left of a group, so that it may run long before it is needed: sums, or small arrays."""
        members = {*group.body}
        kept = (
            v
            for i in group.body
            for v in i.results
            if v in self.outside or not members.issuperset(self.readers.get(v, ()))
        )
        return all(v in group.sums or v.like.nbytes <= _LIGHT for v in kept)

    def _reads_whole(self, group: Group, source: Group) -> bool:
        """Whether a group reads a sum of the source, or a view of what it makes: elements at other places."""
        roots = {(v, v.root) for i in group.body for v in i.values}
        return any(root in source.sums or (v is not root and root.maker in source.body) for v, root in roots)

    def _is_ready(self, group: Group, source: Group) -> bool:
        """Whether all that a group reads is made by the source, or before it."""
        makers = {v.root.maker for i in group.body for v in i.values} - {*group.body}
        return all((made := self.group_of[m]) is source or made.place < source.place for m in makers)

    def _is_free(self, source: Group, group: Group) -> bool:
        """Whether the source may move down to the group: nobody in between reads it."""
        readers = (r for i in source.body for v in i.results for r in self.readers.get(v, ()) if r in self.group_of)
        return all((at := self.group_of[r]) in (source, group) or at.place > group.place for r in readers)

    def is_read_outside(self, value: Value, group: Group) -> bool:
        """Whether an instruction that is no member reads a value of the group."""
        return any(self.group_of[r] is not group for r in self.readers.get(value, ()))


def fuse(program: Program) -> Program:
    """The program with one instruction for each group of several."""
    fusion = Fusion(program)
    made = [_as_loop(group, fusion) if group.loops else group.body[0] for group in fusion.groups()]
    return drop_unused(views_where_read(program, made))  # arrays of one number, which loops have as that number


def _is_number(value: Value, reader: Instruction) -> bool:
    """Whether a value has the same element everywhere, so that a loop needs no array of it."""
    return value.op == "full" and reader.op != "sum"


def _as_loop(group: Group, fusion: Fusion) -> Instruction:
    """A group as one instruction, whose results are what others read."""
    made = [v for i in group.body for v in i.results]
    return loop_of(
        group.body, group.shape, [v for v in made if v in fusion.outside or fusion.is_read_outside(v, group)]
    )


def loop_of(body: list[Instruction], shape: tuple[int, ...], results: list[Value]) -> Instruction:
    """Instructions on arrays of one shape as one, which makes these of their results."""
    made = {v for i in body for v in i.results}
    operands = tuple(dict.fromkeys(v for i in body for v in i.values if v not in made and not _is_number(v, i)))
    loop = Instruction("fused", operands, {"body": body, "shape": shape}, results=results, place=body[-1].place)
    for value in results:
        value.maker = loop
    return loop
