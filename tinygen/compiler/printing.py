"""A program as text that a person can read: print(program).

    program gan(x: f32[32, 28, 28, 1])

    step D
    # fake = self.G(z, *y)                              tinygen/models/gan.py:133
      %1            f32[32, 256]     = matmul(%0, G.0.w)                        1.6 MFLOP
      loop over [32, 256]
      │ %2          f32[32, 256]     = add(%1, G.0.b)
      │ %3          f32[32, 256]     = multiply(%2, 0.2)
      └ %4          f32[32, 256]     = maximum(%2, %3)                          -> memory
    ...

Names: %7 a value, x a batch, G.0.w a state, such as a weight, as it was before the step, and G.0.w' its new value. Of
what a loop computes, only what says "memory" is written there. A view, which costs nothing, has a dot before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..places import Place
from .plan import Plan
from .program import (
    SILENT,
    VIEWS,
    Instruction,
    Program,
    Value,
    call_of,
    is_whole_state,
    kind,
    members,
    number_values,
    operations,
    work,
)
from .sections import Section, sections
from .spans import bytes_apart
from .work import flops, kind_of

_PLURAL = {
    "product": "products",
    "convolution": "convolutions",
    "loop": "loops",
    "sum": "sums",
    "draw": "draws of random numbers",
    "copy": "copies",
    "number": "numbers",
}
_WIDEST = (24, 22, 48)  # characters of a column; what is longer stands out of it


class Row(NamedTuple):
    """A line of four columns."""

    names: str
    kinds: str
    call: str
    remark: str = ""


def printed(program: Program) -> str:
    """The program as text: its instructions by step and line of code, and what they come to."""
    number_values(program)
    views = _views_before(program)
    given = ", ".join(f"{v.name}: {kind(v)}" for v in program.inputs)
    lines: list[str | Row] = [f"program {program.name}({given})"]
    step = (-1, "")
    for section in sections(program):
        lines += _heading(section, step)
        step = section.step
        for instruction in section.instructions:
            lines += [_row(view, ". ") for view in views.get(instruction, ())]
            lines += rows(instruction)
    return "\n".join([*aligned(lines), "", *_left(program), *_summary(program)])


def aligned(lines: Sequence[str | Row]) -> list[str]:
    """The lines as text, with columns as wide as most of their rows need."""
    table = [line for line in lines if isinstance(line, Row)]
    names, kinds, calls = (min(max((len(row[i]) for row in table), default=0), most) for i, most in enumerate(_WIDEST))
    made = []
    for line in lines:
        if isinstance(line, Row):
            text = f"{line.names:<{names}}  {line.kinds:<{kinds}} = {line.call}"
            line = f"{text:<{names + kinds + calls + 5}}  {line.remark}".rstrip()
        made.append(line)
    return made


def _views_before(program: Program) -> dict[Instruction, list[Instruction]]:
    """The views that stand before each instruction, except those of whole states, which have the name of the state."""
    found: dict[Instruction, list[Instruction]] = {}
    waiting: list[Instruction] = []
    for instruction in program.instructions:
        if instruction.op in VIEWS and not is_whole_state(instruction.result):
            waiting.append(instruction)
        elif instruction.op not in VIEWS and instruction.op not in SILENT:
            found[instruction], waiting = waiting, []
    return found


def _heading(section: Section, before: tuple[int, str]) -> list[str | Row]:
    """What stands above a section: the step, if it is another, and the line of code."""
    number, name = section.step
    new = section.step != before or number < 0
    title = ["", f"step {name}" if number >= 0 else "beside the steps"] if new and (name or before[1]) else [""]
    return [*title, *([] if section.line is None else [f"# {_where(section.line)}  {section.line.code}"])]


def _where(place: Place) -> str:
    return f"{'/'.join(Path(place.file).parts[-2:])}:{place.line}"


def rows(instruction: Instruction) -> list[str | Row]:
    """An instruction as a line; a group as a line for each member, and one above."""
    if instruction.op == "beside":
        loops = instruction.options["loops"]
        return [f"  {len(loops)} loops side by side", *(row for loop in loops for row in rows(loop))]
    body, kept = members(instruction), {*instruction.results}
    if len(body) == 1:
        return [_row(body[0], "  ", _amount(flops(instruction), "FLOP") if flops(instruction) else "")]
    if instruction.op == "fused":
        title = f"loop over [{', '.join(map(str, instruction.options['shape']))}]"
    else:
        title = f"product, block by block into the loop that reads it ({_amount(flops(instruction), 'FLOP')})"
    made = [_row(m, "  └ " if m is body[-1] else "  │ ", "-> memory" if m.result in kept else "") for m in body]
    return [f"  {title}", *made]


def _row(instruction: Instruction, margin: str, remark: str = "") -> Row:
    names = ", ".join(v.name for v in instruction.results)
    kinds = ", ".join(dict.fromkeys(_kind(v) for v in instruction.results))
    return Row(margin + names, kinds, call_of(instruction), remark)


def _kind(value: Value) -> str:
    return "number" if value.op == "call" else kind(value)


def _left(program: Program) -> list[str]:
    """What the step leaves: its states' new values and what it returns."""
    moved = [state for state, value in program.updates.items() if value.state is state]
    others = [f"{state.name} := {value.name}" for state, value in program.updates.items() if value.state is not state]
    changed = [f"{_count(len(moved), 'state')} have new values, which end in '"] if moved else []
    return [*changed, *others, f"return {', '.join(value.name for value in program.outputs)}"]


def _summary(program: Program) -> list[str]:
    """What it comes to: instructions, memory, and arithmetic of products."""
    instructions = work(program)
    kinds = [kind_of(i) for i in instructions]
    groups = [i for i in instructions if len(members(i)) > 1]
    parts = [f"{kinds.count(one)} {one if kinds.count(one) == 1 else _PLURAL[one]}" for one in _PLURAL if one in kinds]
    total = sum(map(flops, instructions))
    fused = f", of {_count(operations(program), 'operation')} in {_count(len(groups), 'group')}" if groups else ""
    products = f"; {_amount(total, 'FLOP')} of products" if total else ""
    memory = f"{_amount(Plan(program).room, 'B')} of memory, which {_amount(bytes_apart(program), 'B')} of arrays share"
    return [
        f"# {_count(len(instructions), 'instruction')}{fused}: {', '.join(parts)}",
        f"# {memory}{products}",
    ]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _amount(n: int, unit: str) -> str:
    """A number with three digits: "1.64 M" and the unit."""
    for power, prefix in ((9, "G"), (6, "M"), (3, "k")):
        if n >= 10**power:
            return f"{n / 10**power:.3g} {prefix}{unit}"
    return f"{n} {unit}"


Program.printer = printed
