"""The peers: one file per library, and here every way in which it is run. Only its worker imports the library."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..workloads import Workload


class Setting(NamedTuple):
    """What a peer computes, and on what."""

    workload: Workload
    data: str  # path of real batches: float32 (batches, batch, *data_shape)
    threads: int
    device: str = "cpu"
    tf32: bool = False
    options: tuple[str, ...] = ()


class Peer:
    """A workload in a library. A subclass builds it in __init__ and writes step() as an expert in the library would.

    parameters: the number of each network's.  notes: what a reader should know about how it is run.
    clock: what times it on a CPU.
    """

    parameters: dict[str, int]
    notes: str = ""
    clock: Callable[[], float] = staticmethod(time.perf_counter)

    def __init__(self, setting: Setting):
        raise NotImplementedError

    def batch(self, x: Any) -> Any:
        """A NumPy batch in the form that step() takes; called before anything is timed."""
        return x

    def step(self, x: Any) -> None:
        """One whole training step. It keeps its losses, on the device, for losses()."""
        raise NotImplementedError

    def losses(self) -> dict[str, float]:
        """The losses of the last step."""
        raise NotImplementedError

    def wait(self) -> None:
        """Return when everything that step() started is done."""

    def timed(self, work: Callable[[], None]) -> float:
        """The seconds that work takes, until everything that it started is done."""
        self.wait()
        start = self.clock()
        work()
        self.wait()
        return self.clock() - start

    def device_memory(self) -> dict[str, float]:
        """{"device_mb": the peak memory of the GPU}, if there is one."""
        return {}


@dataclass(frozen=True)
class Entry:
    """A way to run a library: its file here, the packages it needs, its devices, and its environment variables."""

    file: str
    packages: tuple[str, ...]
    about: str
    options: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()  # that it calls
    convolutions: bool = True  # whether the library has the convolutions that the DCGANs need
    only_convolutions: bool = False
    second_order: bool = True  # whether a gradient can be differentiated itself, which WGAN-GP needs
    devices: tuple[str, ...] = ("cpu",)
    env: dict[str, str] = field(default_factory=dict)
    ours: bool = False  # runs in this interpreter, not in the peers' environment

    def load(self) -> type[Peer]:
        return importlib.import_module(f".{self.file}", __name__).PEER

    def refuses(self, workload: Workload, device: str) -> str | None:
        """Why it can't run this workload; None if it can."""
        if device not in self.devices:
            return f"not offered on {device}"
        if not workload.is_dense and not self.convolutions:
            return "not offered: the library lacks strided or transposed convolutions"
        if workload.is_dense and self.only_convolutions:
            return "not offered: of use for convolutions only"
        if workload.gp and not self.second_order:
            return "not offered: the library can't differentiate a gradient, which the penalty needs"
        return None


BOTH = ("cpu", "cuda")
_NUMPY_ALONE = {"TINYGEN_NUMBA": "0"}
_KERAS = {"KERAS_BACKEND": "tensorflow"}
_SHARES_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # or it takes three quarters of the memory for itself
PEERS = {
    "tinygen": Entry(
        "tinygen", ("numpy",), "compiled step, NumPy alone", ("compiled",), devices=BOTH, env=_NUMPY_ALONE, ours=True
    ),
    "tinygen-fast": Entry(
        "tinygen", ("numpy", "numba", "llvmlite"), "compiled step, native code by LLVM", ("compiled", "fast"), ours=True
    ),
    "tinygen-eager": Entry("tinygen", ("numpy",), "eager step, NumPy alone", devices=BOTH, env=_NUMPY_ALONE, ours=True),
    "tinygen-eager-fast": Entry(
        "tinygen", ("numpy", "numba"), "eager step, with Numba's kernels", ("fast",), ours=True
    ),
    "torch": Entry("pytorch", ("torch",), "eager, default Adam", devices=BOTH),
    "torch-fused": Entry("pytorch", ("torch",), "eager, Adam(fused=True)", ("fused",), devices=BOTH),
    "torch-compile": Entry("pytorch", ("torch",), "torch.compile, fused Adam", ("fused", "compile"), devices=BOTH),
    "torch-channels-last": Entry(
        "pytorch",
        ("torch",),
        "eager, channels_last, fused Adam",
        ("fused", "channels_last"),
        only_convolutions=True,
        devices=BOTH,
    ),
    "tf-graph": Entry("keras", ("tensorflow", "keras"), "Keras 3, tf.function", env=_KERAS),
    "tf-xla": Entry("keras", ("tensorflow", "keras"), "Keras 3, jit_compile=True", ("xla",), env=_KERAS),
    "jax": Entry("jax", ("jax",), "one jit of the whole step", devices=BOTH, env=_SHARES_GPU),
    "tinygrad": Entry(
        "tinygrad", ("tinygrad",), "one TinyJit of the whole step", programs=("clang",), env={"DEV": "CPU"}
    ),
    "mygrad": Entry("mygrad", ("mygrad",), "its batch norm, memory guard off", convolutions=False, second_order=False),
    "autograd": Entry("autograd", ("autograd",), "functions of lists of arrays", convolutions=False),
    "dezero": Entry("dezero", ("dezero", "matplotlib"), "its functions and Adam"),
}


def requirements(device: str) -> list[str]:
    """What pip must install for the peers that run on a device, apart from tinygen's own dependencies."""
    pinned = {
        "torch": "torch==2.13.0",
        "tinygrad": "tinygrad==0.14.0",
        **({"jax": "jax[cuda13]"} if device == "cuda" else {}),
    }
    offered = [entry for entry in PEERS.values() if not entry.ours and device in entry.devices]
    return list(dict.fromkeys(pinned.get(package, package) for entry in offered for package in entry.packages))
