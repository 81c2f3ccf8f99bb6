"""What a step costs that can be counted, held to limits: on a shared machine times are noise, and these are not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygen as tg
from tinygen.kernels import blas

# Calls of Python functions in an eager step (more without Numba) and in a compiled one; instructions; jobs; bytes.
LIMITS = {
    ("gan", 32): (3000, 500, 240, 125, 1_250_000),
    ("vae", 128): (1150, 280, 85, 42, 2_900_000),
    ("wgangp", 80): (11_700, 700, 670, 395, 7_300_000),
    ("dcgan", 8): (12_000, 570, 235, 395, 7_000_000),
}


def python_calls(function: Callable[..., Any], *arguments: Any) -> int:
    """How many calls of Python functions a call makes."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(("name", "batch"), LIMITS)
def test_counts_stay_within_their_limits(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_compiled_for", lambda a, b: None)  # a kernel of some processors, with calls of its own
    eager, _, instructions, _, room = LIMITS[name, batch]
    model: Any = tg.models.MODELS[name]()
    x = np.zeros((batch, *model.data_shape), np.float32)
    model.train_step(x)
    assert python_calls(model.train_step, x) <= eager
    step = tg.compile(model, "numpy")
    step(x)
    assert step.reason is None and len(step.program) <= instructions
    (ready,) = step._ready.values()
    assert ready.executable.plan.room <= room


@pytest.mark.parametrize(("name", "batch"), LIMITS)
def test_native_steps_make_few_calls_of_python(name: str, batch: int) -> None:
    pytest.importorskip("llvmlite", reason="native code needs llvmlite")
    _, compiled, _, jobs, _ = LIMITS[name, batch]
    model: Any = tg.models.MODELS[name]()
    x = np.zeros((batch, *model.data_shape), np.float32)
    step = tg.compile(model, "native")
    step(x)
    assert python_calls(step, x) <= compiled
    (ready,) = step._ready.values()
    assert not ready.executable.foreign and len(ready.executable.machine) <= jobs
