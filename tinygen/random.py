"""Random numbers on both backends, from streams that can be restored.

A stream is keyed by (seed, name), so that streams are independent of each other and of the order in which they are
made. Each can store its position and return to it, so a run resumes to the bit.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from . import kernels
from .backend import Array, array_of, current_device, device_module
from .kernels.noise import GOLDEN

Shape: TypeAlias = "int | Sequence[int]"

_MASK = 2**64 - 1


class Generator:
    """A restorable stream of random numbers on one device.

    On the CPU it is NumPy's PCG64DXSM, whose state can be read. On a GPU, where a generator's state can't, it is
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
            x = self._numpy.standard_normal(shape, _draw_dtype(dtype)).astype(dtype, copy=False)
        else:
            x = self._normal(_as_shape(shape), dtype)
        return _scale_and_shift(x, std, mean)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Array:
        """Independent draws from the uniform distribution on [low, high); rounding may give high if low is not 0."""
        if self._numpy is not None:
            x = self._numpy.random(shape, _draw_dtype(dtype)).astype(dtype, copy=False)
        else:
            x = self._uniform(_as_shape(shape), dtype)
        return _scale_and_shift(x, high - low, low)

    def bernoulli(self, p: float, like: Any) -> Array:
        """True with probability p, rounded to 2⁻¹⁶, for each element of an array or Tensor, with its memory layout."""
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
        """Independent draws from low, ..., high - 1, as int64. Raises ValueError unless low < high."""
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
        """The place of the next number in SplitMix64's sequence, from which n numbers are taken."""
        first = (self._key + (self._counter + 1) * GOLDEN) & _MASK
        self._counter += n
        return np.uint64(first)

    def _bits(self, shape: tuple[int, ...]) -> Array:
        return kernels.bits(device_module(self.device).empty(shape, np.uint64), self._first(math.prod(shape)))

    def _uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return kernels.uniform(device_module(self.device).empty(shape, dtype), self._first(math.prod(shape)))

    def _normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return kernels.normal(device_module(self.device).empty(shape, dtype), self._first(2 * math.prod(shape)))

    @property
    def state(self) -> dict[str, Any]:
        """The stream's position, as a dict that JSON can hold; assign it to return there."""
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


def _draw_dtype(dtype: Any) -> Any:
    """The type to draw in for dtype: NumPy draws in two."""
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

    All threads share these streams; threads that build at the same time draw in no fixed order. Give each an `rng`.
    """
    global _seed
    Generator(n)  # refuses a bad seed before anything changes
    _seed = int(n)
    _streams.clear()
    _defaults.clear()


def default_rng() -> Generator:
    """The stream of `seed` for everything that is given no generator: initial weights, mostly."""
    device = current_device()
    if device not in _defaults:
        _defaults[device] = Generator(_seed, "default")
    return _defaults[device]


def new_stream(name: str) -> Generator:
    """A separate stream of `seed`: the k-th call with one name gives stream name/k."""
    k = _streams.get(name, 0)
    _streams[name] = k + 1
    return Generator(_seed, f"{name}/{k}")
