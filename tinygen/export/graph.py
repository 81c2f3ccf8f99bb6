"""An ONNX graph in the making: values by name, constants, and the orders of axes in which each value is at hand.

tinygen's images are NHWC and ONNX's are NCHW. No pass removes transposes here, for none is written before somebody asks
for a value in an order in which it is not at hand: a convolution asks for NCHW and gives it, and what works element by
element takes its operands in the order in which they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import is_array
from ..errors import ConfigError
from .passes import BATCHES, Pair

Axes = tuple[int, ...]  # axis i in ONNX is axis axes[i] here
NCHW: Axes = (0, 3, 1, 2)


class Ordered(NamedTuple):
    """What a converter returns for a result whose axes are in another order than tinygen's."""

    name: str
    axes: Axes | None


class Value:
    """An array that depends on the input or on the batch size.

    names: of it in ONNX, by the order of its axes.  later: writes it, if it isn't written yet.
    """

    def __init__(self, pair: Pair):
        self.pair, self.names = pair, dict[Axes, str]()
        self.later: Callable[[], str] | None = None
        self.windows: Any = None

    dtype = property(lambda v: v.pair.first.dtype)
    ndim = property(lambda v: v.pair.first.ndim)
    shape = property(lambda v: v.pair.shape)

    @property
    def order(self) -> Axes:
        """An order of axes in which it is at hand: its own, if possible."""
        own = tuple(range(self.ndim))
        return own if own in self.names or not self.names else next(iter(self.names))


def sizes(x: Any) -> tuple[int, ...]:
    """The lengths of the axes, none of which is the batch's."""
    return (x.pair.first if isinstance(x, Value) else x).shape


class Graph:
    """Nodes and constants, and helpers that write several nodes for one thought."""

    def __init__(self, helper: Any, names: dict[int, str], taken: Sequence[str]):
        self._helper, self._names, self._taken = helper, names, {*taken}
        self.nodes = list[Any]()
        self.weights, self.constants = dict[str, np.ndarray](), dict[str, np.ndarray]()
        self._known = dict[Any, str]()
        self.batch = ""  # the name of an input, whose first axis is the batch
        self.unit = 1
        self.step = ""  # what is being converted, for errors

    def refuse(self, why: str) -> ConfigError:
        """The error for something that ONNX, or this table, can't say."""
        return ConfigError(f"onnx: {self.step}: {why}")

    # Nodes and constants

    def node(self, kind: str, *inputs: str, **options: Any) -> str:
        """Write a node, and return the name of its output."""
        name = self._free(f"{kind.lower()}_1")
        options = {key: value for key, value in options.items() if value is not None}
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], name=name, **options))
        return name

    def constant(self, x: Any, dtype: Any = None, weight: str = "", key: Any = None) -> str:
        """The name of an array that the file holds, once: of a weight, if it has a name, or of a constant."""
        array = np.array(x, dtype, order="C")
        key = key or (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            name = self._free(weight or "constant_1")
            self._known[key], (self.weights if weight else self.constants)[name] = name, array
        return self._known[key]

    def _free(self, name: str) -> str:
        """The name, or if it is taken, the first free one that counts on from it."""
        stem, n = name.removesuffix("_1"), 1
        while name in self._taken:
            name, n = f"{stem}_{n + 1}", n + 1
        self._taken.add(name)
        return name

    def whole(self, *numbers: int) -> str:
        """A vector of whole numbers."""
        return self.constant(np.array(numbers, np.int64))

    def weight(self, x: Any) -> str:
        """The name of a parameter or buffer in its module, or of what was made of some; of another constant, ""."""
        return self._names.get(id(x), "")

    def fold(self, y: Any, inputs: Sequence[Any]) -> None:
        """Note that y was computed from these, which do not depend on the input; if weights are among them, it has a
        name beside theirs."""
        if weight := next(filter(None, map(self.weight, inputs)), ""):
            module = weight.rpartition(".")[0]
            self._names[id(y)] = f"{module}.folded" if module else "folded"

    # Values

    def name(self, x: Any, axes: Axes | None = None, dtype: Any = None) -> str:
        """The name of a Value, an array or a number in this order of axes: a Transpose is written if it must be."""
        if not isinstance(x, Value):
            return self._stored(x, axes, dtype)
        axes = tuple(range(x.ndim)) if axes is None else axes
        if not x.names and x.later is not None:
            x.names[tuple(range(x.ndim))] = x.later()
        if axes not in x.names:
            order = x.order
            x.names[axes] = self.node("Transpose", x.names[order], perm=[order.index(a) for a in axes])
        return self.cast(x.names[axes], x.dtype, dtype)

    def _stored(self, x: Any, axes: Axes | None, dtype: Any) -> str:
        """The name of a constant in this order of axes."""
        if not is_array(x):
            return self.constant(x, dtype)
        dtype = np.dtype(dtype or x.dtype)
        weight = self.weight(x)
        key = (id(x), axes, dtype.str) if x.size > 64 or weight else None
        return self.constant(x if axes is None else x.transpose(axes), dtype, weight, key)

    def cast(self, name: str, old: Any, new: Any) -> str:
        """A value as another dtype, if it is one."""
        if new is None or np.dtype(old) == np.dtype(new):
            return name
        return self.node("Cast", name, to=self._helper.np_dtype_to_tensor_dtype(np.dtype(new)))

    # The batch

    def lengths(self, lengths: Sequence[Pair]) -> str:
        """A vector of whole numbers, some of which may depend on the batch size."""
        if all(n.same for n in lengths):
            return self.whole(*(n.first for n in lengths))
        parts = [self.whole(n.first) if n.same else self._of_batch(n) for n in lengths]
        return self.node("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def _of_batch(self, n: Pair) -> str:
        """A number that depends on the batch size N, slope · N / unit + start, as a vector of one."""
        if n not in self._known:
            (slope, start), size = self.line(n), "batch"
            if size not in self._known:
                self._known[size] = self.node("Shape", self.batch, start=0, end=1)
            name = self._known[size]
            divisor = self.unit // math.gcd(slope, self.unit)
            factor = slope * divisor // self.unit
            name = name if divisor == 1 else self.node("Div", name, self.whole(divisor))
            name = name if factor == 1 else self.node("Mul", name, self.whole(factor))
            self._known[n] = name if start == 0 else self.node("Add", name, self.whole(start))
        return self._known[n]

    def line(self, n: Pair) -> tuple[int, int]:
        """The slope and start of a number that depends on the batch size, counted in units. Raises ConfigError."""
        slope, rest = divmod(n.second - n.first, BATCHES[1] - BATCHES[0])
        if rest:
            raise self.refuse(f"a length is {n.first} or {n.second}, by the batch size, and nothing tells how")
        return slope, n.first - BATCHES[0] * slope

    def symbol(self, n: Pair) -> Any:
        """A length, or how it is written if it depends on the batch size: N, 2N, N/2."""
        if n.same:
            return n.first
        slope, start = self.line(n)
        common = math.gcd(slope, self.unit)
        factor, divisor = slope // common, self.unit // common
        text = ("" if factor == 1 else str(factor)) + "N" + ("" if divisor == 1 else f"/{divisor}")
        return text if start == 0 else f"{text}{start:+d}"
