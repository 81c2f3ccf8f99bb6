"""Sums down the columns of (rows, columns), and what needs them, for CuPy: each in one launch, however few the columns.

CuPy's own x.sum(axis=0) gives a few columns to a few blocks. Here blocks part the rows as well, and the block that is
the last to be done adds up what all of them found: always in the same order, so that sums are the same to the bit.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from . import reference, sums
from .cuda_dtypes import of_one_dtype

THREADS = 256  # in a block
BLOCKS = 1024  # enough to fill any GPU of today; one that does not depend on the GPU keeps sums the same to the bit
MANY = 1 << 15  # scores: too many for one block
SHARE = 8  # rows that a thread adds up at least, or adding up what the blocks found would cost more

# `chunk` rows to each block. `parts` has room for what each of them found; `done`, for each tile of columns, how many
# of its blocks are: 0 before and after a launch.
COLUMNS = """
// The sum over the threads of a block that share a column: right in those with threadIdx.y == 0. blockDim.y is 2^k.
template <class V> __device__ V down(V v) {
  __shared__ V s[THREADS];
  const unsigned t = threadIdx.y * blockDim.x + threadIdx.x;
  s[t] = v;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) s[t] = s[t] + s[t + half * blockDim.x];
  }
  return s[t];
}

// Whether this block is the last to come here of those that share its columns. It sees what the others wrote before.
__device__ bool is_last(unsigned* done) {
  __shared__ bool last;
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    __threadfence();
    last = atomicAdd(done + blockIdx.x, 1) == gridDim.y - 1;
    if (last) done[blockIdx.x] = 0;
    __threadfence();
  }
  __syncthreads();
  return last;
}

struct Pair { T a, b; };
__device__ Pair operator+(Pair u, Pair v) { return {u.a + v.a, u.b + v.b}; }

// How many numbers, their mean, and the sum of their squared distances from it.
struct Moments { T n, mean, m2; };
__device__ Moments operator+(Moments u, Moments v) {  // Chan, Golub and LeVeque 1979, equation 2.1
  const T n = u.n + v.n;
  if (n == 0) return u;
  const T share = v.n / n, d = v.mean - u.mean;
  return {n, u.mean + d * share, u.m2 + v.m2 + d * d * u.n * share};
}

// The column of this thread, and the rows of its block.
#define WHERE \\
  const long long c = (long long)blockIdx.x * blockDim.x + threadIdx.x; \\
  const long long begin = blockIdx.y * chunk, end = begin + chunk < rows ? begin + chunk : rows; \\
  const bool inside = c < columns
#define EACH_ROW(r) \\
  for (long long r = begin + threadIdx.y; inside && r < end; r += blockDim.y)

// Whether this thread has all of column c in v, where each came with what it found.
template <class V> __device__ bool has_all(V& v, long long c, long long columns, T* parts, unsigned* done) {
  V* found = (V*)parts;
  v = down(v);
  if (gridDim.y > 1) {
    if (c < columns && threadIdx.y == 0) found[blockIdx.y * columns + c] = v;
    if (!is_last(done)) return false;
    v = V();
    for (unsigned b = threadIdx.y; c < columns && b < gridDim.y; b += blockDim.y) v = v + found[b * columns + c];
    v = down(v);
  }
  return c < columns && threadIdx.y == 0;
}

// y[c] = sum of x[r, c]
extern "C" __global__ void column_sum(
    const T* x, T* y, T* parts, unsigned* done, long long rows, long long columns, long long chunk) {
  WHERE;
  T sum = 0;
  EACH_ROW(r) sum += x[r * columns + c];
  if (has_all(sum, c, columns, parts, done)) y[c] = sum;
}

// mu[c] and var[c]: mean and biased variance of x[r, c] (Welford 1962)
extern "C" __global__ void column_moments(
    const T* x, T* mu, T* var, T* parts, unsigned* done, long long rows, long long columns, long long chunk) {
  WHERE;
  Moments m = {0, 0, 0};
  EACH_ROW(r) {
    const T v = x[r * columns + c], d = v - m.mean;
    m.n += 1;
    m.mean += d / m.n;
    m.m2 += d * (v - m.mean);
  }
  if (!has_all(m, c, columns, parts, done)) return;
  mu[c] = m.mean;
  var[c] = m.m2 / m.n;
}

// gbeta[c] = sum of gy[r, c], and ggamma[c] = sum of gy[r, c] (x[r, c] - mu[c]) / sqrt(var[c] + eps)
extern "C" __global__ void batch_norm_sums(
    const T* gy, const T* x, const T* mu, const T* var, T eps, T* gbeta, T* ggamma, T* parts, unsigned* done,
    long long rows, long long columns, long long chunk) {
  WHERE;
  const T centre = inside ? mu[c] : 0;
  Pair sum = {0, 0};
  EACH_ROW(r) {
    const T g = gy[r * columns + c];
    sum = sum + Pair{g, g * (x[r * columns + c] - centre)};
  }
  if (!has_all(sum, c, columns, parts, done)) return;
  gbeta[c] = sum.a;
  ggamma[c] = sum.b * rsqrt(var[c] + eps);
}

// In one block: y = {share of scores on the right side of the limit, mean of n real ones, mean of m fake ones}
extern "C" __global__ void verdicts(
    const T* real, const T* fake, T* y, T limit, long long limited, long long probability, long long n, long long m) {
  Pair right = {0, 0}, sum = {0, 0};
  for (long long i = threadIdx.y; i < n + m; i += blockDim.y) {
    const bool is_real = i < n;
    const T x = is_real ? real[i] : fake[i - n], e = exp(x > 0 ? -x : x);
    const T v = probability ? (x > 0 ? T(1) : e) / (1 + e) : x, r = limited ? T(is_real ? x > limit : x <= limit) : x;
    right = right + (is_real ? Pair{r, 0} : Pair{0, r});
    sum = sum + (is_real ? Pair{v, 0} : Pair{0, v});
  }
  right = down(right);
  __syncthreads();
  sum = down(sum);
  if (threadIdx.y > 0) return;
  y[0] = limited ? (right.a / n + right.b / m) / 2 : right.a / n - right.b / m;
  y[1] = sum.a / n;
  y[2] = sum.b / m;
}
"""

ELEMENTWISE = {  # as in cuda.py
    "batch_norm": (
        "T x, T gamma, T beta, T mu, T var, T eps",
        "T y",
        "y = (x - mu) * (gamma * rsqrt(var + eps)) + beta",
    ),
    "batch_norm_grad": (
        "T gy, T x, T gamma, T mu, T var, T ggamma, T gbeta, T eps, T share",
        "T gx",
        """
        const T inverse_std = rsqrt(var + eps), xhat = (x - mu) * inverse_std;
        gx = gamma * inverse_std * (gy - (gbeta + xhat * ggamma) * share)
        """,
    ),
}


def column_source(dtype: Any) -> str:
    """The CUDA source of the kernels of COLUMNS for that dtype."""
    return f"#define THREADS {THREADS}\ntypedef {'float' if dtype == np.float32 else 'double'} T;\n{COLUMNS}"


@functools.cache
def _columns(dtype: Any, name: str) -> Any:
    return _module(dtype).get_function(name)


@functools.cache
def _module(dtype: Any) -> Any:
    return cupy.RawModule(code=column_source(dtype))


@functools.cache
def _elementwise(name: str) -> Any:
    return cupy.ElementwiseKernel(*ELEMENTWISE[name], f"tinygen_{name}")


def total(x: Array, axis: sums.Axis = None, keepdims: bool = False) -> Array:
    """As sums.total; over all axes but the last by column_sum."""
    if _is_of_columns(x, axis):
        return column_sum(x).reshape((1,) * ((x.ndim - 1) * keepdims) + x.shape[-1:])
    return sums.total(x, axis, keepdims)


def total_into(x: Array, axis: tuple[int, ...], out: Array) -> Array:
    """As sums.total_into; over all axes but the last by the kernel of column_sum."""
    if _is_of_columns(x, axis) and x.dtype == out.dtype and x.size:
        _reduce("column_sum", [_matrix(x)], [out])
        return out
    return sums.total_into(x, axis, out)


def _is_of_columns(x: Array, axis: sums.Axis) -> bool:
    """Whether a sum goes over all axes but the last, and the kernels take x."""
    return x.dtype.char in "fd" and axis == tuple(range(x.ndim - 1)) != ()


@of_one_dtype()
def column_sum(x: Array) -> Array:
    """As reference.column_sum, in one launch."""
    y = cupy.empty(x.shape[-1], x.dtype)
    _reduce("column_sum", [_matrix(x)], [y])
    return y


@of_one_dtype()
def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """As reference.batch_norm: the statistics in one launch, then one pass over the elements."""
    mu, var = (cupy.empty(x.shape[-1], x.dtype) for _ in range(2))
    _reduce("column_moments", [_matrix(x)], [mu, var], width=3)
    return _elementwise("batch_norm")(x, gamma, beta, mu, var, eps), mu, var


@of_one_dtype()
def batch_norm_grad(gy: Array, x: Array, gamma: Array, mu: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    """As reference.batch_norm_grad: both sums in one launch, then one pass over the elements."""
    gbeta, ggamma = (cupy.empty(x.shape[-1], x.dtype) for _ in range(2))
    read = [_matrix(gy), _matrix(x), *(cupy.ascontiguousarray(a) for a in (mu, var)), x.dtype.type(eps)]
    _reduce("batch_norm_sums", read, [gbeta, ggamma], width=2)
    gx = _elementwise("batch_norm_grad")(gy, x, gamma, mu, var, ggamma, gbeta, eps, x.shape[-1] / x.size)
    return gx, ggamma, gbeta


@of_one_dtype()
def verdicts(real: Array, fake: Array, limit: float | None, probability: bool) -> tuple[Array, Array, Array]:
    """As reference.verdicts, in one launch of one block; many scores are left to the definition."""
    if real.size + fake.size > MANY:
        return reference.verdicts(real, fake, limit, probability)
    y, scores = cupy.empty(3, real.dtype), [cupy.ascontiguousarray(x) for x in (real, fake)]
    numbers = [np.int64(n) for n in (limit is not None, probability, real.size, fake.size)]
    _columns(real.dtype, "verdicts")((1,), (1, THREADS), (*scores, y, real.dtype.type(limit or 0), *numbers))
    return y[0], y[1], y[2]


def _matrix(x: Array) -> Array:
    """x (..., C) as a contiguous (rows, C)."""
    return cupy.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _reduce(name: str, read: list[Any], outs: list[Array], width: int = 1) -> None:
    """Launch a kernel of COLUMNS; its sums are of so many numbers."""
    rows, columns = read[0].shape
    grid, block, chunk = _geometry(rows, columns)
    parts = cupy.empty(grid[1] * columns * width if grid[1] > 1 else 1, read[0].dtype)
    done = _counters(cupy.cuda.get_device_id(), cupy.cuda.get_current_stream().ptr, threading.get_ident())
    args = (*read, *outs, parts, done, *map(np.int64, (rows, columns, chunk)))
    _columns(read[0].dtype, name)(grid, block, args)


@functools.cache
def _counters(device: int, stream: int, thread: int) -> Array:
    """How many blocks of a tile are done: of launches that come one after the other, each of which leaves zeros."""
    return cupy.zeros(BLOCKS, np.uint32)


def _geometry(rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Grid and block, both (across the columns, down the rows), and the rows that each block takes.

    Threads side by side read side by side: with few columns, the rest of a warp takes the next rows.
    """
    across = min(32, 1 << (columns - 1).bit_length())
    tiles, down = -(-columns // across), THREADS // across
    chunk = max(SHARE * down, -(-rows // max(BLOCKS // tiles, 1)))
    return (tiles, -(-rows // chunk)), (across, down), chunk
