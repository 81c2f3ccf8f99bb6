"""Many arrays at once, for CuPy: a launch takes the table of where they lie by value; nothing is copied to the GPU."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from . import reference

MOST = 128  # arrays in a launch: a table is at most 4 KB
THREADS, SHARE = 256, 8  # in a block; elements that each of them copies at most

# Blocks first[k] to first[k + 1] copy array k to out[begin[k]] and on.
FLATTEN = """
struct Table { const T* array[MOST]; long long begin[MOST + 1]; long long first[MOST + 1]; };

extern "C" __global__ void flatten(Table table, T* out, long long arrays) {
  long long low = 0, high = arrays;
  while (high - low > 1) {
    const long long middle = (low + high) / 2;
    if (table.first[middle] <= blockIdx.x) low = middle; else high = middle;
  }
  const long long size = table.begin[low + 1] - table.begin[low];
  const long long at = (blockIdx.x - table.first[low]) * blockDim.x * SHARE + threadIdx.x;
  for (long long i = at; i < size && i < at + blockDim.x * SHARE; i += blockDim.x)
    out[table.begin[low] + i] = table.array[low][i];
}
"""
TABLE = np.dtype([("array", np.uint64, MOST), ("begin", np.int64, MOST + 1), ("first", np.int64, MOST + 1)])


def flatten_source(dtype: Any) -> str:
    """The CUDA source of FLATTEN for that dtype."""
    t = "float" if dtype == np.float32 else "double"
    return f"#define MOST {MOST}\n#define SHARE {SHARE}\ntypedef {t} T;\n{FLATTEN}"


@functools.cache
def _flatten(dtype: Any) -> Any:
    return cupy.RawModule(code=flatten_source(dtype)).get_function("flatten")


def flatten_into(out: Array, arrays: Sequence[Array]) -> None:
    """As reference.flatten_into, in a launch for every 128 arrays; other dtypes than floats are left to it."""
    arrays = [x for x in arrays if x.size]
    if out.dtype.char not in "fd" or not out.flags.c_contiguous:
        reference.flatten_into(out, arrays)
        return
    begin = 0
    for k in range(0, len(arrays), MOST):
        some = [cupy.ascontiguousarray(x, out.dtype) for x in arrays[k : k + MOST]]
        table, n = np.zeros(1, TABLE), len(some)
        sizes = [x.size for x in some]
        table["array"][0, :n] = [x.data.ptr for x in some]
        table["begin"][0, : n + 1] = [*itertools.accumulate(sizes, initial=begin)]
        table["first"][0, : n + 1] = [*itertools.accumulate((-(-s // (THREADS * SHARE)) for s in sizes), initial=0)]
        _flatten(out.dtype)((int(table["first"][0, n]),), (THREADS,), (table, out, np.int64(n)))
        begin += sum(sizes)
