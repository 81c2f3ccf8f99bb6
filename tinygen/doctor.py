"""What tinygen runs on: `tinygen doctor` names every part, how fast it is, what is missing and what to do about it."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import tables
from .files import cache_dir, code_dir, kernels_kept
from .processes import cores

AVX512_KERNELS = {"skylakex", "cooperlake", "sapphirerapids"}  # OpenBLAS's names; the others of x86 use AVX2 or less
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
DRIVER_FILE = Path("/proc/driver/nvidia/version")


class Finding(NamedTuple):
    """One line of the report. ok: True, None where something could be better, False where tinygen can't run."""

    item: str
    value: str
    ok: bool | None = True
    advice: str = ""


def examine() -> list[Finding]:
    """Every finding, in order. It never raises: what can't be found out is a finding too."""
    probes: list[tuple[str, bool, Callable[[], Finding]]] = [
        ("tinygen", True, _tinygen),
        ("Python", True, _python),
        ("processor", False, _processor),
        ("NumPy", True, lambda: _package("NumPy", "numpy")),
        ("BLAS", False, _blas),
        ("matrix product", True, _matrix_product),
        ("Matplotlib", True, lambda: _package("Matplotlib", "matplotlib.figure")),
        ("Pillow", True, lambda: _package("Pillow", "PIL.Image")),
        ("safetensors", True, lambda: _package("safetensors", "safetensors.numpy")),
        ("tqdm", True, lambda: _package("tqdm", "tqdm")),
        ("threadpoolctl", True, lambda: _package("threadpoolctl", "threadpoolctl")),
        ("Numba", False, _numba),
        ("compiled steps", False, _compiled_steps),
        ("CuPy", False, _cupy),
        ("GPU", False, _gpu),
        ("data sets", False, _data_sets),
        ("this folder", False, _this_folder),
    ]
    return [_guarded(item, required, probe) for item, required, probe in probes]


def as_table(findings: list[Finding]) -> str:
    """The findings as text, a line each, with the advice below the line that it belongs to."""
    marks = {True: "ok", None: "--", False: "!!"}
    rows = list[tuple[str, str, str]]()
    for item, value, ok, advice in findings:
        rows.append((marks[ok], item, value))
        if advice:
            rows.append(("", "", f"-> {advice}"))
    return tables.table(rows)


def run() -> bool:
    """Print the report; True if nothing that tinygen needs is broken."""
    findings = examine()
    print(as_table(findings))
    return all(finding.ok is not False for finding in findings)


def _guarded(item: str, required: bool, probe: Callable[[], Finding]) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a package's own warnings would break up the table
            return probe()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        missing = isinstance(error, ModuleNotFoundError)
        mend = f"pip install {item.lower()}" if missing else "install tinygen again in a fresh environment"
        advice = f"tinygen needs {item}: {mend}" if required else ""
        return Finding(item, f"unknown ({reason})", False if required else None, advice)


def _tinygen() -> Finding:
    package = importlib.import_module("tinygen")
    return Finding("tinygen", f"{package.__version__} in {Path(str(package.__file__)).parent}")


def _python() -> Finding:
    ok = sys.version_info >= (3, 10)
    return Finding("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.executable}",
                   ok, "" if ok else "tinygen needs Python 3.10 or newer")  # fmt: skip


def _package(item: str, module: str) -> Finding:
    importlib.import_module(module)
    name = "Pillow" if module.startswith("PIL") else module.partition(".")[0]
    return Finding(item, metadata.version(name))


# The processor and how it multiplies matrices


def _cpuinfo() -> str:
    """What Linux says about the processor; "" elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _processor() -> Finding:
    info = _cpuinfo()
    model = re.search(r"model name\s*:\s*(.+)", info)
    name = model[1] if model else platform.processor() or platform.machine()
    wide = next((kind for kind in ("AVX-512", "AVX2") if kind.lower().replace("-", "") in info), "")
    return Finding("processor", ", ".join(filter(None, [f"{cores()} cores", name, wide])))


def _blas() -> Finding:
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not libraries:
        names = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return Finding("BLAS", f"{names.get('name')} {names.get('version')}; kernel set and threads can't be read")
    api, version, threads = (libraries[0][key] for key in ("internal_api", "version", "num_threads"))
    kernels = libraries[0].get("architecture") or "an unknown processor"
    value = f"{api} {version}, kernels for {kernels}, {threads} thread{'s' * (threads != 1)}"
    advice = "; ".join([*_kernel_advice(api, kernels), *_thread_advice(threads, len(libraries))])
    return Finding("BLAS", value, None if advice else True, advice)


def _kernel_advice(api: str, kernels: str) -> Iterator[str]:
    if api == "openblas" and "avx512" in _cpuinfo() and kernels.lower() not in AVX512_KERNELS:
        core_type = os.environ.get("OPENBLAS_CORETYPE")
        why = f"unset OPENBLAS_CORETYPE, which is {core_type}" if core_type else "a newer NumPy may bring them"
        yield f"the processor has AVX-512, and kernels that use it can be twice as fast: {why}"


def _thread_advice(threads: int, libraries: int) -> Iterator[str]:
    if threads > cores():
        yield f"{threads} threads on {cores()} cores get in each other's way: set OPENBLAS_NUM_THREADS={cores()}"
    if threads < cores():
        variables = [name for name in THREAD_VARIABLES if name in os.environ]
        why = f"unset {' and '.join(variables)}" if variables else "is this library built for more threads?"
        yield f"it uses {threads} of {cores()} cores: {why}"
    if libraries > 1:
        yield f"{libraries} BLAS libraries are loaded, and their threads get in each other's way"


def _matrix_product() -> Finding:
    size, rng = 1024, np.random.default_rng(0)
    a, b = rng.random((2, size, size), np.float32)
    a[:256, :256] @ b[:256, :256]  # wakes the threads
    deadline, best = time.perf_counter() + 0.3, float("inf")
    while best == float("inf") or time.perf_counter() < deadline:
        start = time.perf_counter()
        product = a @ b
        best = min(best, time.perf_counter() - start)
    right = np.allclose(product[0], a[0].astype(np.float64) @ b, rtol=1e-4)
    speed = f"{2 * size**3 / best / 1e9:,.0f} GFLOP/s (float32, {size} x {size}, best)"
    return Finding("matrix product", speed, right, "" if right else "its result is wrong: reinstall NumPy")


# What makes it faster


def _numba() -> Finding:
    try:
        return Finding("Numba", importlib.import_module("numba").__version__)
    except ModuleNotFoundError:
        return Finding("Numba", "not installed", None, 'for faster training on the CPU: pip install "tinygen[fast]"')
    except ImportError as error:  # installed, but not for this NumPy
        return Finding("Numba", f"can't be imported ({error})", None, 'pip install --upgrade "tinygen[fast]"')


def _compiled_steps() -> Finding:
    """What a compiled training step would run on."""
    from .compiler import backends
    from .kernels.openblas import blas

    value = backends.in_words(backends.default_back_end())
    if why := backends.why_not_native():
        mend = 'pip install "tinygen[fast]"' if "llvmlite" in why else "unset it"
        return Finding("compiled steps", f"{value}, as {why}", None, f"for native code, which is faster: {mend}")
    folder = code_dir()
    kept = sum(1 for _ in folder.glob("*.o"))
    advice = _cache_advice(folder)
    library = blas()
    products = f"products by {'calls of NumPy' if library is None else library.name}"
    value = f"{value}, {products}; {kept:,} loop{'s' * (kept != 1)} kept in {folder}"
    return Finding("compiled steps", value, None if advice else True, advice)


def _driver() -> str:
    """The version of NVIDIA's driver; "" where there is none."""
    text = DRIVER_FILE.read_text() if DRIVER_FILE.exists() else ""
    version = re.search(r"Module\s+(?:for \S+\s+)?([\d.]+)", text)
    return version[1] if version else "found" if text or shutil.which("nvidia-smi") else ""


def _cupy() -> Finding:
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError:
        if not _driver():
            return Finding("CuPy", "not installed; there is no NVIDIA driver that it could use")
        advice = 'to train on the GPU: pip install "tinygen[cuda13]", or [cuda12] for a driver before 580'
        return Finding("CuPy", "not installed", None, advice)
    runtime = cupy.cuda.runtime.runtimeGetVersion()
    kept, folder = kernels_kept()
    there = f"{kept:,} kernel{'s' * (kept != 1)} kept in {folder}" if kept else f"no kernel is compiled yet in {folder}"
    advice = _cache_advice(Path(folder), "CUPY_CACHE_DIR")
    value = f"{cupy.__version__}, built for CUDA {_cuda_version(runtime)}; {there}"
    return Finding("CuPy", value, None if advice else True, advice)


def _gpu() -> Finding:
    driver = _driver()
    try:
        runtime = importlib.import_module("cupy").cuda.runtime
    except ImportError:
        return Finding(
            "GPU", f"NVIDIA driver {driver}; CuPy is needed to use it" if driver else "none: training runs on the CPU"
        )
    try:
        names = [_gpu_name(runtime, i) for i in range(runtime.getDeviceCount())]
    except Exception as error:  # CuPy's own type
        if not driver:
            return Finding("GPU", "none, and no NVIDIA driver: training runs on the CPU")
        return Finding("GPU", f"none that CuPy can use ({error}); NVIDIA driver {driver}", None,
                       "the driver is older than CuPy's CUDA, or this process was given no GPU")  # fmt: skip
    newest = _cuda_version(runtime.driverGetVersion())
    return Finding("GPU", f"{'; '.join(names)}; NVIDIA driver {driver or '(unknown)'}, up to CUDA {newest}")


def _gpu_name(runtime: Any, index: int) -> str:
    properties = runtime.getDeviceProperties(index)
    return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB"


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


# Where files go


def _data_sets() -> Finding:
    folder = cache_dir()
    there = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    cached = sorted(there - {code_dir().name})
    value = f"digits (built in); in {folder}: {', '.join(cached) or 'nothing yet'}"
    advice = _cache_advice(folder)
    return Finding("data sets", value, None if advice else True, advice)


def _cache_advice(folder: Path, variable: str = "TINYGEN_CACHE") -> str:
    """What to do if nothing can be kept in a folder; "" if it can."""
    parent = next(path for path in [folder, *folder.parents] if path.is_dir())
    writable = os.access(parent, os.W_OK)
    return "" if writable else f"{parent} can't be written: set {variable} to a folder that can"


def _this_folder() -> Finding:
    folder = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        return Finding(
            "this folder", f"{folder} can't be written: {error.strerror}", None, "train with --out DIR elsewhere"
        )
    free = shutil.disk_usage(folder).free / 2**30
    advice = "a run takes some 0.1 GiB: train with --out DIR elsewhere" if free < 0.5 else ""
    return Finding("this folder", f"{folder} can be written, {free:.1f} GiB free", None if advice else True, advice)
