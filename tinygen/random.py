"""Random numbers on both backends, from streams that can be restored.

A stream is keyed by (seed, name), so that streams are independent of each other and of the order in which they are
made. Each can say where it stands and go back there: so a run resumes to the bit.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, array_of, current_device, device_module

Shape: TypeAlias = "int | Sequence[int]"

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def _mix(bits: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 14) on an array of uint64, with wrap-around."""
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB
    return bits ^ (bits >> 31)


# The same in CUDA, a launch a draw instead of a dozen: inputs, outputs and the text of an elementwise kernel of CuPy.
# Number i of the draw is output i of the stream that begins at `first`; `normal` takes two of them for each of its own.
_MIX_CUDA = f"""
__device__ unsigned long long splitmix64(unsigned long long first, unsigned long long i) {{
  unsigned long long bits = first + i * {_GOLDEN}ULL;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBULL;
  return bits ^ (bits >> 31);
}}
"""
NOISE_CUDA = {
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


@functools.cache
def _noise(xp: ModuleType, name: str) -> Any:
    return xp.ElementwiseKernel(*NOISE_CUDA[name], f"tinygen_{name}", preamble=_MIX_CUDA)


class Generator:
    """A restorable stream of random numbers on one device.

    On the CPU it is NumPy's PCG64DXSM, whose state can be read. On a GPU, where a generator's state can't be, it is
    counter-based: number i of the stream is output i of SplitMix64 seeded with the stream's key, computed on the device
    from i alone, and the state is the counter.

    seed: any int >= 0.  name: separates streams of one seed.  device: the current one by default.
    """

    def __init__(self, seed: int = 0, name: str = "", device: str | None = None):
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ValueError(f"Generator: seed is {seed!r}, but it must be an int of at least 0")
        self.seed, self.name, self.device = int(seed), name, device or current_device()
        on_cpu = device_module(self.device) is np
        sequence = np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])
        self._numpy = np.random.Generator(np.random.PCG64DXSM(sequence)) if on_cpu else None
        self._key, self._counter = int(sequence.generate_state(1, np.uint64)[0]), 0

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, name={self.name!r}, device={self.device!r})"

    def normal(self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32) -> Array:
        """Independent draws from N(mean, std²)."""
        if self._numpy is not None:
            x = self._numpy.standard_normal(shape, _drawn(dtype)).astype(dtype, copy=False)
        else:
            x = self._normal(_as_shape(shape), dtype)
        return _scale_and_shift(x, std, mean)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Array:
        """Independent draws from the uniform distribution on [low, high); rounding may give high if low is not 0."""
        if self._numpy is not None:
            x = self._numpy.random(shape, _drawn(dtype)).astype(dtype, copy=False)
        else:
            x = self._uniform(_as_shape(shape), dtype)
        return _scale_and_shift(x, high - low, low)

    def bernoulli(self, p: float, like: Any) -> Array:
        """True with probability p, to a multiple of 2⁻¹⁶, for each element of an array or Tensor, laid out as it."""
        like = array_of(like)
        draws = device_module(self.device).empty_like(like, bool)
        flat = draws.ravel(order="K") if self._numpy is not None else draws  # a view: in the order of the memory
        flat[...] = self._sixteen_bits(flat.shape) < round(p * 65536)
        return draws

    def _sixteen_bits(self, shape: tuple[int, ...]) -> Array:
        if self._numpy is None:
            return self._bits(shape) >> 48
        n = math.prod(shape)
        return self._numpy.bit_generator.random_raw(-(-n // 4)).view(np.uint16)[:n]

    def integers(self, low: int, high: int, shape: Shape = ()) -> Array:
        """Independent draws from low, ..., high - 1, as int64. Raises ValueError if there are none."""
        if low >= high:
            raise ValueError(f"integers: low is {low}, but it must be less than high, which is {high}")
        if self._numpy is not None:
            return np.asarray(self._numpy.integers(low, high, shape))
        return (self._uniform(_as_shape(shape), np.float64) * (high - low)).astype(np.int64) + low

    def permutation(self, n: int) -> Array:
        """A random order of 0, ..., n - 1."""
        if self._numpy is not None:
            return self._numpy.permutation(n)
        return device_module(self.device).argsort(self._bits((n,)))

    def _first(self, n: int) -> np.uint64:
        """The place of the next number in SplitMix64's sequence, after which n of them are taken."""
        first = (self._key + (self._counter + 1) * _GOLDEN) & _MASK
        self._counter += n
        return np.uint64(first)

    def _bits(self, shape: tuple[int, ...]) -> Array:
        xp, n = device_module(self.device), math.prod(shape)
        if _has_kernels(xp, np.uint64):
            return _noise(xp, "bits")(self._first(n), xp.empty(shape, np.uint64))
        return _mix(xp.arange(n, dtype=np.uint64) * np.uint64(_GOLDEN) + self._first(n)).reshape(shape)

    def _uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        digits = np.finfo(dtype).nmant + 1  # as many random bits as the significand holds: 1.0 is never reached
        xp, unit = device_module(self.device), np.asarray(2.0**-digits, dtype).item()
        if _has_kernels(xp, dtype):
            return _noise(xp, "uniform")(self._first(math.prod(shape)), digits, unit, xp.empty(shape, dtype))
        return (self._bits(shape) >> (64 - digits)).astype(dtype) * unit

    def _normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Box and Muller 1958: u in (0, 1], so the logarithm is finite."""
        xp = device_module(self.device)
        if _has_kernels(xp, dtype):
            return _noise(xp, "normal")(self._first(2 * math.prod(shape)), 2.0**-53, xp.empty(shape, dtype))
        pair = self._uniform((*shape, 2), np.float64)
        return (xp.sqrt(-2 * xp.log(1 - pair[..., 0])) * xp.cos(2 * np.pi * pair[..., 1])).astype(dtype)

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands, as a dict that JSON can hold; assign it to go back there."""
        where = {"counter": self._counter} if self._numpy is None else self._numpy.bit_generator.state
        return {"seed": self.seed, "name": self.name, "device": self.device, "where": where}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        if state["device"] != self.device:
            raise ValueError(f"{self!r}: this state belongs to a stream on {state['device']!r}")
        self.__init__(state["seed"], state["name"], self.device)  # type: ignore[misc]
        if self._numpy is None:
            self._counter = state["where"]["counter"]
        else:
            self._numpy.bit_generator.state = state["where"]


def _has_kernels(xp: ModuleType, dtype: Any) -> bool:
    return xp.__name__ == "cupy" and np.dtype(dtype).itemsize > 2


def _drawn(dtype: Any) -> Any:
    """The type in which NumPy draws what becomes dtype: it knows two."""
    return np.float32 if np.dtype(dtype).itemsize <= 4 else np.float64


def _scale_and_shift(x: Array, scale: float, shift: float) -> Array:
    if (scale, shift) != (1.0, 0.0):
        x *= scale
        x += shift
    return x


def _as_shape(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)


_seed = 0
_streams: dict[str, int] = {}
_defaults: dict[str, Generator] = {}


def seed(n: int) -> None:
    """Start every default stream again from n: what is built after two equal calls draws equal numbers.

    All threads share these streams; what threads build at the same time draws in no certain order. Give them an `rng`.
    """
    global _seed
    Generator(n)  # refuses a bad seed before anything changes
    _seed = int(n)
    _streams.clear()
    _defaults.clear()


def default_rng() -> Generator:
    """The stream of `seed` that is shared by all who do not bring a generator: initial weights, mostly."""
    device = current_device()
    if device not in _defaults:
        _defaults[device] = Generator(_seed, "default")
    return _defaults[device]


def new_stream(name: str) -> Generator:
    """A stream of `seed` of its own: the k-th call with one name gives stream name/k."""
    k = _streams.get(name, 0)
    _streams[name] = k + 1
    return Generator(_seed, f"{name}/{k}")
