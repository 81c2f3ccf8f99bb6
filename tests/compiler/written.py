"""Programs for tests: functions of arrays written down, and run as they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygen.compiler.definitions import interpret
from tinygen.compiler.program import Program
from tinygen.compiler.trace import Trace
from tinygen.tracing import recording


def program_of(
    function: Callable[..., Any], inputs: Sequence[np.ndarray], states: Sequence[np.ndarray] = (), name: str = "f"
) -> Program:
    """function(*inputs, *states) as a program; the inputs are x, y, z, the states s, t, u."""
    trace = Trace(name)
    with recording(trace):
        batch = [trace.input(x, n) for x, n in zip(inputs, "xyz", strict=False)]
        held = trace.states([*zip(states, "stuvwpqr", strict=False)])
        made = function(*batch, *held)
        outputs = list(made) if isinstance(made, (tuple, list)) else [] if made is None else [made]
        return trace.program(outputs)


def interpreted(function: Callable[..., Any], *inputs: np.ndarray) -> list[Any]:
    """What the function of arrays returns, written down and run as it reads."""
    return interpret(program_of(function, inputs), inputs)


def lines(program: Program) -> list[str]:
    """A program's text without its first and last line."""
    return str(program).split("\n")[1:-1]


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    """Numbers from -2 to 2."""
    return np.random.default_rng(seed).uniform(-2, 2, shape).astype(dtype)
