"""What every layer is: Module, with its parameters, buffers and modules by name."""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from collections import Counter
from collections.abc import Callable, ItemsView, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, current_module, to_device
from ..checks import type_of
from ..scopes import no_grad
from ..tape import note_maker, orders
from ..tensor import Parameter, Tensor
from .plain import CONTAINERS, first_in
from .state import LeftOut, check_keys, mismatch

if TYPE_CHECKING:
    from typing import ParamSpec, Protocol, TypeVar

    P = ParamSpec("P")
    Y = TypeVar("Y", covariant=True)
    M = TypeVar("M", bound="Module")

    class _Forward(Protocol[P, Y]):
        def forward(self, *inputs: P.args, **options: P.kwargs) -> Y: ...


class Buffer(Tensor):
    """A Tensor that a module keeps and saves but does not learn, such as a running mean."""


class _ThreadState(threading.local):
    evaluated: frozenset[int] = frozenset()  # the ids of the modules inside `evaluating`
    watcher: Callable[[Module, Any], None] | None = None  # is called with each module and its output


thread_state = _ThreadState()


class Module:
    """A layer, or a network of layers. A subclass has parameters, buffers and modules as attributes, and a forward().

    The order of definition is the order of `parameters()`; names are the attributes' paths, such as "2.w". Modules in
    a ModuleList or a ModuleDict are found too. Those in a plain list, tuple, dict or set would not be, so they raise
    TypeError: at the assignment or, if added later, at the first call and whenever parameters or modules are listed.

    >>> class Twice(tg.layers.Module):
    ...     def __init__(self):
    ...         self.dense = tg.layers.Dense(3, 3)
    ...     def forward(self, x):
    ...         return self.dense(self.dense(x))
    >>> [name for name, p in Twice().named_parameters()]
    ['dense.w', 'dense.b']
    """

    batch_multiple: int = 1  # the batch size must be a multiple of this
    mixing: bool = False  # whether its output for an example depends on the other examples of the batch
    _path: str = ""  # its name in the outermost module that holds it
    _containers: tuple[str, ...] = ()  # the attributes that are plain containers
    _called: bool = False
    _training: bool = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in vars(cls).items():
            if _is_part(value) or _first_part(value) is not None:
                raise TypeError(
                    f"{cls.__name__}.{name} belongs to the class, where no module finds it; set it in __init__"
                )

    def __setattr__(self, name: str, value: Any) -> None:
        _check_place(self, name, value)
        object.__setattr__(self, name, value)
        path = f"{self._path}.{name}" if self._path else name
        if isinstance(value, (Parameter, Buffer)):
            value.name = path
        elif isinstance(value, Module):
            for below, module in value.named_modules(path):
                vars(module)["_path"] = below
            for below, t in value.named_tensors():
                t.name = f"{path}.{below}"
        elif isinstance(value, CONTAINERS):
            vars(self)["_containers"] = tuple(dict.fromkeys((*self._containers, name)))
            self._check_containers()

    def _check_containers(self) -> None:
        """Raise TypeError if a plain container now holds a module, parameter or buffer."""
        for name in self._containers:
            container = vars(self).get(name)
            part = _first_part(container)
            if part is not None:
                raise TypeError(
                    f"{type(self).__name__}.{name} is a {type(container).__name__} that holds {type_of(part)}, where "
                    "no module finds it, so it would stay untrained; make it a ModuleList, a ModuleDict or a "
                    "Sequential, and a Parameter an attribute of a Module in it"
                )

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the layer computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); write one")

    def _call(self, *inputs: Any, **options: Any) -> Any:
        if not self._called:
            self._check_containers()
            vars(self)["_called"] = True
        first = next(orders)
        y = self.forward(*inputs, **options)
        note_maker(y, weakref.ref(self), first)
        if thread_state.watcher is not None:
            thread_state.watcher(self, y)
        return y

    if TYPE_CHECKING:  # a module takes and gives what its forward() does

        def __call__(self: _Forward[P, Y], *inputs: P.args, **options: P.kwargs) -> Y: ...
    else:
        __call__ = _call

    @property
    def training(self) -> bool:
        """Whether dropout and batch statistics are on: as set by train() or eval(), and off inside `evaluating`."""
        return self._training and id(self) not in thread_state.evaluated

    @training.setter
    def training(self, mode: bool) -> None:
        vars(self)["_training"] = mode

    # What it holds

    def _attributes(self) -> ItemsView[str, Any]:
        """Its attributes by name; its parts are among them."""
        if self._containers:
            self._check_containers()
        return vars(self).items()

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules held directly, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named prefix) and all below it, outermost first."""
        yield prefix, self
        for name, child in self._attributes():
            if isinstance(child, Module):
                yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_layers(self) -> Iterator[tuple[str, Module]]:
        """The layers by path: each module with parameters of its own, or without children."""
        for path, module in self.named_modules():
            if any(isinstance(x, Parameter) for _, x in module._attributes()) or not any(module.named_children()):
                yield path, module

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers, in order of definition."""
        for name, value in self._attributes():
            if isinstance(value, (Parameter, Buffer)):
                yield name, value
            elif isinstance(value, Module):
                yield from ((f"{name}.{path}", t) for path, t in value.named_tensors())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters by name, in order of definition; one shared by two layers comes once, under its first name."""
        seen: set[int] = set()
        for name, t in self.named_tensors():
            if isinstance(t, Parameter) and id(t) not in seen:
                seen.add(id(t))
                yield name, t

    def parameters(self) -> list[Parameter]:
        """The parameters, in order of definition."""
        found: dict[int, Parameter] = {}
        self._collect(found)
        return list(found.values())

    def _collect(self, found: dict[int, Parameter]) -> None:
        """named_parameters without the names: training asks several times a step."""
        if self._containers:
            self._check_containers()
        for value in vars(self).values():
            if isinstance(value, Parameter):
                found.setdefault(id(value), value)
            elif isinstance(value, Module):
                value._collect(found)

    # What acts on all of it

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers, by name."""
        return {name: t.data.copy() for name, t in self.named_tensors()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> LeftOut:
        """Write a state_dict into this module's memory, and return what was left out (nothing, if strict).

        strict: the state must have every name and no other. Raises ValueError, before anything is written, with a list
        of what is missing, unexpected, not an array, or of another shape or kind: floats take floats of any precision.
        """
        own = dict(self.named_tensors())
        left_out = check_keys(self, own, state)
        wrong = [problem for n, t in own.items() if n in state and (problem := mismatch(n, state[n], t))]
        if strict:
            wrong += [f"{n} is missing" for n in left_out.missing_keys]
            wrong += [f"{n} is unknown" for n in left_out.unexpected_keys]
        if wrong:
            raise ValueError(f"load_state_dict: this state is of another {type(self).__name__}: {'; '.join(wrong)}")
        for name, t in own.items():
            if name in state:
                t.assign(state[name] if isinstance(state[name], Tensor) else to_device(state[name], t.device))
        return left_out

    def train(self: M, mode: bool = True) -> M:
        """Switch dropout and batch statistics on or off in all modules. Raises TypeError unless mode is a bool."""
        if not isinstance(mode, bool):
            raise TypeError(f"train: mode is {mode!r}, but it must be True or False")
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch dropout off, and batch norm to its running statistics."""
        return self.train(False)

    def requires_grad_(self: M, flag: bool = True) -> M:
        """Make all parameters learnable, or all constant. For the length of a block, use `frozen`."""
        for p in self.parameters():
            p.requires_grad_(flag)
        return self

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """A table of the layers: name, shape of the output for one example, number of parameters.

        input_shape: of one example, without the batch axis; without it the table shows no output shapes.
        Below the table: the number of parameters, of values in buffers (Keras: "non-trainable"), and their sum.
        """
        rows = self.summary_rows(input_shape)
        from ..tables import table

        lines = table(rows, right={2}).split("\n")
        rule = "-" * max(len(line) for line in lines)
        return "\n".join([lines[0], rule, *lines[1:-3], rule, *lines[-3:]])

    def summary_rows(self, input_shape: Sequence[int] | None = None) -> list[tuple[str, str, str]]:
        """The rows of `summary`: the head, a row for each layer, and the three sums."""
        shapes = self.output_shapes(input_shape)
        own = Counter[str]()  # the parameters of each module itself
        for path, p in self.named_parameters():
            own[path.rpartition(".")[0]] += p.size
        buffers = sum(t.size for _, t in self.named_tensors() if isinstance(t, Buffer))
        rows = [
            (f"{name} {title_of(layer)}".strip(), str(shapes.get(id(layer), "")), f"{own[name]:,}")
            for name, layer in self.named_layers()
        ]
        sums = [("parameters", own.total()), ("buffers", buffers), ("total", own.total() + buffers)]
        return [("layer", "output", "parameters"), *rows, *((name, "", f"{count:,}") for name, count in sums)]

    def output_shapes(self, input_shape: Sequence[int] | None, *more: Array) -> dict[int, tuple[int, ...]]:
        """The shape of each layer's output for one example (and further inputs), by the layer's id.

        input_shape: without the batch axis; None gives an empty dict. Raises TypeError unless it is a tuple.
        """
        shapes: dict[int, tuple[int, ...]] = {}
        if input_shape is not None:
            if not isinstance(input_shape, (tuple, list)):
                raise TypeError(f"summary: input_shape is {input_shape!r}, but it must be a tuple, such as (28, 28, 1)")

            def note(module: Module, y: Any) -> None:
                if hasattr(y, "shape"):  # and not several Tensors
                    shapes[id(module)] = y.shape[1:]

            with watching(note), no_grad(), evaluating(self):
                self(current_module().zeros((self.batch_unit, *input_shape), np.float32), *more)
        return shapes

    @property
    def batch_unit(self) -> int:
        """The smallest batch size that all of its modules take; any other must be a multiple of it."""
        return math.lcm(*(module.batch_multiple for _, module in self.named_modules()))

    @property
    def mixes_examples(self) -> bool:
        """Whether its output for an example depends on the other examples of the batch, as with batch norm."""
        return any(module.mixing for _, module in self.named_modules())

    def __repr__(self) -> str:
        children = [f"\n({name}) {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        return title_of(self) if not children else f"{title_of(self)[:-1]}{''.join(children)}\n)"

    def _options(self) -> str:
        """The arguments shown in repr."""
        return ""


def title_of(module: Module) -> str:
    """A module in one line, without its children: its class and its options, such as Dense(784, 128)."""
    return f"{type(module).__name__}({module._options()})"


@contextlib.contextmanager
def evaluating(module: Module) -> Iterator[None]:
    """A module in eval mode for the length of a block, in this thread alone: another may train it meanwhile."""
    if not isinstance(module, Module):
        raise TypeError(f"evaluating: expected a Module, not {type_of(module)}")
    before = thread_state.evaluated
    thread_state.evaluated = before | {id(m) for _, m in module.named_modules()}
    try:
        yield
    finally:
        thread_state.evaluated = before


@contextlib.contextmanager
def watching(watcher: Callable[[Module, Any], None]) -> Iterator[None]:
    """Call watcher(module, output) for each module that is called in the block, in this thread."""
    before, thread_state.watcher = thread_state.watcher, watcher
    try:
        yield
    finally:
        thread_state.watcher = before


def _is_part(x: Any) -> bool:
    return isinstance(x, (Module, Parameter, Buffer))


def _is_untrained(x: Any) -> bool:
    """Whether it is a Tensor that requires grad but that no module would find."""
    return isinstance(x, Tensor) and x.is_leaf and x.requires_grad


def _first_part(container: Any) -> Any:
    """The first module, parameter or buffer in a plain container, or in the containers in it; None if there is none."""
    return first_in(container, lambda item: _is_part(item) or _is_untrained(item), (Module, Tensor))


def _check_place(module: Module, name: str, value: Any) -> None:
    """Raise TypeError or ValueError if value can't be the attribute: parameters would be lost, or never found."""
    old, where = vars(module).get(name), f"{type(module).__name__}.{name}"
    if isinstance(value, Module):
        if any(below is module for _, below in value.named_modules()):
            raise ValueError(
                f"{where}: a module can't hold itself or a module that holds it; keep a weakref.ref to it instead"
            )
    elif isinstance(old, Module) and value is not None:
        raise TypeError(f"{where} is {type_of(old)}, and {type_of(value)} can't take its place; give a Module or None")
    elif isinstance(old, (Parameter, Buffer)) and not isinstance(value, (Parameter, Buffer, type(None))):
        kind = "Parameter" if isinstance(old, Parameter) else "Buffer"
        raise TypeError(
            f"{where} is a {kind}, and {type_of(value)} can't take its place; write the values into it with "
            f"{name}.assign(...), or give a {kind}(...) or None"
        )
    elif not _is_part(value) and _is_untrained(value):
        raise TypeError(f"{where}: {type_of(value)} requires grad but would stay untrained; make it a Parameter(...)")
