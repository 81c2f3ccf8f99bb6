"""What all tests share: the backends on which they run, and a seed that is the same for each."""

from __future__ import annotations

import os

# Tests run in parallel: the threads of several, and of PyTorch in the oracles, would fight for the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ctypes
import gc
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import standin

import tinygen
import tinygen.compiler  # its traced arrays are known from the start, not from within the block of a device
from tinygen import backend as tinygen_backend
from tinygen.primitives import PRIMITIVES


@dataclass
class Backend:
    """A backend under test: its name, its array module, and the ways in and out."""

    name: str
    xp: ModuleType

    def asarray(self, host: Any, dtype: Any = None) -> Any:
        """A fresh array of this backend with the values of a host array, list or scalar."""
        return self.xp.asarray(np.array(host, dtype))

    def to_host(self, x: Any) -> np.ndarray:
        """The values as a NumPy array."""
        return tinygen_backend.to_host(x)

    def shares_memory(self, x: Any, y: Any) -> bool:
        """Whether two arrays share an element. Of 0-d arrays CuPy would compare copies, so they get an axis."""
        return bool(self.xp.shares_memory(self.xp.atleast_1d(x), self.xp.atleast_1d(y)))


def _gpu_is_usable() -> bool:
    """Whether CuPy and a GPU are there; without a driver CuPy, which loads slowly, is not even imported."""
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    return cupy.cuda.is_available()


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="the long forms of the campaigns")
    parser.addoption("--more", action="store_true", help="each page of each run, for which some stand by default")


FAMILIES = ("memory", "ae", "vae", "gan", "cgan", "vaegan", "srgan", "textgan", "cyclegan")  # a model of each


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out models of a family that another stands for, where a test is marked so, and what is marked as more."""
    campaign, more = (config.getoption(f"--{name}") for name in ("campaign", "more"))

    def stands_in(item: pytest.Item) -> bool:
        if (mark := item.get_closest_marker("families")) is None:
            return False
        given = item.callspec.params  # type: ignore[attr-defined]  # such a test has a name, and may have a backend
        everywhere = mark.kwargs.get("everywhere") or "standin" in (given.get("backend"), given.get("gpu"))
        return everywhere and given["name"] not in FAMILIES

    def is_left_out(item: pytest.Item) -> bool:
        return stands_in(item) or (item.get_closest_marker("more") is not None and not more)

    left_out = set() if campaign else {item for item in items if is_left_out(item)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def campaign(request: pytest.FixtureRequest) -> bool:
    """Whether the long forms were asked for."""
    return request.config.getoption("--campaign")


BACKENDS = ["numpy", "standin", *(["cupy"] if _gpu_is_usable() else [])]


@contextmanager
def device(name: str) -> Iterator[Backend]:
    """Make a backend the current device for the length of a block; "standin" takes CuPy's place as "cuda"."""
    b = tinygen_backend
    before = dict(b._modules), dict(b._module_of), b._current
    try:
        if name == "standin":
            b._modules["cuda"] = standin
            b._module_of[standin.ndarray] = standin
        b.use("cpu" if name == "numpy" else "cuda")
        yield Backend(name, b.current_module())
    finally:
        b._modules.clear()
        b._module_of.clear()
        b._modules.update(before[0])
        b._module_of.update(before[1])
        b._current = before[2]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend in turn, as the current device."""
    with device(request.param) as current:
        yield current


@pytest.fixture(params=BACKENDS[1:])
def gpu(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The backends of a GPU in turn, as the current device: the stand-in, and CuPy where there is one."""
    with device(request.param) as current:
        yield current


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in as "cuda", while the CPU stays the current device."""
    monkeypatch.setattr(tinygen_backend, "_modules", {"cpu": np, "cuda": standin})
    monkeypatch.setattr(tinygen_backend, "_module_of", {np.ndarray: np, standin.ndarray: standin})


@pytest.fixture
def as_found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a script leaves behind is gone after it: open figures, settings of matplotlib, primitives of its own."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    before = dict(PRIMITIVES)
    with plt.rc_context():
        yield
    plt.close("all")
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    tinygen.seed(0)
    yield
    assert tinygen_backend.current_device() == "cpu", "the test left another device in use"
