"""The twins of `reference.py` for CuPy. CuPy compiles each when it is first used, and keeps the binary on disk.

As in everything that CuPy compiles, a float32 below 1.2e-38 is 0 (-ftz=true).

Nothing here waits for the GPU. What the kernels do not take (dtypes other than float32 and float64, mixed ones, empty
arrays) is left to the definitions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import cupy
import numpy as np

from ..backend import Array
from . import reference, sums

THREADS = 256  # in a block
BLOCKS = 1024  # enough to fill any GPU of today; one that does not depend on the GPU keeps sums the same to the bit
SHARE = 8  # rows that a thread adds up at least, or the second stage would cost more than the first

# Sums down the columns of (rows, columns). CuPy's own x.sum(axis=0) gives a few columns to a few blocks; here blocks
# part the rows as well, `chunk` rows to each, and a second launch adds up what the blocks found.
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

// y[block, c] = sum of x[r, c] over the rows of the block
extern "C" __global__ void column_sum(const T* x, T* y, long long rows, long long columns, long long chunk) {
  WHERE;
  T sum = 0;
  EACH_ROW(r) sum += x[r * columns + c];
  sum = down(sum);
  if (inside && threadIdx.y == 0) y[blockIdx.y * columns + c] = sum;
}

// mu[block, c] and var[block, c]: mean and biased variance of x[r, c] over the rows of the block (Welford 1962)
extern "C" __global__ void column_moments(
    const T* x, T* mu, T* var, long long rows, long long columns, long long chunk) {
  WHERE;
  Moments m = {0, 0, 0};
  EACH_ROW(r) {
    const T v = x[r * columns + c], d = v - m.mean;
    m.n += 1;
    m.mean += d / m.n;
    m.m2 += d * (v - m.mean);
  }
  m = down(m);
  if (!inside || threadIdx.y > 0) return;
  mu[blockIdx.y * columns + c] = m.mean;
  var[blockIdx.y * columns + c] = m.m2 / m.n;
}

// mu[c] and var[c] of them all, from those of `rows` blocks, which stand for `chunk0` rows each, of rows0 in all
extern "C" __global__ void merge_moments(
    const T* mus, const T* vars, T* mu, T* var, long long rows, long long columns, long long chunk, long long rows0,
    long long chunk0) {
  WHERE;
  Moments m = {0, 0, 0};
  EACH_ROW(r) {
    const T n = rows0 - r * chunk0 < chunk0 ? rows0 - r * chunk0 : chunk0;
    m = m + Moments{n, mus[r * columns + c], vars[r * columns + c] * n};
  }
  m = down(m);
  if (!inside || threadIdx.y > 0) return;
  mu[c] = m.mean;
  var[c] = m.m2 / m.n;
}

// y[block, c] = sum of gy[r, c], and y[block, columns + c] = sum of gy[r, c] (x[r, c] - mu[c]) / sqrt(var[c] + eps)
extern "C" __global__ void batch_norm_sums(
    const T* gy, const T* x, const T* mu, const T* var, T eps, T* y, long long rows, long long columns,
    long long chunk) {
  WHERE;
  const T centre = inside ? mu[c] : 0;
  Pair sum = {0, 0};
  EACH_ROW(r) {
    const T g = gy[r * columns + c];
    sum = sum + Pair{g, g * (x[r * columns + c] - centre)};
  }
  sum = down(sum);
  if (!inside || threadIdx.y > 0) return;
  y[blockIdx.y * 2 * columns + c] = sum.a;
  y[(blockIdx.y * 2 + 1) * columns + c] = sum.b * rsqrt(var[c] + eps);
}
"""

# CuPy's elementwise kernels, which broadcast and take any strides: inputs, outputs, and what is done to each element.
ELEMENTWISE = {
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
    "adam": (
        "T g, T old1, T new1, T old2, T new2, T size, T correction, T eps",
        "T p, T m, T v",
        """
        m = old1 * m + new1 * g;
        v = old2 * v + new2 * g * g;
        p -= size * m / (sqrt(v) * correction + eps)
        """,
    ),
    "leaky_relu": ("T x, T slope", "T y", "y = x > 0 || x != x ? x : slope == 0 ? T(0) : x * slope"),
    "leaky_relu_grad": (
        "T gy, T y, T slope",
        "T gx",
        "gx = slope != 0 ? (y > 0 ? gy : gy * slope) : (y <= 0 ? T(0) : gy)",
    ),
    "sigmoid_cross_entropy": (
        "T x, T t",
        "T y",
        "const T share = (x > 0 ? T(1) : T(0)) - t; y = (share == 0 ? T(0) : x * share) + log1p(exp(x > 0 ? -x : x))",
    ),
    "sigmoid_cross_entropy_grad": (
        "T gy, T x, T t",
        "T gx",
        "const T e = exp(x > 0 ? -x : x); gx = gy * ((x > 0 ? T(1) : e) / (1 + e) - t)",
    ),
    "sigmoid": ("T x", "T y", "const T e = exp(x > 0 ? -x : x); y = (x > 0 ? T(1) : e) / (1 + e)"),
    "erf": ("T x", "T y", "y = erf(x)"),
    "erfc": ("T x", "T y", "y = erfc(x)"),
    "dropout": ("T x, bool kept, T scale", "T y", "y = kept ? x * scale : T(0)"),
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


def _twin(also: str = "") -> Callable[..., Any]:
    """Leave to the definition what the kernels do not take. also: other dtypes, by character, that arrays may have."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        definition = getattr(reference, function.__name__)

        @functools.wraps(function)
        def twin(*args: Any) -> Any:
            arrays = [a for a in args if isinstance(a, cupy.ndarray)]
            fits = {a.dtype.char for a in arrays}.difference(also) in ({"f"}, {"d"}) and all(a.size for a in arrays)
            return function(*args) if fits else definition(*args)

        return twin

    return decorate


def total(x: Array, axis: sums.Axis = None, keepdims: bool = False) -> Array:
    """As sums.total; over all axes but the last by column_sum."""
    if _is_of_columns(x, axis):
        return column_sum(x).reshape((1,) * ((x.ndim - 1) * keepdims) + x.shape[-1:])
    return sums.total(x, axis, keepdims)


def total_into(x: Array, axis: tuple[int, ...], out: Array) -> Array:
    """As sums.total_into; over all axes but the last by the kernels of column_sum."""
    if _is_of_columns(x, axis) and x.dtype == out.dtype and x.size:
        return _column_sum(_matrix(x), out)
    return sums.total_into(x, axis, out)


def _is_of_columns(x: Array, axis: sums.Axis) -> bool:
    """Whether a sum goes over all axes but the last, and the kernels take x."""
    return x.dtype.char in "fd" and axis == tuple(range(x.ndim - 1)) != ()


@_twin()
def column_sum(x: Array) -> Array:
    """As reference.column_sum, in two launches (one, for few rows) however few the columns."""
    return _column_sum(_matrix(x))


@_twin()
def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """As reference.batch_norm: the statistics in two launches, then one pass over the elements."""
    mu, var = _column_moments(_matrix(x))
    return _elementwise("batch_norm")(x, gamma, beta, mu, var, eps), mu, var


@_twin()
def batch_norm_grad(gy: Array, x: Array, gamma: Array, mu: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    """As reference.batch_norm_grad: both sums in two launches, then one pass over the elements."""
    columns, arrays = x.shape[-1], [cupy.ascontiguousarray(a) for a in (mu, var)]
    rows = x.size // columns
    grid, block, chunk = _geometry(rows, columns)
    sums = cupy.empty((grid[1], 2 * columns), x.dtype)
    args = (_matrix(gy), _matrix(x), *arrays, x.dtype.type(eps), sums, *map(np.int64, (rows, columns, chunk)))
    _columns(x.dtype, "batch_norm_sums")(grid, block, args)
    total = _column_sum(sums) if len(sums) > 1 else sums[0]
    gbeta, ggamma = total[:columns], total[columns:]
    gx = _elementwise("batch_norm_grad")(gy, x, gamma, mu, var, ggamma, gbeta, eps, 1 / rows)
    return gx, ggamma, gbeta


@_twin()
def adam(p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, t: int) -> None:
    """As reference.adam, in one launch."""
    size, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    _elementwise("adam")(g, beta1, 1 - beta1, beta2, 1 - beta2, size, correction, eps, p, m, v)


@_twin()
def leaky_relu(x: Array, slope: float) -> Array:
    """As reference.leaky_relu, in one launch."""
    return _elementwise("leaky_relu")(x, slope)


@_twin()
def leaky_relu_grad(gy: Array, y: Array, slope: float) -> Array:
    """As reference.leaky_relu_grad, in one launch."""
    return _elementwise("leaky_relu_grad")(gy, y, slope)


@_twin()
def sigmoid_cross_entropy(x: Array, t: Array) -> Array:
    """As reference.sigmoid_cross_entropy, in one launch."""
    return _elementwise("sigmoid_cross_entropy")(x, t)


@_twin()
def sigmoid_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    """As reference.sigmoid_cross_entropy_grad, in one launch."""
    return _elementwise("sigmoid_cross_entropy_grad")(gy, x, t)


@_twin()
def sigmoid(x: Array) -> Array:
    """As reference.sigmoid, in one launch."""
    return _elementwise("sigmoid")(x)


@_twin()
def erf(x: Array) -> Array:
    """As reference.erf, in one launch."""
    return _elementwise("erf")(x)


@_twin()
def erfc(x: Array) -> Array:
    """As reference.erfc, in one launch."""
    return _elementwise("erfc")(x)


@_twin(also="?")
def dropout(x: Array, kept: Array, scale: float) -> Array:
    """As reference.dropout, in one launch."""
    return _elementwise("dropout")(x, kept, scale)


def _matrix(x: Array) -> Array:
    """x (..., C) as a contiguous (rows, C)."""
    return cupy.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _geometry(rows: int, columns: int, blocks: int = BLOCKS) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Grid and block, both (across the columns, down the rows), and the rows that each block takes.

    Threads side by side read side by side: with few columns, the rest of a warp takes the next rows.
    """
    across = min(32, 1 << (columns - 1).bit_length())
    tiles, down = -(-columns // across), THREADS // across
    chunk = max(SHARE * down, -(-rows // max(blocks // tiles, 1)))
    return (tiles, -(-rows // chunk)), (across, down), chunk


def _column_sum(x: Array, out: Any = None) -> Array:
    """The sum (C,) of the rows of a contiguous x (rows, C); out: where to write it."""
    for blocks in (BLOCKS, 1):
        rows, columns = x.shape
        grid, block, chunk = _geometry(rows, columns, blocks)
        is_last = grid[1] == 1 and out is not None
        y = out.reshape(1, columns) if is_last else cupy.empty((grid[1], columns), x.dtype)
        _columns(x.dtype, "column_sum")(grid, block, (x, y, *map(np.int64, (rows, columns, chunk))))
        if len(y) == 1:
            break
        x = y
    return y[0]


def _column_moments(x: Array) -> tuple[Array, Array]:
    """Mean (C,) and biased variance (C,) of the rows of a contiguous x (rows, C)."""
    rows, columns = x.shape
    grid, block, chunk = _geometry(rows, columns)
    mu, var = (cupy.empty((grid[1], columns), x.dtype) for _ in range(2))
    _columns(x.dtype, "column_moments")(grid, block, (x, mu, var, *map(np.int64, (rows, columns, chunk))))
    if len(mu) == 1:
        return mu[0], var[0]
    mus, vars_, blocks = mu, var, len(mu)
    mu, var = (cupy.empty(columns, x.dtype) for _ in range(2))
    grid, block, all_rows = _geometry(blocks, columns, 1)
    args = (mus, vars_, mu, var, *map(np.int64, (blocks, columns, all_rows, rows, chunk)))
    _columns(x.dtype, "merge_moments")(grid, block, args)
    return mu, var
