"""CUDA graphs on the stand-in: what tinygen/compiler/graph.py does with CuPy, as far as it can go wrong without a GPU.

A graph does again what was launched while it was captured. So from a step's second time on, its launches are called
while the stand-in is capturing, and the numbers of the step that they read are those on the device.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import cublas_on_host
import numpy as np
import pytest
import standin
from test_kernels_cuda import on_host

from tinygen.compiler import device
from tinygen.compiler.device import DeviceNumbers
from tinygen.compiler.lowering import Call
from tinygen.compiler.program import Value


class Launches:
    """As graph.Launches. Here no loop has a kernel, and what is said of that is no reason against a graph."""

    def __init__(self) -> None:
        self.runs, self._why_not = 0, ""
        self.products = cublas_on_host.products(on_host("cublas"))

    @property
    def why_not(self) -> str:
        return self._why_not

    @why_not.setter
    def why_not(self, why: str) -> None:
        self._why_not = "" if why.startswith("a loop of a dtype that kernels don't take") else why

    @property
    def captured(self) -> bool:
        return self.runs > 1 and not self.why_not

    def run(self, calls: Sequence[Call]) -> None:
        self.runs += 1
        if self.captured:
            with standin.capturing(cublas=False):
                _call_all(calls)
        else:
            _call_all(calls)


def _call_all(calls: Sequence[Call]) -> None:
    for call in calls:
        call()


class Upload:
    """As graph.Upload."""

    def __init__(self, there: Any):
        self._there = there

    def __call__(self, here: Any) -> None:
        self._there.set(here)


class Now(dict[Value, Any]):
    """The numbers of a step: Python's, and while a graph is captured those that were uploaded."""

    def __init__(self, numbers: DeviceNumbers):
        self._numbers, self._there = numbers, dict[Value, Any]()

    def __getitem__(self, value: Value) -> Any:
        if standin.is_capturing():
            return self._there[value]
        if value not in self._there:
            self._there[value] = self._numbers.array(value, np.float64)  # from the next step on it is uploaded
        return super().__getitem__(value)


def on_standin(patch: pytest.MonkeyPatch) -> None:
    """Let steps that are compiled for the stand-in be captured."""
    make = DeviceNumbers.__init__

    def made(numbers: DeviceNumbers, *given: Any) -> None:
        make(numbers, *given)
        numbers.now = Now(numbers)

    patch.setattr(device, "_graph", lambda: sys.modules[__name__])
    patch.setattr(DeviceNumbers, "__init__", made)
