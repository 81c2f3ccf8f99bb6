"""Random numbers on both backends, from streams that can be restored.

A stream is keyed by (seed, name), so that streams are independent of each other and of the order in which they are
made. Each can store its position and return to it, so a run resumes to the bit.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from . import kernels
from .backend import Array, array_module, array_of, current_device, device_module
from .kernels.noise import GOLDEN, resolution
from .processes import own, sharing, whole_shape
from .tracing import Untraceable, tracing

Shape: TypeAlias = "int | Sequence[int]"

_MASK = 2**64 - 1


class Generator:
    """A restorable stream of random numbers on one device.

    On the CPU it is NumPy's PCG64DXSM, whose state can be read. On a GPU, where a generator's state can't, it is
    counter-based: number i of the stream is output i of SplitMix64 seeded with the stream's key, computed on the device
    from i alone, and the state is the counter.

    seed: any int >= 0.  name: separates streams of one seed.  device: the current one by default.

    >>> rng = tg.Generator(seed=0, name="noise")
    >>> state = rng.state
    >>> first = rng.normal((2, 3))
    >>> rng.state = state
    >>> bool((rng.normal((2, 3)) == first).all())
    True
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

    def normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32, axis: int = 0
    ) -> Array:
        """Independent draws from N(mean, std²); for std 0 nothing is drawn, all are the mean.

        axis: that of the examples, along which the draws of a whole batch are dealt out in `parallel.shares()`. A draw
        that all processes need alike has the shape (), or is made in `parallel.whole()`.
        """
        return _scale_and_shift(self._drawn("normal", shape, dtype, std, axis=axis), std, mean)

    def uniform(
        self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32, axis: int = 0
    ) -> Array:
        """Independent draws from the uniform distribution on [low, high); rounding may give high if low is not 0."""
        return _scale_and_shift(self._drawn("uniform", shape, dtype, axis=axis), high - low, low)

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
        like = array_of(like)
        shape = whole_shape(like.shape)
        if (trace := tracing()) is not None:
            x = trace.draw(self, "bernoulli", trace.layout_of(like, bool, shape), p)
            return own(x) if x.ndim else x
        out = device_module(self.device).empty_like(like, bool, shape=shape)
        self.fill("bernoulli", out, p)
        return own(out) if out.ndim else out

    def integers(self, low: int, high: int, shape: Shape = (), axis: int = 0) -> Array:
        """Independent draws from low, ..., high - 1, as int64. Raises ValueError unless low < high.  axis: as above."""
        if low >= high:
            raise ValueError(f"integers: low is {low}, but it must be less than high, which is {high}")
        return self._drawn("integers", shape, np.int64, low, high, axis=axis)

    def permutation(self, n: int) -> Array:
        """A random order of 0, ..., n - 1; the same in all processes."""
        return self._drawn("permutation", (n,), np.int64, axis=None)

    def _drawn(self, kind: str, shape: Shape, dtype: Any, *numbers: Any, axis: int | None = 0) -> Array:
        """A new array of draws; while a step is traced, a traced array, for which the program will draw.

        axis: that of the examples, of which each process gets its own; None: all get the same.
        """
        deals = sharing().size > 1 and axis is not None and shape not in ((), [])
        if deals:
            shape = whole_shape(shape, axis or 0)
        if (trace := tracing()) is not None:
            x = trace.draw(self, kind, np.empty(shape, dtype), *numbers)
        else:
            x = self.fill(kind, device_module(self.device).empty(shape, dtype), *numbers)
        return own(x, axis or 0).copy() if deals else x

    def fill(self, kind: str, out: Array, *numbers: Any) -> Array:
        """Fill an array with standard draws of a kind: "normal" (std: 0 draws nothing), "uniform", "bernoulli" (p),
        "integers" (low, high) or "permutation"."""
        if self._numpy is None:
            return fill_from(self.take(kind, out.size, *numbers), kind, out, *numbers)
        _BY_NUMPY[kind](self._numpy, out, *numbers)
        return out

    def take(self, kind: str, n: int, *numbers: Any) -> np.uint64:
        """On a GPU: move past n draws of a kind without making them. Returns their place, for `fill_from`."""
        first = (self._key + (self._counter + 1) * GOLDEN) & _MASK
        self._counter += 0 if _draws_nothing(kind, *numbers) else 2 * n if kind == "normal" else n
        return np.uint64(first)

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


def _normal(source: np.random.Generator, out: Array, std: float = 1.0) -> None:
    if _draws_nothing("normal", std):
        out[...] = 0
    else:
        _draw_into(source.standard_normal, out)


def _uniform(source: np.random.Generator, out: Array) -> None:
    _draw_into(source.random, out)


def _draw_into(draw: Any, out: Array) -> None:
    """Draws of NumPy: straight into the array, if NumPy can draw in its dtype and layout."""
    if out.dtype.char in "fd" and out.flags.c_contiguous:
        draw(dtype=out.dtype, out=out)
    else:
        out[...] = draw(out.shape, _draw_dtype(out.dtype))


def _bernoulli(source: np.random.Generator, out: Array, p: float) -> None:
    flat = out.ravel(order="K")  # a view: in the order of the memory
    raw = source.bit_generator.random_raw(-(-flat.size // 4)).view(np.uint16)
    flat[...] = raw[: flat.size] < as_16_bits(p)


def _integers(source: np.random.Generator, out: Array, low: int, high: int) -> None:
    out[...] = source.integers(low, high, out.shape)


def _permutation(source: np.random.Generator, out: Array) -> None:
    out[...] = source.permutation(len(out))


_BY_NUMPY: dict[str, Any] = {
    "normal": _normal,
    "uniform": _uniform,
    "bernoulli": _bernoulli,
    "integers": _integers,
    "permutation": _permutation,
}


def fill_from(first: Any, kind: str, out: Array, *numbers: Any) -> Array:
    """Fill an array of a GPU with the draws of a kind at a place in a stream, as Generator.fill does.

    first: what Generator.take returned, or a 0-d array on the GPU that holds it.
    """
    xp = array_module(out)
    if _draws_nothing(kind, *numbers):
        out[...] = 0
    elif kind == "bernoulli":
        kernels.bernoulli(out, first, as_16_bits(*numbers))
    elif kind == "integers":
        low, high = numbers
        u = kernels.uniform(xp.empty(out.shape, np.float64), first)
        out[...] = (u * (high - low)).astype(np.int64) + low
    elif kind == "permutation":
        out[...] = xp.argsort(kernels.bits(xp.empty(out.shape, np.uint64), first))
    else:
        getattr(kernels, kind)(out, first)
    return out


def _draws_nothing(kind: str, std: float = 1.0, *_: Any) -> bool:
    """Whether it is a draw from the normal distribution of no width, for which the stream does not move."""
    return kind == "normal" and std == 0


def as_16_bits(p: float) -> int:
    """The bound below which a share p of all numbers of 16 bits lies."""
    return round(p * 65536)


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

    >>> tg.seed(0)
    >>> a = tg.layers.Dense(2, 3)
    >>> tg.seed(0)
    >>> b = tg.layers.Dense(2, 3)
    >>> bool((a.w.data == b.w.data).all())
    True
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
