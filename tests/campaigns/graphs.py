"""Random graphs of ops: leaves and steps, played by any framework, and what it takes to draw them.

Kinks, ties and poles are kept at a distance while a graph is drawn: a constant is added where an element would come
close. tests/ops/table.py says how a call of each op is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import tinygen as tg

MARGIN = 1 / 16  # to the nearest kink
LARGEST = 8.0  # what is larger is scaled down
SHAPES = [(), (1,), (3,), (1, 1), (2, 3), (3, 1), (1, 4), (2, 3, 2), (2, 1, 3), (1, 1, 1), (4, 4), (2, 2, 1, 3)]
LONG = [(1000,), (500, 3), (300, 2, 2)]
EMPTY = [(0,), (0, 3), (2, 0), (2, 0, 3), (0, 4, 4, 2)]
INTEGERS = ["int64", "int32", "int8", "uint8"]


class Ref(NamedTuple):
    """The value of this number: a leaf, or what a step makes."""

    number: int

    def __repr__(self) -> str:
        return f"v{self.number}"


@dataclass
class Leaf:
    """An array to start from. role: "x" has gradients, "constant" has none, "integers" are numbers, "index" picks."""

    array: np.ndarray
    role: str
    layout: str = "plain"


@dataclass
class Step:
    """A call of an op. part: which of the results, if there are several."""

    op: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    part: int | None = None

    def __repr__(self) -> str:
        words = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.options.items())]
        return f"{self.op}({', '.join(words)})" + ("" if self.part is None else f"[{self.part}]")


class Unfit(Exception):
    """No call of the op fits the values that there are."""


@dataclass
class Graph:
    """Leaves and steps, of one dtype, and a seed for the directions in which it is differentiated."""

    seed: int
    dtype: str
    nodes: list[Leaf | Step] = field(default_factory=list)

    def play(self, make: Callable[[Leaf], Any], call: Callable[[Step, tuple[Any, ...]], Any]) -> list[Any]:
        """All values, in order: make(leaf) and call(step, arguments)."""
        values: list[Any] = []
        for node in self.nodes:
            values.append(make(node) if isinstance(node, Leaf) else call(node, filled(node.args, values)))
        return values

    def refs(self, role: str) -> list[Ref]:
        return [Ref(i) for i, node in enumerate(self.nodes) if isinstance(node, Leaf) and node.role == role]

    def ends(self) -> list[Ref]:
        """The results that no step takes."""
        taken = {ref for node in self.nodes if isinstance(node, Step) for ref in refs_in(node.args)}
        return [Ref(i) for i, node in enumerate(self.nodes) if isinstance(node, Step) and Ref(i) not in taken]

    def before(self, n: int) -> Graph:
        """The graph of the first n nodes."""
        return Graph(self.seed, self.dtype, self.nodes[:n])

    def __str__(self) -> str:
        lines = [f"graph {self.seed}, {self.dtype}"]
        for i, node in enumerate(self.nodes):
            if isinstance(node, Leaf):
                values = np.array2string(node.array, separator=", ", threshold=30, precision=17).replace("\n", "")
                lines.append(f"  v{i} = {node.role} {node.array.dtype}{node.array.shape} {node.layout}: {values}")
            else:
                lines.append(f"  v{i} = {node!r}")
        return "\n".join(lines)


def refs_in(args: Any) -> Iterator[Ref]:
    for a in args:
        if isinstance(a, Ref):
            yield a
        elif isinstance(a, (tuple, list)):
            yield from refs_in(a)


def filled(args: Any, values: list[Any]) -> Any:
    """The arguments, with the values in the places of their Refs."""
    return type(args)(
        values[a.number] if isinstance(a, Ref) else filled(a, values) if type(a) in (tuple, list) else a for a in args
    )


# Drawing


class Draw:
    """A graph that grows: its nodes, their values in float64, and a generator."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.integers = self.chance(0.2)
        self.dtype = str(self.rng.choice(["float64", "float64", "float32", "float16"]))
        self.empty, self.long = self.chance(0.08), self.chance(0.08)
        self.graph = Graph(seed, self.dtype)
        self.values: list[np.ndarray] = []

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def one_of(self, choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def number(self, low: float, high: float) -> float:
        """A number that every dtype holds exactly."""
        return float(np.round(self.rng.uniform(low, high) * 64) / 64)

    # Leaves

    def add(self, array: np.ndarray, role: str) -> Ref:
        layout = self.one_of(["plain", "plain", "transposed", "strided", "backwards"])
        self.graph.nodes.append(Leaf(array, role, layout))
        self.values.append(array.astype(np.float64) if role in ("x", "constant") else array)
        return Ref(len(self.values) - 1)

    def leaf(self, shape: tuple[int, ...] | None = None) -> Ref:
        """Of N(0, 1), differentiable."""
        if shape is None:
            odd = [shapes for shapes, wanted in ((EMPTY, self.empty), (LONG, self.long)) if wanted and self.chance(0.5)]
            shape = self.one_of(odd[0] if odd else SHAPES)
        return self.add(np.asarray(self.rng.standard_normal(shape), self.dtype), "x")

    def whole(self, shape: tuple[int, ...], below: int = 4, dtype: str | None = None, role: str = "integers") -> Ref:
        dtype = dtype or self.one_of(INTEGERS)
        return self.add(np.asarray(self.rng.integers(0, 2 if dtype == "bool" else below, shape), dtype), role)

    # Steps

    def __getitem__(self, ref: Ref) -> np.ndarray:
        return self.values[ref.number]

    def call(self, op: str, *args: Any, part: int | None = None, **options: Any) -> Ref:
        """Add a step. Raises Unfit if its values are no finite numbers of a moderate size, or too many."""
        step = Step(op, args, options, part)
        with np.errstate(all="ignore"):
            y = np.asarray(run(step, filled(args, self.values)))
        if y.size > 3000 or not np.isfinite(y).all() or np.abs(y).max(initial=0) > 1000:
            raise Unfit
        self.graph.nodes.append(step)
        self.values.append(y)
        ref = Ref(len(self.values) - 1)
        top = np.abs(y).max(initial=0)
        return ref if top <= LARGEST or y.dtype.kind != "f" else self.call("multiply", ref, self.exactly(4 / top))

    def exactly(self, x: float) -> float:
        return float(np.float16(x))

    def floats(self, fits: Callable[[np.ndarray], Any]) -> list[Ref]:
        """The float values of a moderate size that fit."""
        moderate = lambda v: v.dtype.kind == "f" and np.abs(v).max(initial=0) <= LARGEST
        return [Ref(i) for i, v in enumerate(self.values) if moderate(v) and fits(v)]

    def pick(self, fits: Callable[[np.ndarray], Any] = lambda v: True) -> Ref:
        """A float value that fits, a late one more often than an early one."""
        refs = self.floats(fits)
        if not refs:
            raise Unfit
        return refs[-1] if self.chance(0.5) else self.one_of(refs)

    def operand(self) -> Ref:
        """A float value, or in a graph with integers some of them."""
        return self.whole(self.one_of(SHAPES), dtype=self.one_of(INTEGERS)) if self.mixes() else self.pick()

    def mixes(self) -> bool:
        return self.integers and self.chance(0.4)

    def fit(self, *shape: int) -> Ref:
        """A value of the shape: one that is there, reshaped or broadcast, or a new leaf."""
        n = math.prod(shape)
        same = self.floats(lambda v: v.size == n)
        if same and self.chance(0.6):
            ref = self.one_of(same)
            return ref if self[ref].shape == shape else self.call("reshape", ref, shape)
        ones = self.floats(lambda v: v.size == 1 and v.ndim <= len(shape))
        return self.call("broadcast_to", self.one_of(ones), shape) if ones and self.chance(0.3) else self.leaf(shape)

    def broadcasting(self, x: Ref) -> Ref:
        """A value that broadcasts with x: x itself now and then."""
        shape = self[x].shape
        partners = self.floats(lambda v: broadcasts(v.shape, shape))
        if self.mixes():
            return self.whole(tuple(n if self.chance(0.7) else 1 for n in shape))
        if self.chance(0.2):
            return self.leaf(tuple(n if self.chance(0.7) else 1 for n in shape)[self.rng.integers(len(shape) + 1) :])
        return self.one_of(partners)

    # Domains

    def positive(self, x: Ref) -> Ref:
        y = self.call("softplus", x) if self.chance(0.5) else self.call("multiply", x, x)
        return self.call("add", y, 0.5)

    def gap(self, v: np.ndarray) -> float:
        """A number at a distance from all elements of v, between them if possible."""
        v = np.sort(v, axis=None).astype(np.float64)
        wide = np.nonzero(np.diff(v) > 2 * MARGIN + 1 / 32)[0]
        if not v.size:
            return 0.0
        if len(wide) and self.chance(0.9):
            i = self.one_of(wide)
            return float(np.round((v[i] + v[i + 1]) * 32) / 64)
        return float(np.floor(v[0] * 64 - 16) / 64) if self.chance(0.5) else float(np.ceil(v[-1] * 64 + 16) / 64)

    def off_zero(self, x: Ref) -> Ref:
        return self.call("subtract", x, self.gap(self[x]))

    def distinct(self, x: Ref) -> Ref:
        """A value of x's shape and made of x in which no two elements come close."""
        v = np.sort(self[x], axis=None)
        if v.size < 2 or np.diff(v).min() > MARGIN:
            return x
        ladder = self.rng.permutation(v.size).reshape(self[x].shape) / 4
        return self.call(
            "add",
            self.call("multiply", self.call("tanh", x), 1 / 16),
            self.add(np.asarray(ladder, self.dtype), "constant"),
        )

    def apart(self, a: Ref, b: Ref) -> Ref:
        """b, moved so that no element comes close to its partner in a."""
        if a == b:
            return b
        return self.call("add", b, self.gap(self[a] - self[b]))

    # Options

    def axis(self, x: Ref) -> Any:
        """None, an axis, or several."""
        n = self[x].ndim
        if not n or self.chance(0.2):
            return None
        if self.chance(0.6):
            return int(self.rng.integers(-n, n))
        axes = self.rng.permutation(n)[: self.rng.integers(n + 1)]
        return tuple(int(a) - (n if self.chance(0.3) else 0) for a in axes)

    def an_axis(self, x: Ref) -> int:
        if not self[x].ndim:
            raise Unfit
        return int(self.rng.integers(-self[x].ndim, self[x].ndim))

    def index(self, x: Ref) -> Any:
        """Numbers, slices, None, "...", arrays of integers or booleans, in any mixture."""
        v, parts = self[x], []
        for n in v.shape[: self.rng.integers(v.ndim + 1)]:
            kind = self.one_of(["slice", "slice", "number", "array", "list", "mask"])
            if kind == "slice" or not n:
                step = self.one_of([None, 1, 2, -1, -2])
                a, b = sorted(int(i) for i in self.rng.integers(0, n + 1, 2))
                parts.append(slice(None, None, step) if self.chance(0.5) else slice(a, b, abs(step or 1)))
            elif kind == "number":
                parts.append(int(self.rng.integers(-n, n)))
            elif kind == "array":
                parts.append(self.whole((3,), n, self.one_of(["int64", "int32", "uint8"]), "index"))
            elif kind == "list":
                parts.append([int(i) for i in self.rng.integers(-n, n, 3)])
            else:
                mask = np.arange(n) < 3
                parts.append(self.add(self.rng.permutation(mask), "index") if n >= 3 else slice(None))
        if self.chance(0.2):
            parts.insert(self.rng.integers(len(parts) + 1), None)
        if self.chance(0.2):
            parts.append(...)
        return parts[0] if len(parts) == 1 and self.chance(0.7) else tuple(parts)

    def image(self) -> Ref:
        """A value (N, H, W, C)."""
        images = self.floats(lambda v: v.ndim == 4 and min(v.shape[1:]))
        if images and self.chance(0.6):
            return self.one_of(images)
        return self.fit(*self.one_of([(1, 3, 4, 2), (2, 4, 3, 1), (1, 2, 2, 4), (1, 5, 4, 1), (2, 3, 3, 2)]))

    def sequence(self) -> Ref:
        """A value (N, L, C)."""
        sequences = self.floats(lambda v: v.ndim == 3 and min(v.shape[1:]))
        if sequences and self.chance(0.6):
            return self.one_of(sequences)
        return self.fit(*self.one_of([(1, 5, 2), (2, 4, 1), (2, 3, 3)]))

    def padding(self) -> Any:
        return self.one_of([0, 1, "same", "valid", ((1, 0), (0, 1))])


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))


def run(step: Step, args: tuple[Any, ...]) -> Any:
    """tinygen's result of a step."""
    y = getattr(tg.ops, step.op)(*args, **step.options)
    return y if step.part is None else y[step.part]
