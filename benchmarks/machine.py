"""The machine under the benchmarks: the environment of a fair process, its memory, and the rates that bound all peers.

`python -m benchmarks.machine` prints them as JSON.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}  # cpu: of all threads of this process
HELD_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE")  # a user's machine sets none of these


def environment(threads: int, **more: str) -> dict[str, str]:
    """The environment of a measured process: each library's number of threads, BLAS free to choose its kernels."""
    blas = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    knobs = (*blas, "NUMBA_NUM_THREADS", "NUM_CPU_THREADS", "NPROC")
    kept = {name: value for name, value in os.environ.items() if name not in HELD_BACK}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    return {**kept, **dict.fromkeys(knobs, str(threads)), **quiet, **more}


def pin(threads: int) -> None:
    """Limit this process to that many processors, for libraries without an option (XLA sizes its pool by this)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def version(package: str) -> str:
    """The version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # tinygen from its checkout
        return getattr(importlib.import_module(package), "__version__", "unknown")


def memory() -> tuple[float, float]:
    """Peak and present memory of this process in MB (10⁶ bytes); the present one is 0 where /proc is unavailable."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return tuple(int(status[key].split()[0]) * 1024 / 1e6 for key in ("VmHWM", "VmRSS"))  # type: ignore[return-value]
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 0.0


def busy_seconds() -> float:
    """Processor time that all processes have used, the hypervisor's other guests included; 0 without /proc."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def processor() -> str:
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "removed_from_environment": [name for name in HELD_BACK if name in os.environ],
    }


def blas() -> list[str]:
    """The thread pools and BLAS libraries in this process, each with its kernels and threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ["unknown: pip install threadpoolctl"]
    return [
        f"{pool['internal_api']} {pool.get('version') or ''} {pool.get('architecture') or ''}, "
        f"{pool['num_threads']} threads".replace("  ", " ").replace(" ,", ",")
        for pool in threadpool_info()
    ]


def tf32() -> str:
    """Whether CuPy may compute float32 products of this process in TF32, in a word."""
    return "allowed" if os.environ.get("CUPY_TF32") == "1" else "off"


def median_time(run: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> float:
    """The median time of a call, over that many seconds, after one that is not counted."""
    run()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        start = clock()
        run()
        times.append(clock() - start)
    return statistics.median(times)


def rates(device: str = "cpu", clock: str = "wall", seconds: float = 0.5) -> dict[str, Any]:
    """GFLOP/s of a float32 product of 2048x2048 matrices (8192 on a GPU), and GB/s, read and written, of a copy of
    128 MB (1 GB), by NumPy or CuPy, which computes the product in TF32 where CUPY_TF32 is 1."""
    xp = importlib.import_module("numpy" if device == "cpu" else "cupy")
    n, size = (2048, 2**25) if device == "cpu" else (8192, 2**28)
    a, b, c = (xp.ones((n, n), xp.float32) for _ in range(3))
    x, y = xp.ones(size, xp.float32), xp.ones(size, xp.float32)

    def done(_: Any) -> None:
        if device != "cpu":
            xp.cuda.get_current_stream().synchronize()

    return {
        "sgemm": 2 * n**3 / median_time(lambda: done(xp.matmul(a, b, out=c)), seconds, CLOCKS[clock]) / 1e9,
        "copy": 2 * x.nbytes / median_time(lambda: done(xp.copyto(y, x)), seconds, CLOCKS[clock]) / 1e9,
        "blas": blas() if device == "cpu" else [f"cuBLAS, called by CuPy {xp.__version__}, TF32 {tf32()}"],
    }


if __name__ == "__main__":
    print(json.dumps(rates(*sys.argv[1:])))
