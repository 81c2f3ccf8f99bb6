"""NVRTC compiles every kernel for an H100, from the text and with the options that CuPy gives it. It needs no GPU."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
import pytest
import standin
from conftest import device
from test_kernels_cuda import elementwise_texts, sources

import tinygen as tg
from tinygen.kernels import noise
from tinygen.models import MODELS

pytestmark = pytest.mark.oracle

ARRAY, INDEXER = 1, 2  # CuPy's kinds of arguments


@pytest.fixture(scope="module")
def nvrtc() -> Any:
    """CuPy's module, where the library and CUDA's headers are installed."""
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.nvrtc.getVersion()
        cupy._core.core.assemble_cupy_compiler_options(())
    except RuntimeError:
        pytest.skip("no NVRTC: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime")
    return cupy.cuda.nvrtc


def compiled(source: str) -> bytes:
    """The binary of a source for an H100, with CuPy's options. Raises CompileException with NVRTC's log."""
    from cupy._core import core
    from cupy.cuda import compiler

    options = core.assemble_cupy_compiler_options(())
    program = compiler._NVRTCProgram(source, "tinygen.cu", method="cubin")
    return program.compile((*options, "-ftz=true", "--device-as-default-execution-space", "-arch=sm_90"))[0]


def elementwise_source(text: tuple[Any, ...], dtype: Any, ndim: int) -> str:
    """What CuPy makes of an ElementwiseKernel for arrays of that many axes; one axis is contiguous."""
    import cupy
    from cupy._core import _carray, _kernel, core

    in_params, out_params, operation, name, preamble = text
    kernel = cupy.ElementwiseKernel(in_params, out_params, operation, name, preamble=preamble)
    dtypes = [np.dtype(dtype if p.ctype == "T" else p.dtype) for p in kernel.params[:-1]]
    arrays = [_kernel._ArgInfo(ARRAY, cupy.ndarray, kind, ndim, ndim == 1, True) for kind in dtypes]
    indexer = _kernel._ArgInfo(INDEXER, _carray.Indexer, None, ndim, True, True)
    types = _kernel._TypeMap((("T", np.dtype(dtype)),))
    given = (*arrays, indexer), types, kernel.params, kernel.operation, kernel.name, kernel.preamble
    headers = "".join(f"#include <{header}>\n" for header in core._cupy_header_list)
    return headers + _kernel._get_elementwise_kernel_code(*given)


def texts() -> dict[str, tuple[Any, ...]]:
    """The elementwise kernels of tinygen/kernels."""
    plain = {name: (*text, f"tinygen_{name}", "") for name, text in elementwise_texts().items()}
    return plain | {name: (*text, f"tinygen_{name}", noise.MIX_CUDA) for name, text in noise.CUDA.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ndim", [1, 3])
def test_elementwise_kernels(dtype, ndim, nvrtc):
    for name, text in texts().items():
        assert f"tinygen_{name}".encode() in compiled(elementwise_source(text, dtype, ndim)), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sources_of_several_kernels(dtype, nvrtc):
    for source in sources(dtype):
        binary, names = compiled(source), re.findall(r'extern "C" __global__ void (\w+)', source)
        assert names and all(name.encode() in binary for name in names)


class Recorded:
    """A kernel of a compiled step, which is noted and does nothing."""

    made: ClassVar[list[Any]] = []

    def __init__(self, *text: Any, **more: Any):
        self.made.append((text, more))

    def __call__(self, *arguments: Any) -> None:
        pass

    def get_function(self, name: str) -> Any:
        return self


@pytest.mark.parametrize("name", ["gan", "vae", "dcgan"])
def test_kernels_that_are_made_for_a_compiled_step(name, nvrtc, monkeypatch):
    monkeypatch.setattr(Recorded, "made", [])
    for kind in ("ElementwiseKernel", "RawModule"):
        monkeypatch.setattr(standin, kind, Recorded, raising=False)
    with device("standin") as backend:
        model = MODELS[name](MODELS[name].Config(data_shape=(28, 28, 1)))
        step = tg.compile(model)
        step(backend.xp.zeros((4, 28, 28, 1), np.float32))
    assert step.reason is None
    made = {source_of(*text, **more): None for text, more in Recorded.made}
    assert made and all(len(compiled(source)) > 1000 for source in made)


def source_of(*text: Any, code: str = "", preamble: str = "") -> str:
    return code or elementwise_source((*text, preamble), np.float32, 1)


def test_a_mistake_in_a_kernel_is_found(nvrtc):
    from cupy.cuda.compiler import CompileException

    with pytest.raises(CompileException, match="missing"):
        compiled(elementwise_source(("T x", "T y", "y = missing(x)", "tinygen_wrong", ""), np.float32, 1))
