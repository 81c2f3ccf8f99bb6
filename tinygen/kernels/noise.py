"""Random numbers from a counter: number i of a draw is output i of the SplitMix64 stream that begins at `first`.

Each is computed from i alone, so the position of a generator on a GPU, whose state can't be read, can be stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module

GOLDEN = 0x9E3779B97F4A7C15


def _mix(bits: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 14) on an array of uint64, with wrap-around."""
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB
    return bits ^ (bits >> 31)


def bits(out: Array, first: np.uint64) -> Array:
    """Fill out with uint64s of random bits."""
    numbers = array_module(out).arange(out.size, dtype=np.uint64)
    out[...] = _mix(numbers * np.uint64(GOLDEN) + first).reshape(out.shape)
    return out


def uniform(out: Array, first: np.uint64) -> Array:
    """Fill out with draws from [0, 1)."""
    digits, unit = resolution(out.dtype)
    drawn = bits(array_module(out).empty(out.shape, np.uint64), first)
    out[...] = (drawn >> (64 - digits)).astype(out.dtype) * unit
    return out


def bernoulli(out: Array, first: np.uint64, below: int) -> Array:
    """Fill out with whether 16 random bits are below a number."""
    out[...] = bits(array_module(out).empty(out.shape, np.uint64), first) >> 48 < below
    return out


def normal(out: Array, first: np.uint64) -> Array:
    """Fill out with draws from N(0, 1), each of two numbers of the stream (Box and Muller 1958)."""
    xp = array_module(out)
    pair = uniform(xp.empty((*out.shape, 2), np.float64), first)  # 1 - u is in (0, 1], so the logarithm is finite
    out[...] = xp.sqrt(-2 * xp.log(1 - pair[..., 0])) * xp.cos(2 * np.pi * pair[..., 1])
    return out


def resolution(dtype: Any) -> tuple[int, float]:
    """As many random bits as the significand holds, so that 1.0 is never reached; and the distance of two draws."""
    digits = np.finfo(dtype).nmant + 1
    return digits, np.asarray(2.0**-digits, dtype).item()


# The same in CUDA, a launch a draw instead of a dozen: inputs, outputs and the text of an elementwise kernel of CuPy.
# Number i of the draw is output i of the stream that begins at `first`; `normal` takes two of them for each of its own.
MIX_CUDA = f"""
__device__ unsigned long long splitmix64(unsigned long long first, unsigned long long i) {{
  unsigned long long bits = first + i * {GOLDEN}ULL;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBULL;
  return bits ^ (bits >> 31);
}}
"""
CUDA = {
    "bernoulli": ("uint64 first, uint64 below", "bool drawn", "drawn = splitmix64(first, i) >> 48 < below"),
    "bits": ("uint64 first", "uint64 bits", "bits = splitmix64(first, i)"),
    "uniform": ("uint64 first, int32 digits, T unit", "T u", "u = T(splitmix64(first, i) >> (64 - digits)) * unit"),
    "normal": (
        "uint64 first, float64 unit",
        "T x",
        """
        const double u = double(splitmix64(first, 2 * i) >> 11) * unit;
        const double turn = double(splitmix64(first, 2 * i + 1) >> 11) * unit;
        x = T(sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * turn))
        """,
    ),
}
