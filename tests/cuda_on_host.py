"""CUDA without a GPU: as much of CuPy as tinygen/kernels/cuda*.py take, on NumPy arrays, with kernels run by the host.

A kernel is compiled by g++ behind a header that stands for CUDA. The blocks of a grid run one after the other, and the
threads of a block are coroutines: each runs to its next __syncthreads(), then the next does. Both take turns from the
first to the last or the other way round, so that a result that depends on an order (a barrier that is missing) shows.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import math
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

HEADER = """
#include <cmath>
#include <functional>
#include <vector>
#include <ucontext.h>
using namespace std;
#define __global__
#define __device__
#define __shared__ static
struct Dim { unsigned x, y, z; };
static Dim threadIdx, blockIdx, blockDim, gridDim;
static inline void __threadfence() {}
static inline unsigned atomicAdd(unsigned* x, unsigned n) { *x += n; return *x - n; }
static inline float rsqrt(float x) { return 1 / sqrt(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }

struct Thread { ucontext_t context; vector<char> stack = vector<char>(1 << 15); bool done = false; };
static ucontext_t scheduler;
static Thread* current;
static function<void()> kernel;
static void start() { kernel(); current->done = true; }
static void __syncthreads() { swapcontext(&current->context, &scheduler); }

// False if some threads of a block wait at a barrier for others that have ended.
static bool run_block(vector<Thread>& threads, bool backwards) {
  for (Thread& t : threads) {
    getcontext(&t.context);
    t.context.uc_stack.ss_sp = t.stack.data();
    t.context.uc_stack.ss_size = t.stack.size();
    t.context.uc_link = &scheduler;
    t.done = false;
    makecontext(&t.context, start, 0);
  }
  for (size_t ended = 0, n = threads.size(); ended < n; backwards = !backwards) {
    for (size_t k = 0; k < n; ++k) {
      const unsigned i = backwards ? n - 1 - k : k;
      threadIdx = {i % blockDim.x, i / blockDim.x, 0};
      current = &threads[i];
      swapcontext(&scheduler, &current->context);
      ended += current->done;
    }
    if (ended > 0 && ended < n) return false;
  }
  return true;
}

static bool run(Dim grid, Dim block, bool backwards, function<void()> f) {
  kernel = f; gridDim = grid; blockDim = block;
  vector<Thread> threads(block.x * block.y * block.z);
  for (unsigned n = grid.x * grid.y, k = 0; k < n; ++k) {
    const unsigned i = backwards ? n - 1 - k : k;
    blockIdx = {i % grid.x, i / grid.x, 0};
    if (!run_block(threads, backwards)) return false;
  }
  return true;
}
"""

TYPES = {"bool": "bool", "float32": "float", "float64": "double"}
TYPES |= {"int8": "signed char", "int16": "short", "int32": "int", "int64": "long long"}
TYPES |= {f"u{name}": f"unsigned {c.removeprefix('signed ')}" for name, c in TYPES.items() if name.startswith("int")}


class Parameter(NamedTuple):
    type: str
    name: str
    is_raw: bool = False  # all of an array, to be read anywhere

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def c_type(self) -> str:
        return TYPES.get(self.type, self.type)


def parameters(line: str) -> list[Parameter]:
    """Of "const T* x, long long n" or "raw T x, uint64 k"."""
    ones = [one.replace("const ", "").replace("volatile ", "").strip() for one in line.split(",")]
    return [Parameter(*one.removeprefix("raw ").rsplit(" ", 1), one.startswith("raw ")) for one in ones]


def signatures(source: str) -> dict[str, list[Parameter]]:
    """The kernels of a source, and what they take."""
    found = re.findall(r'extern "C" __global__ void (\w+)\((.*?)\)', source, re.DOTALL)
    return {name: parameters(" ".join(line.split())) for name, line in found}


def elementwise_source(dtype: Any, in_params: str, out_params: str, body: str, name: str, preamble: str = "") -> str:
    """An elementwise kernel as CuPy wraps it, but for strides: all its arguments are arrays of one size, or raw."""
    inputs, outputs = parameters(in_params), parameters(out_params)
    bind = [
        f"{const}{p.c_type}* {p.name} = ({p.c_type}*)_args[{k}];"
        if p.is_raw
        else f"{const}{p.c_type}& {p.name} = (({p.c_type}*)_args[{k}])[i];"
        for k, (const, p) in enumerate([("const ", p) for p in inputs] + [("", p) for p in outputs])
    ]
    lines = "\n    ".join(bind)
    return f"""
typedef {TYPES[np.dtype(dtype).name]} T;
{preamble}
extern "C" __global__ void {name}(long long _size, void** _args) {{
  const long long _first = (long long)blockIdx.x * blockDim.x + threadIdx.x, _step = (long long)blockDim.x * gridDim.x;
  for (long long i = _first; i < _size; i += _step) {{
    {lines}
    {body};
  }}
}}
"""


# -fno-gnu-unique: else libraries would share the __shared__ memory of templates of one name
GXX = ["g++", "-O1", "-std=c++17", "-Wall", "-Wno-unused-function", "-Werror", "-fPIC", "-fno-gnu-unique"]


@functools.cache
def _header() -> Path:
    """HEADER in a folder of its own, where g++ finds it compiled: it takes three times as long as a kernel."""
    folder = Path(tempfile.mkdtemp(prefix="tinygen-cuda-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "cuda.h").write_text(HEADER)
    subprocess.run([*GXX, "-x", "c++-header", "cuda.h", "-o", "cuda.h.gch"], cwd=folder, check=True)
    return folder / "cuda.h"


@functools.cache
def _library(source: str) -> Any:
    """A source with a function run_NAME for each of its kernels, compiled."""
    launchers = [
        f'extern "C" bool run_{name}(Dim grid, Dim block, bool backwards, {", ".join(map(str, taken))}) {{\n'
        f"  return run(grid, block, backwards, [=] {{ {name}({', '.join(p.name for p in taken)}); }});\n}}\n"
        for name, taken in signatures(source).items()
    ]
    folder = Path(tempfile.mkdtemp(prefix="tinygen-cuda-"))
    try:
        (folder / "all.cpp").write_text("\n".join([f'#include "{_header()}"', source, *launchers]))
        subprocess.run([*GXX, "-shared", "all.cpp", "-o", "all.so"], cwd=folder, check=True)
        return ctypes.CDLL(str(folder / "all.so"))
    finally:
        shutil.rmtree(folder)


class Dim(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_uint) for axis in "xyz"]


def _as_c(value: Any, parameter: Parameter, dtype: np.dtype) -> Any:
    """An argument as C takes it. CuPy checks nothing here: another type or another order would be read as garbage."""
    if parameter.type in (pointers := {"T*": dtype, "unsigned*": np.uint32, "void**": np.uintp}):
        assert isinstance(value, np.ndarray) and value.flags.c_contiguous, f"{parameter!r}: {value!r}"
        assert value.dtype == pointers[parameter.type], f"{parameter!r}: {value.dtype}"
        return ctypes.c_void_p(value.ctypes.data)
    if parameter.type == "Table":  # a structure, by value
        assert isinstance(value, np.ndarray) and value.shape == (1,) and value.dtype.names, f"{parameter!r}: {value!r}"
        words = ctypes.c_uint64 * (value.nbytes // 8)
        return type("Table", (ctypes.Structure,), {"_fields_": [("words", words)]})(words(*value.view(np.uint64)))
    if parameter.type.endswith("*"):  # of an array of one dtype, which may lie in any way
        kind = next(name for name, c in TYPES.items() if f"{c}*" == parameter.type)
        assert isinstance(value, np.ndarray) and value.dtype == kind, f"{parameter!r}: {value!r}"
        return ctypes.c_void_p(value.ctypes.data)
    expected, c_type = {
        "T": (dtype.type, ctypes.c_float if dtype == np.float32 else ctypes.c_double),
        "long long": (np.int64, ctypes.c_longlong),
    }[parameter.type]
    assert type(value) is expected, f"{parameter!r}: {value!r}"
    return c_type(value)


backwards = False  # the order in which threads take turns


class RawModule:
    def __init__(self, code: str):
        self.code = code
        self.dtype = np.dtype(np.float32 if "typedef float T;" in code else np.float64)

    def get_function(self, name: str) -> Any:
        taken = signatures(self.code)[name]

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            dims = [Dim(*size, *(1,) * (3 - len(size))) for size in (grid, block)]
            assert min(grid) > 0 and max(grid[1:], default=1) < 1 << 16 and 0 < np.prod(block) <= 1024
            assert len(args) == len(taken), f"{name}: {len(args)} arguments for {len(taken)}"
            function = getattr(_library(self.code), f"run_{name}")
            function.restype = ctypes.c_bool
            c_args = [_as_c(a, p, self.dtype) for a, p in zip(args, taken, strict=True)]
            assert function(*dims, backwards, *c_args), f"{name}: threads wait at a barrier for others that have ended"

        return launch


def flushed(x: Any) -> Any:
    """x as a kernel of CuPy reads and writes it: -ftz=true takes a float32 below the smallest normal number for 0."""
    if getattr(x, "dtype", None) == np.float32:
        return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(x.dtype.type(0), x), x)
    return x


class ElementwiseKernel:
    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
    ):
        assert isinstance(reduce_dims, bool), f"reduce_dims: {reduce_dims!r}"
        self.inputs, self.outputs = parameters(in_params), parameters(out_params)
        self.text = (in_params, out_params, operation, name, preamble)

    def __call__(self, *args: Any) -> Any:
        """As CuPy: T is the one dtype of the arrays, scalars follow; what is not given of the outputs is made."""
        parameters = self.inputs + self.outputs
        assert len(args) in (len(self.inputs), len(parameters))
        given = zip(parameters, args, strict=False)
        kinds = {a.dtype for p, a in given if isinstance(a, np.ndarray) and p.type == "T"} or {np.dtype(np.float32)}
        assert len(kinds) == 1, f"Type is mismatched. {kinds}"
        (dtype,) = kinds
        types = [dtype if p.type == "T" else np.dtype(p.type) for p in parameters]
        outs = list(args[len(self.inputs) :])
        flat = [np.shape(a) for p, a in zip(parameters, args, strict=False) if not p.is_raw]
        shape = np.broadcast_shapes(*flat)
        assert all(out.shape == shape for out in outs)
        outs = outs or [np.empty(shape, dtype) for _ in self.outputs]
        given = zip(parameters, [*args[: len(self.inputs)], *outs], types, strict=True)
        spread = [(a if p.is_raw else np.broadcast_to(a, shape), dtype) for p, a, dtype in given]
        full = [np.array(flushed(a.astype(dtype)), order="C") for a, dtype in spread]
        pointers = np.array([a.ctypes.data for a in full], np.uintp)
        launch = RawModule(elementwise_source(dtype, *self.text)).get_function(self.text[3])
        launch((1,), (3,), (np.int64(math.prod(shape)), pointers))
        for out, result in zip(outs, full[len(self.inputs) :], strict=True):
            out[...] = flushed(result)
        return outs[0] if len(outs) == 1 else tuple(outs)


ndarray = np.ndarray
arange, cos, log, sqrt = np.arange, np.cos, np.log, np.sqrt
asarray, broadcast_to, searchsorted, zeros = np.asarray, np.broadcast_to, np.searchsorted, np.zeros
argsort = functools.partial(np.argsort, kind="stable")


class _Placed(np.ndarray):
    """An array that knows its address, as CuPy's do."""

    data = property(lambda x: SimpleNamespace(ptr=x.ctypes.data))  # type: ignore[assignment]


def ascontiguousarray(x: Any, dtype: Any = None) -> np.ndarray:
    return np.ascontiguousarray(x, dtype).view(_Placed)


def empty(shape: Any, dtype: Any = float) -> np.ndarray:
    """What was not written shows."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 7, dtype)


cuda = SimpleNamespace(get_device_id=lambda: 0, get_current_stream=lambda: SimpleNamespace(ptr=0))
