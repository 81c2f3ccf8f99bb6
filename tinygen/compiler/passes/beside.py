"""Loops that need nothing of each other run side by side, as one kernel of a GPU: a launch less for each.

    b' = fused(b, %8): ...                             %9 = matmul(%5, %6)
    %9 = matmul(%5, %6)                          ->    b', c' = beside(b, %8, c, %9):
    c' = fused(c, %9): ...                                 b' = fused(b, %8): ...
                                                           c' = fused(c, %9): ...

All runs as soon as it can: what is no loop first, such as products, then all loops that wait for nothing else. A loop
joins another that it waits for, if that makes each element that it reads in the same thread, or is a sum down a column
that one block takes:

    %15 = fused(%11): sum(%11, axes=(0,))        ->    %18 = fused(%11): sum(%11, axes=(0,)), subtract(%11, %15)
    %18 = fused(%11, %15): subtract(%11, %15)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..columns import FEW, Columns, summed_axes
from ..program import VIEWS, Instruction, Program, Value
from .again import needed_for
from .fuse import loop_of
from .order import views_where_read

_MANY = 400  # arrays of a kernel: of its arguments, CUDA takes 4 KB
_ELSEWHERE = frozenset({"concatenate", "put"})  # ops that read elements at other places


def side_by_side(program: Program, has_kernel: Callable[[Instruction], bool] = lambda loop: True) -> Program:
    """The program with as few launches as may be; has_kernel says which loops can be parts of a kernel."""
    order = _without_unread(program, _in_order(program, has_kernel))
    return views_where_read(program, (i for together in order for i in _launches(together)))


def _in_order(program: Program, has_kernel: Callable[[Instruction], bool]) -> list[list[Part | Instruction]]:
    """What runs, one after the other: an instruction, or parts that run at the same time."""
    waiting = [i for i in program.instructions if i.op not in VIEWS]
    needs, loops = _needs(waiting), {i for i in waiting if i.op == "fused" and has_kernel(i)}
    made = list[list[Part | Instruction]]()
    while waiting:
        left = {*waiting}
        ready = [i for i in waiting if not needs[i] & left]
        alone = [i for i in ready if i not in loops]
        parts = [] if alone else _parts(ready, [i for i in waiting if i in loops], needs, left)
        made += [[i] for i in alone] or [[*parts]]
        left -= {*alone, *(loop for part in parts for loop in part.loops)}
        waiting = [i for i in waiting if i in left]
    return made


def _needs(instructions: list[Instruction]) -> dict[Instruction, set[Instruction]]:
    """The instructions that come before each: they make what it reads, or touch what it writes over."""
    maker: dict[Value, Instruction] = {}
    touched: dict[Value, set[Instruction]] = {}  # by state: what has read or written it so far
    needs = {}
    for instruction in instructions:
        roots = {v.root for v in instruction.values}
        found = {maker[v] for v in roots if v in maker}
        found.update(i for v in instruction.results if v.state for i in touched.get(v.state, ()))
        needs[instruction] = found
        for v in (*roots, *instruction.results):
            touched.setdefault(v.state or v, set()).add(instruction)
        maker.update(dict.fromkeys(instruction.results, instruction))
    return needs


class Part:
    """Loops of one space that run as one: a thread makes all that they need of each other itself."""

    def __init__(self, loops: list[Instruction]):
        self.loops, self.shape = loops, loops[0].options["shape"]
        self.summed = next(filter(None, map(summed_axes, loops)), ())
        self.columns = Columns(self.shape, self.summed)
        self.body: dict[Instruction, None] = {}
        self.made: dict[Value, Instruction] = {}
        for member in (member for loop in loops for member in loop.body):
            for v in member.values:
                self.body |= dict.fromkeys(self._views_of_column(v) or ())
            self.body[member] = None
            self.made |= dict.fromkeys(member.results, member)

    def _views_of_column(self, v: Value) -> list[Instruction] | None:
        """The views by which a value is what there is one of a column; None if it is nothing of that kind."""
        views, has_each = list[Instruction](), self.columns.has_each_column
        source = v
        while source.op == "reshape":
            views.append(source.maker)
            source = source.maker.operands[0]
        member = self.made.get(source)
        found = member is not None and (member.op == "sum" or has_each(source.shape)) and has_each(v.shape)
        return views[::-1] if found else None

    def loop(self, results: list[Value]) -> Instruction:
        """The loop that makes some results."""
        return loop_of(needed_for(results, [*self.body]), self.shape, results)

    @property
    def results(self) -> list[Value]:
        return [v for loop in self.loops for v in loop.results]

    def united(self, other: Part) -> Part | None:
        """Both as one, if they read the same, or take no sums. None if they are faster in blocks of their own."""
        if self.shape != other.shape or {self.summed, other.summed} - {(), self.summed or other.summed}:
            return None
        read, also = ({v for m in one.body for v in m.values if v.shape == self.shape} for one in (self, other))
        return Part([*self.loops, *other.loops]) if read & also or not (self.summed or other.summed) else None

    def joined(self, loop: Instruction) -> Part | None:
        """This part with a loop that waits for nothing else; None if its threads would need what other threads make."""
        shape, summed = loop.options["shape"], summed_axes(loop)
        if shape == self.shape:
            fits = {self.summed, summed} <= {(), self.summed or summed}
        else:
            fits = not summed and self.columns.has_each_column(shape)
        values = [v for m in loop.body for v in m.values]
        fits = fits and all(self._gives(v, loop) for v in values if v.root in self.made)
        written = {v.state for v in loop.results if v.state is not None}
        reads = [v for m in self.body for v in m.values if (v.root.state or v.root) in written]
        return Part([*self.loops, loop]) if fits and all(v is v.root for v in reads) else None

    def _gives(self, v: Value, loop: Instruction) -> bool:
        """Whether a thread of this part has made the element of a value that the same thread of a loop reads."""
        if self.made[v.root].op != "sum" and v.root.shape == self.shape:
            return v is v.root and not any(m.op in _ELSEWHERE and v in m.values for m in loop.body)
        few = self.columns.rows <= FEW or loop.options["shape"] != self.shape
        return few and self._views_of_column(v) is not None


def _parts(
    ready: list[Instruction],
    waiting: list[Instruction],
    needs: dict[Instruction, set[Instruction]],
    left: set[Instruction],
) -> list[Part]:
    """The loops that are ready, each with those that can join it."""
    part_of = {loop: Part([loop]) for loop in ready}
    for loop in waiting:
        sources = needs[loop] & left
        if loop not in part_of and sources <= part_of.keys():
            first, *others = dict.fromkeys(part_of[i] for i in waiting if i in sources)
            host: Part | None = first
            for other in others:
                host = host and host.united(other)
            joined = host and host.joined(loop)
            if joined:
                part_of |= dict.fromkeys(joined.loops, joined)
    return [*dict.fromkeys(part_of.values())]


def _without_unread(program: Program, order: list[list[Part | Instruction]]) -> Iterable[list[Instruction]]:
    """The same, with a loop for each part, which makes what is read."""
    read = {v.root for v in (*program.outputs, *program.updates.values())}
    made = list[list[Instruction]]()
    for together in reversed(order):
        kept = list[Instruction]()
        for one in together:
            results = [v for v in one.results if v in read]
            if isinstance(one, Instruction):
                kept.append(one)
            elif results:
                kept.append(one.loop(results))
        made.append(kept)
        read.update(v.root for i in made[-1] for v in i.values)
    return reversed(made)


def _launches(together: list[Instruction]) -> Iterator[Instruction]:
    """An instruction; or loops as one, or as a few, none of which has too many arrays."""
    few = list[Instruction]()
    for loop in together:
        if few and _arrays_of([*few, loop]) > _MANY:
            yield _as_one(few)
            few = []
        few.append(loop)
    if few:
        yield _as_one(few)


def _arrays_of(loops: list[Instruction]) -> int:
    return len({v for loop in loops for v in (*loop.values, *loop.results)})


def _as_one(loops: list[Instruction]) -> Instruction:
    if len(loops) == 1:
        return loops[0]
    operands = tuple(dict.fromkeys(v for loop in loops for v in loop.values))
    results = [v for loop in loops for v in loop.results]
    return Instruction("beside", operands, {"loops": loops}, results, loops[-1].place)
