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
from .backend import Array, array_module, array_of, current_device, device_module
from .kernels.noise import GOLDEN, resolution
from .tracing import Untraceable, tracing

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
        """Independent draws from N(mean, std²); for std 0 nothing is drawn, all are the mean."""
        return _scale_and_shift(self._drawn("normal", shape, dtype, std), std, mean)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Array:
        """Independent draws from the uniform distribution on [low, high); rounding may give high if low is not 0."""
        return _scale_and_shift(self._drawn("uniform", shape, dtype), high - low, low)

    def gumbel(self, shape: Shape, loc: float = 0.0, scale: float = 1.0, dtype: Any = np.float32) -> Array:
        """Independent draws from the standard Gumbel distribution, times scale, plus loc: -log(-log u), u ~ U(0, 1).

        Where the draw u is 0, it is half of the smallest step that it can take, so all are finite.
        """
        u = self.uniform(shape, dtype=_draw_dtype(np.dtype(dtype)))
        xp, (_, step) = array_module(u), resolution(u.dtype)
        g = -xp.log(-xp.log(xp.maximum(u, step / 2)))
        return _scale_and_shift(g, scale, loc).astype(dtype, copy=False)

    def bernoulli(self, p: float, like: Any) -> Array:
        """True with probability p, rounded to 2⁻¹⁶, for each element of an array or Tensor, with its memory layout."""
        if (trace := tracing()) is not None:
            return trace.draw(self, "bernoulli", trace.layout_of(array_of(like), bool), p)
        return self.fill("bernoulli", device_module(self.device).empty_like(array_of(like), bool), p)

    def integers(self, low: int, high: int, shape: Shape = ()) -> Array:
        """Independent draws from low, ..., high - 1, as int64. Raises ValueError unless low < high."""
        if low >= high:
            raise ValueError(f"integers: low is {low}, but it must be less than high, which is {high}")
        return self._drawn("integers", shape, np.int64, low, high)

    def permutation(self, n: int) -> Array:
        """A random order of 0, ..., n - 1."""
        return self._drawn("permutation", (n,), np.int64)

    def _drawn(self, kind: str, shape: Shape, dtype: Any, *numbers: Any) -> Array:
        """A new array of draws; while a step is traced, a traced array, for which the program will draw."""
        if (trace := tracing()) is not None:
            return trace.draw(self, kind, np.empty(shape, dtype), *numbers)
        return self.fill(kind, device_module(self.device).empty(shape, dtype), *numbers)

    def fill(self, kind: str, out: Array, *numbers: Any) -> Array:
        """Fill an array with standard draws of a kind: "normal" (std: 0 draws nothing), "uniform", "bernoulli" (p),
        "integers" (low, high) or "permutation"."""
        return getattr(self, f"_fill_{kind}")(out, *numbers)

    def _fill_normal(self, out: Array, std: float = 1.0) -> Array:
        if std == 0:
            out[...] = 0
            return out
        if self._numpy is None:
            return kernels.normal(out, self._first(2 * out.size))
        return self._draw_into(self._numpy.standard_normal, out)

    def _fill_uniform(self, out: Array) -> Array:
        if self._numpy is None:
            return kernels.uniform(out, self._first(out.size))
        return self._draw_into(self._numpy.random, out)

    @staticmethod
    def _draw_into(draw: Any, out: Array) -> Array:
        """Draws of NumPy: straight into the array, if NumPy can draw in its dtype and layout."""
        if out.dtype.char in "fd" and out.flags.c_contiguous:
            draw(dtype=out.dtype, out=out)
        else:
            out[...] = draw(out.shape, _draw_dtype(out.dtype))
        return out

    def _fill_bernoulli(self, out: Array, p: float) -> Array:
        below = round(p * 65536)
        if self._numpy is None:
            return kernels.bernoulli(out, self._first(out.size), below)
        flat = out.ravel(order="K")  # a view: in the order of the memory
        flat[...] = self._numpy.bit_generator.random_raw(-(-flat.size // 4)).view(np.uint16)[: flat.size] < below
        return out

    def _fill_integers(self, out: Array, low: int, high: int) -> Array:
        if self._numpy is not None:
            out[...] = self._numpy.integers(low, high, out.shape)
        else:
            u = kernels.uniform(device_module(self.device).empty(out.shape, np.float64), self._first(out.size))
            out[...] = (u * (high - low)).astype(np.int64) + low
        return out

    def _fill_permutation(self, out: Array) -> Array:
        if self._numpy is not None:
            out[...] = self._numpy.permutation(len(out))
        else:
            out[...] = device_module(self.device).argsort(self._bits(out.shape))
        return out

    def _first(self, n: int) -> np.uint64:
        """The place of the next number in SplitMix64's sequence, from which n numbers are taken."""
        first = (self._key + (self._counter + 1) * GOLDEN) & _MASK
        self._counter += n
        return np.uint64(first)

    def _bits(self, shape: tuple[int, ...]) -> Array:
        return kernels.bits(device_module(self.device).empty(shape, np.uint64), self._first(math.prod(shape)))

    @property
    def state(self) -> dict[str, Any]:
        """The stream's position, as a dict that JSON can hold; assign it to return there."""
        where = {"counter": self._counter} if self._numpy is None else self._numpy.bit_generator.state
        return {"seed": self.seed, "name": self.name, "device": self.device, "where": where}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        if tracing() is not None:
            raise Untraceable(f"the step moves {self!r} to another place")
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
    known = isinstance(scale, (int, float)) and isinstance(shift, (int, float))  # and not a number of a trace
    if not known or (scale, shift) != (1.0, 0.0):
        x *= scale
        x += shift
    return x


_seed = 0
stream_counts: dict[str, int] = {}  # how many streams were made of each name
default_streams: dict[str, Generator] = {}  # of each device


def seed(n: int) -> None:
    """Start every default stream again from n: what is built after two equal calls draws equal numbers.

    All threads share these streams; threads that build at the same time draw in no fixed order. Give each an `rng`.
    """
    global _seed
    Generator(n)  # refuses a bad seed before anything changes
    _seed = int(n)
    stream_counts.clear()
    default_streams.clear()


def default_rng() -> Generator:
    """The stream of `seed` for everything that is given no generator: initial weights, mostly."""
    device = current_device()
    if device not in default_streams:
        default_streams[device] = Generator(_seed, "default")
    return default_streams[device]


def new_stream(name: str) -> Generator:
    """A separate stream of `seed`: the k-th call with one name gives stream name/k."""
    k = stream_counts.get(name, 0)
    stream_counts[name] = k + 1
    return Generator(_seed, f"{name}/{k}")
