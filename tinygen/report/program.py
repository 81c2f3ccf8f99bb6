"""What the machine really does in a step: the compiled program of a run's model, for the page to show.

The model is a copy of the newest checkpoint. Its step is traced, which computes nothing, for a batch of the run's size.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import to_host
from ..compiler import compile
from ..compiler.passes import PASSES
from ..compiler.plan import Plan
from ..compiler.program import (
    VIEWS,
    Instruction,
    Program,
    Value,
    call_of,
    kind,
    members,
    number_values,
    operations,
    work,
)
from ..compiler.sections import line_of, places_of, sections
from ..compiler.spans import bytes_apart, spans
from ..compiler.work import flops, kind_of, traffic
from ..models.base import Model
from ..places import Place
from ..train import RunDirectory
from ..train import load as load_model
from .rewound import batch_of_run


def machine(path: Path, model: Any = None) -> dict[str, Any]:
    """The compiled step of a run's model as JSON: what `described` gives, and `passes`, what each pass left.

    passes: [{name, about, instructions, views, bytes}], the first as it was traced.  bytes: if each value had its own.
    model: as `load` takes it.  Raises RunError, DataError or ConfigError if the model can't be loaded or there is no
    batch for it, and Untraceable, with the reason, if its step can't be compiled.
    """
    loaded = load_model(path, model)
    batch = batch_like_run(loaded, path)
    program = compile(loaded).trace(batch)
    passes = [{"name": "traced", "about": "", **_counts(program)}]
    for change in PASSES:
        program = change(program)
        passes.append({"name": change.__name__, "about": _first_sentence(change.__doc__), **_counts(program)})
    return {"batch": len(batch[0] if isinstance(batch, tuple) else batch), "passes": passes, **described(program)}


def batch_like_run(model: Model, path: Path) -> Any:
    """Zeros of the shape of a batch of the run, as train_step takes it."""
    few, _ = batch_of_run(model, path)
    n = (RunDirectory(path).read_settings().get("batch") or len(few[0])) * model.batches_per_step
    arrays = tuple(np.zeros((n, *a.shape[1:]), a.dtype) for a in map(to_host, few))
    return arrays if len(arrays) > 1 else arrays[0]


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").partition(".")[0].split())


def _counts(program: Program) -> dict[str, int]:
    views = sum(i.op in VIEWS for i in program.instructions)
    return {"instructions": len(work(program)), "views": views, "bytes": bytes_apart(program)}


def described(program: Program) -> dict[str, Any]:
    """A program as JSON: {instructions, operations, sections, lines, spans, room, ...}.

    instructions: those that do something, in order: {kind, made, call, operands, flops, read, written, lines, members}.
    members, of a group: [name, kind, call, whether it is written to memory].  sections: {first, step, line}.
    lines: of code, [place, function, text]; what else says `line` or `lines` counts them.  spans: of memory,
    [name, first, last, at, size].  room: bytes of the plan.
    states: bytes of what outlives the step.  copied: how many of these get their new value by a copy at the end.
    """
    number_values(program)
    lines = _Lines()
    plan = Plan(program)
    found, begin = [], 0
    for section in sections(program):
        number, name = section.step
        found.append({"first": begin, "step": number, "name": name, "line": lines.number(section.line)})
        begin += len(section.instructions)
    return {
        "instructions": [_instruction(i, lines) for i in work(program)],
        "sections": found,
        "lines": lines.texts,
        "spans": [[s.value.name, s.first, s.last, s.at, s.size] for s in spans(program, plan)],
        "room": plan.room,
        "copied": len(plan.copies),
        "operations": operations(program),
        "states": sum(array.nbytes for value, array in program.arrays.items() if value.op == "state"),
    }


class _Lines:
    """Lines of code, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[Place, int] = {}

    def number(self, place: Place | None) -> int | None:
        return None if place is None else self._numbers.setdefault(place, len(self._numbers))

    def numbers(self, places: Iterable[Place]) -> list[int]:
        return [self._numbers.setdefault(place, len(self._numbers)) for place in places]

    @property
    def texts(self) -> list[list[str]]:
        return [[f"{'/'.join(Path(p.file).parts[-2:])}:{p.line}", p.function, p.code] for p in self._numbers]


def _instruction(instruction: Instruction, lines: _Lines) -> dict[str, Any]:
    read, written = traffic(instruction)
    body = members(instruction)
    own = line_of(instruction)
    places = places_of(instruction)
    near = places[: places.index(own) + 1] if own is not None else ()
    return {
        "kind": kind_of(instruction),
        "made": [[v.name, _kind(v)] for v in instruction.results],
        "call": call_of(body[0] if len(body) == 1 else instruction),
        "operands": [[v.name, _kind(v)] for v in dict.fromkeys(instruction.values)],
        "flops": flops(instruction),
        "read": read,
        "written": written,
        "lines": lines.numbers(near),
        "members": [_member(m, {*instruction.results}) for m in body] if len(body) > 1 else [],
    }


def _member(member: Instruction, kept: set[Value]) -> list[Any]:
    return [member.result.name, _kind(member.result), call_of(member), int(member.result in kept)]


def _kind(value: Value) -> str:
    return "number" if value.op == "call" else kind(value)
