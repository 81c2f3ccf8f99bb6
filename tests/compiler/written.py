"""Programs for tests: functions of arrays written down, and run as they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygen.compiler.definitions import interpret
from tinygen.compiler.program import SILENT, VIEWS, Program, call_of, number_values, text_of
from tinygen.compiler.trace import Trace
from tinygen.tracing import recording


def program_of(
    function: Callable[..., Any], inputs: Sequence[np.ndarray], states: Sequence[np.ndarray] = (), name: str = "f"
) -> Program:
    """function(*inputs, *states) as a program; the inputs are x, y, z, w, the states s, t, u."""
    trace = Trace(name)
    with recording(trace):
        batch = [trace.input(x, n) for x, n in zip(inputs, ["x", "y", "z", *["w"] * len(inputs)], strict=False)]
        held = trace.states([*zip(states, "stuvwpqr", strict=False)])
        made = function(*batch, *held)
        outputs = list(made) if isinstance(made, (tuple, list)) else [] if made is None else [made]
        return trace.program(outputs)


def interpreted(function: Callable[..., Any], *inputs: np.ndarray) -> list[Any]:
    """What the function of arrays returns, written down and run as it reads."""
    return interpret(program_of(function, inputs), inputs)


def lines(program: Program) -> list[str]:
    """A program as plain lines: its instructions, members of groups indented, and the updates of states."""
    number_values(program)
    found = []
    for instruction in program.instructions:
        if instruction.op in ("fused", "update"):
            made = ", ".join(v.name for v in instruction.results)
            views = {i.result for i in instruction.body if i.op in VIEWS}
            members = [text_of(m) for m in instruction.body if m.result not in views]
            found += [f"{made} = {call_of(instruction)}:", *(f"    {text}" for text in members)]
        elif instruction.op not in SILENT:
            found.append(text_of(instruction))
    return found + [f"{state.name} := {value.name}" for state, value in program.updates.items()]


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    """Numbers from -2 to 2."""
    return np.random.default_rng(seed).uniform(-2, 2, shape).astype(dtype)
