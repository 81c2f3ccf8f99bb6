"""What a step reads and changes besides its batch: the arrays of its networks and optimisers, and their settings."""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import random as streams
from ..cuts import BACKWARD
from ..tensor import Tensor
from ..tracing import Untraceable
from .held import MISSING, Holder, Reach, is_same
from .numbers import Number
from .trace import Trace
from .traced import Traced


class Place(NamedTuple):
    """Where an array is held: under a key of a dict, a list or the like; and a name for it."""

    box: Any
    key: Any
    name: str

    @property
    def array(self) -> Any:
        return self.box[self.key]

    def there(self) -> Any:
        """The array; None if it is gone."""
        try:
            return self.box[self.key]
        except LookupError:
            return None


class _OldGradient:
    """Stands for a `.grad` that an earlier step has left."""

    def __getattr__(self, name: str) -> Any:
        raise Untraceable("the step reads or adds to a .grad of an earlier step; call zero_grad() first")


class State:
    """The state of all that a step can reach."""

    def __init__(self, roots: dict[str, Any]):
        reach = Reach(roots)
        self.optimizers = {id(optimizer) for _, optimizer in reach.optimizers}
        for _, optimizer in reach.optimizers:
            optimizer.adopt()
        self.tensors = [t for _, t in reach.tensors]
        self.holders = [*reach.holders, Holder("", streams.default_streams)]
        self._streams = reach.streams
        self.places = [Place(vars(t), "array", path or t.name or "a Tensor") for path, t in reach.tensors]
        self.places += [Place(holder.box, key, holder.path_of(key)) for holder, key in reach.arrays]
        for path, optimizer in reach.optimizers:
            self.places += [Place(*place) for place in optimizer.places(path)]
        self._found = {(id(holder.box), key) for holder, key in reach.arrays}
        self.kept_tensors = {id(t) for t in self.tensors}
        self._gradients: list[tuple[Any, Any]] = []  # Tensors whose .grad the step sets, and to what
        self._versions: list[tuple[Any, int]] = []  # how often it changes what
        self._written: set[int] = set()  # the ids of the arrays that it writes into, and of their bases
        self._arrays: list[Any] = []  # what is in the places, outside of a trace
        self._before: list[dict[Any, Any]] = []  # what Python holds before the first trace, and after it
        self._middle: list[dict[Any, Any]] | None = None
        self._settled: dict[int, set[Any]] = {}
        self.note()

    # Writing down

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """After the block all is as it was, but for what settles in the first step, such as a note that it ran."""
        before = [holder.items() for holder in self.holders]
        self._arrays = arrays = [place.array for place in self.places]
        gradients, versions = [t.grad for t in self.tensors], {t.version for t in self.tensors} - {None}
        counts = [(v, v.count) for v in versions]
        names = dict(streams.stream_counts)
        settled: dict[int, set[Any]] = {}
        self._before, self._middle, self._settled = before, None, settled
        try:
            with _draws_undone(self._streams):
                yield
        except BaseException:
            settled.clear()
            raise
        finally:
            for place, array in zip(self.places, arrays, strict=True):
                if place.there() is not None:
                    place.box[place.key] = array
            for n, (holder, items) in enumerate(zip(self.holders, before, strict=True)):
                holder.restore(items, settled.get(n, set()))
            for t, gradient in zip(self.tensors, gradients, strict=True):
                t.grad = gradient
            self._versions = [(v, (v.count - count) // 2) for v, count in counts if v.count > count]
            for version, count in counts:
                version.count = count
            streams.stream_counts.clear()
            streams.stream_counts.update(names)
        self.note()

    @contextlib.contextmanager
    def traced(self, trace: Trace) -> Iterator[None]:
        """In the block, every array is one of the trace. Raises Untraceable if one is not in its place after it."""
        trace.optimizers = self.optimizers
        held = trace.states([(x, place.name) for x, place in zip(self._arrays, self.places, strict=True)])
        for place, array in zip(self.places, held, strict=True):
            place.box[place.key] = array
        old = [None if t.grad is None else _OldGradient() for t in self.tensors]
        for t, gradient in zip(self.tensors, old, strict=True):
            t.grad = gradient
        yield
        for place, array, real in zip(self.places, held, self._arrays, strict=True):
            now = place.there()
            if not (isinstance(now, Traced) and now.storage is array.storage and now.shape == array.shape):
                why = "do two optimisers change it?" if place.key == "array" else "write into it: x[...] = ..."
                raise Untraceable(f"the step puts another array in {place.name}; {why}")
            if array.storage.value is not array.storage.state:
                self._written |= {id(real), id(real.base)}
        self._written.discard(id(None))
        self._gradients = [(t, t.grad) for t, g in zip(self.tensors, old, strict=True) if t.grad is not g]
        for holder in self.holders:
            holder.live |= {key for box, key in trace.live if box is holder.box}
        self._check()

    def _check(self) -> None:
        """After the second trace: raise Untraceable if what Python holds changes from step to step."""
        after, middle = [holder.items() for holder in self.holders], self._middle
        if middle is None:
            self._middle = after
            return
        for n, holder in enumerate(self.holders):
            a, b, c = self._before[n], middle[n], after[n]
            for key in {**a, **b, **c}:
                x, y, z = a.get(key, MISSING), b.get(key, MISSING), c.get(key, MISSING)
                if key in holder.live or (id(holder.box), key) in self._found or is_same(x, z):
                    continue
                if isinstance(z, (Traced, Number)) or (isinstance(z, Tensor) and isinstance(z.array, Traced)):
                    raise Untraceable(f"the step leaves an array in {holder.path_of(key)}; return it")
                if not is_same(y, z):
                    raise Untraceable(f"the step sets {holder.path_of(key)} to another value each time")
                self._settled.setdefault(n, set()).add(key)

    # Afterwards

    def note(self) -> None:
        """Take all settings, and where all arrays are, as unchanged."""
        for holder in self.holders:
            holder.note()
        self._memory = [(t, t.array, t.node, _hooks(t), t.grad is None) for t in self.tensors]

    def changed(self) -> bool:
        """Whether a setting was given another value, or a Tensor another array, hooks, or a first gradient."""
        return any(holder.changed() for holder in self.holders) or not all(
            t.array is x and t.node is node and _hooks(t) == hooks and (t.grad is None) == bare
            for t, x, node, hooks, bare in self._memory
        )

    def gradients(self) -> list[Any]:
        """The arrays of the gradients that the step leaves."""
        return [gradient.array for _, gradient in self._gradients if gradient is not None]

    def effects(self, outputs: int) -> Effects:
        """What the step does besides, if it returns so many arrays before the gradients."""
        places = dict[int, int | None]()
        for n, (_, gradient) in enumerate(self._gradients):
            places[n] = None if gradient is None else outputs + sum(x is not None for x in places.values())
        return Effects([(t, places[n]) for n, (t, _) in enumerate(self._gradients)], self._versions, self._written)


class Effects(NamedTuple):
    """What a step does besides what its program computes.

    gradients: Tensors whose .grad it sets, to which output of the program, or None.  versions: those that it counts up,
    and by how much.  written: the ids of the arrays that it writes into.
    """

    gradients: list[tuple[Any, int | None]]
    versions: list[tuple[Any, int]]
    written: set[int]

    def leave(self, made: Sequence[Any]) -> None:
        """Do it, given the outputs of the program."""
        for t, n in self.gradients:
            t.grad = None if n is None else Tensor(made[n])
            if n is not None:
                t.grad.cut = BACKWARD
        for version, count in self.versions:
            version.count += count

    def lies_in(self, arrays: Sequence[Any]) -> bool:
        """Whether the step writes into one of these arrays."""
        return any(id(a) in self.written or id(a.base) in self.written for a in arrays)


@contextlib.contextmanager
def _draws_undone(held: Sequence[Any]) -> Iterator[None]:
    """If the block fails, these streams, and the global ones of NumPy and Python, are where they were before it."""
    undo = [_way_back(stream) for stream in (*held, np.random, random)]
    try:
        yield
    except BaseException:
        for put_back in undo:
            put_back()
        raise


def _way_back(stream: Any) -> Callable[[], None]:
    """A function that puts a stream of NumPy's or Python's back to where it is now."""
    if isinstance(stream, np.random.Generator):
        return functools.partial(setattr, stream.bit_generator, "state", stream.bit_generator.state)
    if hasattr(stream, "getstate"):
        return functools.partial(stream.setstate, stream.getstate())
    return functools.partial(stream.set_state, stream.get_state())


def _hooks(t: Any) -> tuple[int, ...]:
    return tuple(t.node.hooks) if t.node is not None and t.node.hooks else ()
