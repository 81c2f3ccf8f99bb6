"""What there is to see of a program: what kind of work each instruction does, for which lines of code, and where its
memory lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..places import Place
from .plan import Plan
from .program import DRAWS, SILENT, VIEWS, Instruction, Program, Value

KINDS = ("product", "convolution", "loop", "sum", "draw", "copy", "number")  # a "number" is Python's, such as a count
_CONVOLUTIONS = frozenset({"conv2d", "conv_transpose2d", "conv2d_weight_grad"})
_SUMS = frozenset({"sum", "max", "min", "argmax", "cumsum"})
_COPIES = frozenset({"copy", "astype", "full", "concatenate", "take", "put", "put_at", "add_at"})
_PACKAGE = Path(__file__).parents[1]
_PARTS = tuple(
    str(_PACKAGE / part) for part in ("layers", "losses", "random.py", "models/base.py")
)  # what models are made of
_OPTIMIZER, _STEPS = str(_PACKAGE / "optimizer.py"), str(_PACKAGE / "models" / "steps.py")


def work(program: Program) -> list[Instruction]:
    """The instructions that do something: what is there from the beginning is left out, and so are views."""
    return [i for i in program.instructions if i.op not in SILENT and i.op not in VIEWS]


def operations(program: Program) -> int:
    """How many operations it does, each member of a group counted."""
    return sum(m.op not in VIEWS for i in work(program) for m in members(i))


def members(instruction: Instruction) -> list[Instruction]:
    """The instructions that one stands for: itself, unless it is a group."""
    return instruction.body if instruction.op in ("fused", "update") else [instruction]


def kind_of(instruction: Instruction) -> str:
    """Which of KINDS an instruction is.

    A loop that leaves nothing but sums is a "sum"; a product that goes into the update of a weight is a "product".
    """
    op = instruction.op
    if op in DRAWS or op == "call":
        return "draw" if op in DRAWS else "number"
    if op == "fused":
        left = {v: member.op for member in instruction.body for v in member.results}
        kinds = {left[v] for v in instruction.results} or {"loop"}
        return "sum" if kinds == {"sum"} else "copy" if kinds <= _COPIES else "loop"
    if op in _CONVOLUTIONS:
        return "convolution"
    if op in ("matmul", "einsum", "update"):
        return "product"
    return "sum" if op in _SUMS else "copy" if op in _COPIES else "loop"


def flops(instruction: Instruction) -> int:
    """Multiplications and additions of a product or a convolution, padding included; of others 0."""
    if instruction.op == "update":
        return sum(flops(term.product) for term in instruction.options["terms"])
    if instruction.op == "matmul":
        a, _ = instruction.operands
        return 2 * instruction.result.like.size * a.shape[-1]
    if instruction.op == "einsum":
        terms = instruction.options["subscripts"].partition("->")[0].split(",")
        lengths = {
            n: size
            for term, x in zip(terms, instruction.operands, strict=True)
            for n, size in zip(term, x.shape, strict=True)
        }
        return 2 * math.prod(lengths.values())
    if instruction.op == "conv2d":
        _, w = instruction.operands
        return 2 * instruction.result.like.size * math.prod(w.shape[:3])
    if instruction.op == "conv_transpose2d":
        gy, w = instruction.operands
        return 2 * gy.like.size * math.prod(w.shape[:3])
    if instruction.op == "conv2d_weight_grad":
        _, gy = instruction.operands
        return 2 * gy.like.size * math.prod(instruction.result.shape[:3])
    return 0


def traffic(instruction: Instruction) -> tuple[int, int]:
    """The bytes of the arrays that an instruction reads, and of those that it writes."""
    read = {v for v in instruction.values if v.op != "call"}
    return sum(v.like.nbytes for v in read), sum(v.like.nbytes for v in instruction.results)


# Lines of code


def places_of(instruction: Instruction) -> tuple[Place, ...]:
    """The lines that led to an instruction, the innermost first; of a group, those of its first member."""
    return members(instruction)[0].place or ()


def line_of(instruction: Instruction) -> Place | None:
    """The line of the model's code that an instruction comes from: of a layer or a loss only if it has no other."""
    places = places_of(instruction)
    own = [place for place in places if not place.file.startswith(_PARTS)]
    return own[0] if own else places[0] if places else None


class Section(NamedTuple):
    """Instructions that follow each other and come from one line of code.

    step: its number among the steps of optimisers, and the networks that learn in it, as (0, "D"); (-1, "") for what
    belongs to none.
    """

    step: tuple[int, str]
    line: Place | None
    instructions: list[Instruction]


def sections(program: Program) -> list[Section]:
    """The program in sections; what Python computes stays where it stands."""
    found: list[Section] = []
    instructions = work(program)
    for instruction, step in zip(instructions, _steps(program), strict=True):
        line = None if instruction.op == "call" else line_of(instruction)
        if not found or step != found[-1].step or (line != found[-1].line and line is not None):
            found.append(Section(step, line, []))
        found[-1].instructions.append(instruction)
    return found


def _steps(program: Program) -> list[tuple[int, str]]:
    """The step that each instruction belongs to: that of the networks which are moved next."""
    instructions = work(program)
    declared = any(_is_in_step(i) for i in instructions)
    order = {instruction: place for place, instruction in enumerate(instructions)}
    moved = {i: _moved_by(i) for i in instructions}
    of = {i: min((order[c] for c in _calls_before(i)), default=-1) for i, names in moved.items() if names}
    numbers = {key: n for n, key in enumerate(dict.fromkeys(of.values()))}  # by what the optimiser asks for first
    networks = dict.fromkeys(state.name.partition(".")[0] for state in program.updates)
    names = {key: [n for n in networks if any(n in moved[i] for i in of if of[i] == key)] for key in numbers}
    found: list[tuple[int, str]] = []
    now = None
    for instruction in reversed(instructions):
        now = of.get(instruction, now)
        if now is not None and (not declared or moved[instruction] or _is_in_step(instruction)):
            found.append((numbers[now], " and ".join(names[now])))
        else:
            found.append((-1, ""))
    found.reverse()
    for place, instruction in enumerate(instructions):
        if instruction.op == "call":
            found[place] = found[place - 1] if place else (-1, "")
    return found


def _calls_before(update: Instruction) -> Iterator[Instruction]:
    """The calls without operands from which the numbers come that an optimiser reads on its way to an update."""
    met, stack = {update}, [update]
    while stack:
        instruction = stack.pop()
        if instruction.op == "call" and not [*instruction.values]:
            yield instruction
        numbers = (v for v in instruction.values if v.op == "call" or (v.state is None and _is_of_optimizer(v.maker)))
        makers = {v.maker for v in numbers} - met
        met |= makers
        stack += makers


def _is_of_optimizer(instruction: Instruction) -> bool:
    return any(place.file == _OPTIMIZER for place in instruction.place or ())


def _is_in_step(instruction: Instruction) -> bool:
    return any(place.file == _STEPS for place in places_of(instruction))


def _moved_by(instruction: Instruction) -> dict[str, None]:
    """The networks that an instruction of an optimiser moves: the first part of the names of what it updates."""
    moving = [m for m in members(instruction) if _is_of_optimizer(m)]
    states = [v.state.name for m in moving for v in m.results if v.state is not None]
    return dict.fromkeys(name.partition(".")[0] for name in states if "[" not in name and "." in name)


# Memory


class Span(NamedTuple):
    """The memory of a value: `size` bytes from `at` on, from instruction `first`, which makes it, to `last`, which is
    the last to read it.
    """

    value: Value
    at: int
    size: int
    first: int
    last: int


def spans(program: Program, plan: Plan) -> list[Span]:
    """Where each value lies in a program's own memory, and when; first and last count `work(program)`."""
    instructions = work(program)
    last = {value.root: len(instructions) - 1 for value in (*program.updates.values(), *program.outputs)}
    for i, instruction in enumerate(instructions):
        for value in instruction.values:
            last[value.root] = max(i, last.get(value.root, 0))
    inputs = [(v, 0) for v in program.inputs]
    owned = [(v, i) for i, instruction in enumerate(instructions) for v in instruction.results]
    owned = [(v, i) for v, i in [*inputs, *owned] if _is_own(v, program, plan)]
    begin = min((_address(plan, v) for v, _ in owned), default=0)
    return [Span(v, _address(plan, v) - begin, v.like.nbytes, i, last.get(v, i)) for v, i in owned]


def _is_own(value: Value, program: Program, plan: Plan) -> bool:
    """Whether a value lies in the program's memory, not in that of a state."""
    return value.op not in VIEWS and not any(plan[value] is array for array in program.arrays.values())


def _address(plan: Plan, value: Value) -> int:
    return plan[value].__array_interface__["data"][0]


def bytes_apart(program: Program) -> int:
    """The memory that a program would take if each value had its own."""
    return sum(v.like.nbytes for i in work(program) for v in i.results if i.op != "call")
