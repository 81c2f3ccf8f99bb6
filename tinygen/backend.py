"""What an array is and where it lives: NumPy on the CPU, CuPy on a GPU.

Everything above this file asks `array_module(x)` for the module that owns x and never names numpy or cupy itself, so
one line of code serves both. CuPy is imported only when somebody asks for "cuda". It compiles each kernel when it is
first used, which the first steps on a machine wait for, and keeps it on disk.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from .errors import DeviceError
from .files import kernels_kept
from .terminal import write_line
from .tracing import tracing

Array: TypeAlias = Any  # numpy.ndarray or cupy.ndarray: what they share has no static type

DEVICES = {"cpu": "numpy", "cuda": "cupy"}

_modules: dict[str, ModuleType] = {"cpu": np}
_module_of: dict[type, ModuleType] = {np.ndarray: np}
_current = "cpu"


class use:
    """Make "cpu" or "cuda" the device on which new arrays are made, at once or within a `with` block.

    It holds for the whole process: all threads share one device.
    Raises ValueError for another name, DeviceError if CuPy or a GPU is missing.

    >>> with tg.use("cpu"):
    ...     print(tg.current_device())
    cpu
    """

    def __init__(self, device: str):
        global _current
        device_module(device)
        self.device, self._before = device, _current
        _current = device

    def __enter__(self) -> use:
        return self

    def __exit__(self, *exception: object) -> None:
        global _current
        _current = self._before

    def __repr__(self) -> str:
        return f"tinygen.use({self.device!r})"


def current_device() -> str:
    """The device on which new arrays are made: "cpu" or "cuda".

    >>> tg.current_device()
    'cpu'
    """
    return _current


def current_module() -> Any:
    """The array module of the current device: numpy or cupy; while a step is traced, that of the trace."""
    trace = tracing()
    return _modules[_current] if trace is None else trace.module


def register(kind: type, module: Any) -> None:
    """Let array_module know which module owns arrays of a class."""
    _module_of[kind] = module


def device_module(device: str) -> ModuleType:
    """The array module of a device: numpy or cupy. Raises ValueError for another name, DeviceError as `use` does."""
    if device not in DEVICES:
        raise ValueError(f"use: device is {device!r}, but it must be one of {', '.join(map(repr, DEVICES))}")
    if device not in _modules:
        try:
            module = importlib.import_module(DEVICES[device])
            if module.cuda.runtime.getDeviceCount() < 1:
                raise DeviceError("CuPy sees no GPU")
        except ModuleNotFoundError:
            raise DeviceError(
                'use("cuda"): CuPy is not installed; pip install "tinygen[cuda13]" (or [cuda12]), or use("cpu")'
            ) from None
        except Exception as error:  # CuPy raises its own types, which can't be named before it is imported
            raise DeviceError(
                f'use("cuda"): no usable GPU ({error}); `tinygen doctor` says more, or use("cpu")'
            ) from None
        _modules[device] = module
        _module_of[module.ndarray] = module
        if kernels_kept()[0] == 0:
            write_line("tinygen: CuPy compiles its kernels for this GPU, once, when each is first used ...", sys.stderr)
    return _modules[device]


def _module_owning(x: object) -> ModuleType | None:
    module = _module_of.get(type(x))
    if module is None and isinstance(x, np.ndarray):  # a subclass, such as a memory map
        return np
    if module is None and type(x).__module__ == "cupy" and hasattr(x, "shape"):  # made before CuPy was loaded here
        return device_module("cuda")
    return module


def array_module(*xs: Any) -> ModuleType:
    """The module (numpy or cupy) that owns the first array or Tensor among xs; numpy if there is none.

    >>> tg.array_module(tg.tensor([1.0])) is np
    True
    """
    for x in xs:
        module = _module_of.get(type(x)) or _module_owning(x) or _module_owning(getattr(x, "array", None))
        if module is not None:
            return module
    return np


def is_array(x: object) -> bool:
    """True for an array of a backend; False for scalars, lists, Tensors."""
    return _module_owning(x) is not None


def is_tensor(x: object) -> bool:
    """True for a Tensor, known by the array in it: its class lies above this file."""
    return _module_owning(getattr(x, "array", None)) is not None


def array_of(x: Any) -> Any:
    """The array in a Tensor; anything else as it is."""
    return x.array if is_tensor(x) else x


def device_of(x: Any) -> str:
    """The device, "cpu" or "cuda", on which an array or a Tensor lives."""
    module = array_module(x)
    return "cpu" if module is np else module.device if module.__name__ == "traced" else "cuda"


def to_host(x: Any) -> np.ndarray:
    """x, an array or a Tensor, as a NumPy array: itself if it is one, a copy (which waits for a GPU) if not.

    >>> tg.to_host(tg.tensor([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """
    return np.asarray(x) if array_module(x) is np else array_of(x).get()


def to_device(x: Any, device: str | None = None) -> Array:
    """x as an array of the device (the current one by default): itself if it lives there, a copy if not.

    >>> tg.to_device(tg.tensor([1.0, 2.0]), "cpu")
    array([1., 2.], dtype=float32)
    """
    if is_array(x) and device_of(x) == (device or _current):
        return x
    return (current_module() if device is None else device_module(device)).asarray(to_host(x))
