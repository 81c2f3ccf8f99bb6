"""A program in sections: for which line of code, and in which step of an optimiser, each instruction works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..places import Place
from .program import Instruction, Program, members, work

_PACKAGE = Path(__file__).parents[1]
_PARTS = tuple(str(_PACKAGE / part) for part in ("layers", "losses", "random.py", "models/base.py"))  # of models
_OPTIMIZER, _STEPS = str(_PACKAGE / "optimizer.py"), str(_PACKAGE / "models" / "steps.py")


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
    """The step that each instruction belongs to: that of the networks which are moved next.

    If the model declares its steps, what they don't compute belongs to none. A call stays where it stands.
    """
    instructions = work(program)
    declared = any(_is_in_step(i) for i in instructions)
    place_of = {instruction: place for place, instruction in enumerate(instructions)}
    moved = {i: _moved_by(i) for i in instructions}
    key_of = {  # of each update; those of one optimiser's step have the same: the place of its first call
        i: min((place_of[c] for c in _calls_before(i)), default=-1) for i, networks in moved.items() if networks
    }
    numbers = {key: n for n, key in enumerate(dict.fromkeys(key_of.values()))}
    networks = dict.fromkeys(state.name.partition(".")[0] for state in program.updates)
    names = {key: [n for n in networks if any(n in moved[i] for i in key_of if key_of[i] == key)] for key in numbers}
    found: list[tuple[int, str]] = []
    key = None  # of the update that comes next
    for instruction in reversed(instructions):
        key = key_of.get(instruction, key)
        if key is not None and (not declared or moved[instruction] or _is_in_step(instruction)):
            found.append((numbers[key], " and ".join(names[key])))
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
