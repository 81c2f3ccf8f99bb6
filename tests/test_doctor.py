"""The doctor: it tells what is there, what is missing and what to do, and nothing that is broken stops it."""

import importlib
import os
import re
import sys
import tempfile
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tinygen import doctor
from tinygen.compiler import backends
from tinygen.doctor import Finding

REQUIRED = {"tinygen", "Python", "NumPy", "matrix product", "Matplotlib", "Pillow", "safetensors", "tqdm"}


def finding(item):
    """One line of the report, without waiting for the measurement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "_matrix_product", lambda: Finding("matrix product", "not measured"))
        return next(finding for finding in doctor.examine() if finding.item == item)


@pytest.fixture
def absent(monkeypatch):
    """A function that makes modules impossible to import, as if they were not installed."""

    def remove(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return remove


@pytest.fixture
def blas(monkeypatch):
    """A function that sets what threadpoolctl and Linux say."""
    for name in ("OPENBLAS_CORETYPE", *doctor.THREAD_VARIABLES):
        monkeypatch.delenv(name, raising=False)

    def say(architecture="SkylakeX", threads=2, cores=2, cpu="flags: avx2 avx512f", api="openblas", copies=1):
        library = {"user_api": "blas", "internal_api": api, "version": "0.3", "num_threads": threads}
        library["architecture"] = architecture
        other = {"user_api": "openmp", "internal_api": "openmp", "version": None, "num_threads": 99}
        import threadpoolctl

        monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [other, *[library] * copies])
        monkeypatch.setattr(doctor, "_cpuinfo", lambda: cpu)
        monkeypatch.setattr(doctor, "cores", lambda: cores)
        return finding("BLAS")

    return say


def test_this_machine_can_run_tinygen():
    findings = doctor.examine()
    assert {finding.item for finding in findings} >= REQUIRED
    assert all(finding.ok is not False for finding in findings)
    assert finding("NumPy").value == np.__version__


def test_the_table_has_a_line_for_each_finding_and_its_advice_below():
    text = doctor.as_table([Finding("a", "1"), Finding("long name", "2", None, "do this"), Finding("b", "3", False)])
    assert text.splitlines() == [
        "ok  a          1",
        "--  long name  2",
        "               -> do this",
        "!!  b          3",
    ]


def test_run_prints_the_table_and_judges(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("a", "1"), Finding("b", "2", None, "try")])
    assert doctor.run() is True
    assert capsys.readouterr().out == "ok  a  1\n--  b  2\n       -> try\n"
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("a", "1", False)])
    assert doctor.run() is False


def test_nothing_that_is_broken_stops_it(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("broken\nin two lines")

    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.setattr(doctor, "cores", broken)
    monkeypatch.setattr(np, "allclose", broken)
    monkeypatch.setattr(tempfile, "TemporaryFile", broken)
    findings = doctor.examine()
    unknown = {finding.item for finding in findings if "RuntimeError: broken in two lines" in finding.value}
    assert unknown >= (REQUIRED - {"Python"}) | {"processor", "BLAS", "CuPy", "GPU", "this folder"}
    assert {finding.item for finding in findings if finding.ok is False} >= REQUIRED - {"Python"}
    assert "\n" not in "".join(finding.value for finding in findings)


def test_the_kernel_set_is_fine_where_it_uses_what_the_processor_has(blas):
    assert blas() == ("BLAS", "openblas 0.3, kernels for SkylakeX, 2 threads", True, "")
    assert blas("Haswell", cpu="flags: avx2").ok is True
    assert blas("neoversen1", cpu="").ok is True
    assert blas("Haswell", api="mkl").ok is True


def test_a_kernel_set_below_the_processor_is_told(blas, monkeypatch):
    assert "AVX-512" in blas("Haswell").advice and "OPENBLAS_CORETYPE" not in blas("Haswell").advice
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    told = blas("Haswell")
    assert told.ok is None and told.advice.endswith("unset OPENBLAS_CORETYPE, which is Haswell")


def test_threads_that_do_not_fit_the_cores_are_told(blas, monkeypatch):
    assert "set OPENBLAS_NUM_THREADS=2" in blas(threads=8).advice
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    told = blas(threads=1, cores=4)
    assert told.advice == "it uses 1 of 4 cores: unset OMP_NUM_THREADS" and told.value.endswith("1 thread")


def test_two_blas_libraries_are_told(blas):
    assert "2 BLAS libraries" in blas(copies=2).advice


def test_a_blas_that_threadpoolctl_does_not_know_is_named_by_numpy(blas):
    told = blas(copies=0)
    assert np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"] in told.value and told.ok is True


def test_the_matrix_product_is_measured_quickly():
    start = time.perf_counter()
    measured = doctor._matrix_product()
    assert time.perf_counter() - start < 5  # 0.4 s on an idle machine
    assert float(re.match(r"[\d,.]+", measured.value)[0].replace(",", "")) > 0 and measured.ok


def test_a_missing_numba_says_how_to_get_it(absent):
    absent("numba")
    assert finding("Numba") == ("Numba", "not installed", None,
                                'for faster training on the CPU: pip install "tinygen[fast]"')  # fmt: skip


def test_a_numba_that_does_not_fit_numpy_says_so(monkeypatch):
    real = importlib.import_module

    def refuse(name):
        if name == "numba":
            raise ImportError("Numba needs NumPy 2.2 or less")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    assert "Numba needs NumPy 2.2 or less" in finding("Numba").value


def test_what_compiled_steps_run_on_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(backends, "why_not_native", lambda: "")
    monkeypatch.setattr(backends, "in_words", lambda name: f"{name} code for 2 threads")
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.o").write_bytes(b"")
    found = finding("compiled steps")
    assert found.value.startswith("native code for 2 threads, products by ") and found.ok and not found.advice
    assert found.value.endswith(f"; 1 loop kept in {folder}")
    assert finding("data sets").value.endswith(": nothing yet")
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "set TINYGEN_CACHE to a folder" in finding("compiled steps").advice


@pytest.mark.parametrize(
    ("number", "words"), [("0", ("TINYGEN_NUMBA is 0", "unset it")), ("1", ("llvmlite is not", "tinygen[fast]"))]
)
def test_compiled_steps_without_native_code(monkeypatch, number, words):
    monkeypatch.setenv("TINYGEN_NUMBA", number)
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None)
    told = finding("compiled steps")
    assert told.ok is None and told.value.startswith("NumPy's calls, as ")
    assert words[0] in told.value and words[1] in told.advice


@pytest.mark.parametrize("driver, ok, words", [("", True, "no NVIDIA driver"), ("580.1", None, "not installed")])
def test_a_missing_cupy_matters_only_where_there_is_a_driver(absent, monkeypatch, driver, ok, words):
    absent("cupy")
    monkeypatch.setattr(doctor, "_driver", lambda: driver)
    cupy, gpu = finding("CuPy"), finding("GPU")
    assert cupy.ok is ok and words in cupy.value
    assert bool(cupy.advice) == (ok is None) == ("tinygen[cuda13]" in cupy.advice)
    assert gpu.value.startswith(f"NVIDIA driver {driver}" if driver else "none")


def fake_cupy(count):
    def devices():
        if count == 0:
            raise RuntimeError("cudaErrorInsufficientDriver")
        return count

    runtime = SimpleNamespace(
        getDeviceCount=devices,
        getDeviceProperties=lambda i: {"name": b"Test GPU", "totalGlobalMem": (8 + i) * 2**30},
        runtimeGetVersion=lambda: 13020,
        driverGetVersion=lambda: 13000,
    )
    return SimpleNamespace(__version__="14.0", cuda=SimpleNamespace(runtime=runtime))


def test_gpus_are_named_with_their_memory(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(2))
    monkeypatch.setattr(doctor, "_driver", lambda: "580.65")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kernels"))
    none = f"14.0, built for CUDA 13.2; no kernel is compiled yet in {tmp_path / 'kernels'}"
    assert finding("CuPy") == ("CuPy", none, True, "")
    (tmp_path / "kernels").mkdir()
    for name in ("a.cubin", "b.cubin", "b.cubin.cu"):
        (tmp_path / "kernels" / name).touch()
    assert finding("CuPy").value.endswith(f"; 2 kernels kept in {tmp_path / 'kernels'}")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    told = finding("CuPy")
    assert told.ok is None and told.advice.endswith("can't be written: set CUPY_CACHE_DIR to a folder that can")
    assert finding("GPU").value == "Test GPU, 8 GiB; Test GPU, 9 GiB; NVIDIA driver 580.65, up to CUDA 13.0"


@pytest.mark.parametrize("driver, ok", [("", True), ("470.1", None)])
def test_a_gpu_that_cannot_be_used_is_told_where_there_is_a_driver(monkeypatch, driver, ok):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(0))
    monkeypatch.setattr(doctor, "_driver", lambda: driver)
    told = finding("GPU")
    assert told.ok is ok and ("cudaErrorInsufficientDriver" in told.value) == bool(driver)


@pytest.mark.parametrize(
    "text, version",
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build", "580.65.06"),
        ("something else", "found"),
    ],
)
def test_the_version_of_the_driver_is_read(monkeypatch, tmp_path, text, version):
    (tmp_path / "version").write_text(text)
    monkeypatch.setattr(doctor, "DRIVER_FILE", tmp_path / "version")
    assert doctor._driver() == version


def test_without_a_driver_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "DRIVER_FILE", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._driver() == ""


def test_the_data_sets_in_the_cache_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGEN_CACHE", str(tmp_path / "cache"))
    assert finding("data sets").value == f"digits (built in); in {tmp_path / 'cache'}: nothing yet"
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    assert finding("data sets").value.endswith(": mnist")


def test_a_folder_that_cannot_be_written_is_told(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    told = finding("this folder")
    assert told.ok is None and "Permission denied" in told.value and "--out" in told.advice


def test_a_disk_that_is_nearly_full_is_told(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert finding("this folder").ok is None
