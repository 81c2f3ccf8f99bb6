"""A CuPy that counts launches and computes no kernel: the stand-in, on which the twins of tinygen.kernels run as they
are.

A kernel that is made of CUDA text notes that it was launched, and leaves in its outputs what fresh memory holds on the
stand-in, NaN. As nothing on a GPU looks at a number, a step launches the same with numbers and without.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import standin
from conftest import device
from cuda_on_host import parameters

from tinygen import backend, kernels


class ElementwiseKernel:
    """As CuPy's, without computing: checks the arguments, and makes the outputs that are not given."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel", **options: Any):
        self.inputs, self.outputs, self.name = parameters(in_params), parameters(out_params), name

    def __call__(self, *args: Any) -> Any:
        every = self.inputs + self.outputs
        assert len(args) in (len(self.inputs), len(every)), f"{self.name}: {len(args)} arguments"
        given = list(zip(every, args, strict=False))
        for parameter, x in given:
            if not isinstance(x, standin.ndarray):
                standin._operand(x, f"{self.name}({parameter})")
        kinds = {x.dtype for p, x in given if p.type == "T" and isinstance(x, standin.ndarray)}
        assert len(kinds) <= 1, f"{self.name}: T is one of {kinds}"
        shapes = [x.shape for p, x in given if isinstance(x, standin.ndarray) and not p.is_raw]
        shape = np.broadcast_shapes(*shapes)
        outs = args[len(self.inputs) :] or [
            standin.empty(shape, *kinds if p.type == "T" else [p.type]) for p in self.outputs
        ]
        assert all(out.shape == shape for out, p in zip(outs, self.outputs, strict=True) if not p.is_raw)
        standin.note_launch(self.name)
        return outs[0] if len(outs) == 1 else tuple(outs)


class RawModule:
    """As CuPy's, without compiling."""

    def __init__(self, code: str, **options: Any):
        self.code = code

    def get_function(self, name: str) -> Any:
        return lambda grid, block, args, **options: standin.note_launch(name)


class _Add(standin.ufunc):
    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """Refuses floats: CuPy adds atomically, in the order in which threads happen to come, so sums would vary."""
        assert a.dtype.kind != "f", "add.at adds floats in no fixed order; kernels.add_at does in that of the values"
        super().at(a, indices, b)


class _CuPy(ModuleType):
    ElementwiseKernel, RawModule = ElementwiseKernel, RawModule
    add = _Add("add")

    def __getattr__(self, name: str) -> Any:
        return getattr(standin, name)


@contextmanager
def launching() -> Iterator[ModuleType]:
    """Make this CuPy the current device for the length of a block."""
    cupy, loaded = _CuPy("cupy"), dict[str, ModuleType]()

    def load(name: str) -> ModuleType:
        if name not in loaded:
            spec = importlib.util.find_spec(f"tinygen.kernels.{name}")
            assert spec and spec.loader
            loaded[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded[name])
        return loaded[name]

    with device("standin"), pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cupy)
        patch.setattr(kernels, "_cuda", load)
        patch.setitem(backend._modules, "cuda", cupy)
        patch.setitem(backend._module_of, standin.ndarray, cupy)
        yield cupy
