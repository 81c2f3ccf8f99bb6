"""What every layer is: Module, with its parameters, buffers and modules by name; and Sequential."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backend import Array, current_module, to_device
from ..tape import note_maker, orders
from ..tensor import Parameter, Tensor, no_grad


class Buffer(Tensor):
    """A Tensor that a module keeps and saves but does not learn, such as a running mean."""


class Module:
    """A layer, or a network of layers. A subclass has parameters, buffers and modules as attributes, and a forward().

    The order of definition is the order of `parameters()`; names are the attributes' paths, such as "2.w".
    """

    training: bool = True
    batch_multiple: int = 1  # of which number a batch must be a multiple
    _watcher: Callable[[Module, Any], None] | None = None  # sees each module's output; set by summary()

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (list, tuple)) and any(isinstance(item, (Module, Parameter)) for item in value):
            raise TypeError(f"{type(self).__name__}.{name}: a module finds nothing in lists; use Sequential")
        object.__setattr__(self, name, value)
        if isinstance(value, (Parameter, Buffer)):
            value.name = name
        elif isinstance(value, Module):
            for path, t in value.named_tensors():
                t.name = f"{name}.{path}"

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the layer computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); write one")

    def __call__(self, *inputs: Any) -> Any:
        first = next(orders)
        y = self.forward(*inputs)
        note_maker(y, weakref.ref(self), first)
        if Module._watcher is not None:
            Module._watcher(self, y)
        return y

    # What it holds

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules held directly, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named prefix) and all below it, outermost first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers, in order of definition."""
        for name, value in vars(self).items():
            if isinstance(value, (Parameter, Buffer)):
                yield name, value
            elif isinstance(value, Module):
                yield from ((f"{name}.{path}", t) for path, t in value.named_tensors())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """What is learnt, in order of definition; what two layers share comes once, under its first name."""
        seen: set[int] = set()
        for name, t in self.named_tensors():
            if isinstance(t, Parameter) and id(t) not in seen:
                seen.add(id(t))
                yield name, t

    def parameters(self) -> list[Parameter]:
        """What is learnt, in order of definition."""
        found: dict[int, Parameter] = {}
        self._collect(found)
        return list(found.values())

    def _collect(self, found: dict[int, Parameter]) -> None:
        """named_parameters without the names: training asks several times a step."""
        for value in vars(self).values():
            if isinstance(value, Parameter):
                found.setdefault(id(value), value)
            elif isinstance(value, Module):
                value._collect(found)

    # What can be done to all of it

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers, by name."""
        return {name: t.data.copy() for name, t in self.named_tensors()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Write a state_dict into this module's memory.

        strict: every name must be there and no other. Raises ValueError, before anything is written, that lists what is
        missing, unexpected or of another shape.
        """
        own = dict(self.named_tensors())
        wrong = [
            f"{n} is {state[n].shape} but must be {t.shape}"
            for n, t in own.items()
            if n in state and state[n].shape != t.shape
        ]
        if strict:
            wrong += [f"{n} is missing" for n in own if n not in state]
            wrong += [f"{n} is not known" for n in state if n not in own]
        if wrong:
            raise ValueError(f"load_state_dict: this state is of another {type(self).__name__}: {'; '.join(wrong)}")
        for name, t in own.items():
            if name in state:
                t.assign(state[name] if isinstance(state[name], Tensor) else to_device(state[name], t.device))

    def train(self, mode: bool = True) -> Module:
        """Switch dropout and batch statistics on (or off) in this module and all below."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch dropout off, and batch norm to its running statistics."""
        return self.train(False)

    def requires_grad_(self, flag: bool = True) -> Module:
        """Make all parameters learnable, or constants. For the length of a block, use `frozen`."""
        for p in self.parameters():
            p.requires_grad_(flag)
        return self

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """A table of the layers: name, shape of the output for one example, number of parameters.

        input_shape: of one example, without the batch axis; without it the table shows no output shapes.
        Below: the sums of what is learnt, of the buffers (Keras: "non-trainable"), and of both.
        """
        rows = self.summary_rows(input_shape)
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in rows]
        rule = "-" * max(len(line) for line in lines)
        return "\n".join([lines[0], rule, *lines[1:-3], rule, *lines[-3:]])

    def summary_rows(self, input_shape: Sequence[int] | None = None) -> list[tuple[str, str, str]]:
        """What `summary` shows: the head, a row for each layer, and the three sums."""
        shapes = self._output_shapes(input_shape)
        own = Counter[str]()  # the parameters of each module itself
        for path, p in self.named_parameters():
            own[path.rpartition(".")[0]] += p.size
        buffers = sum(t.size for _, t in self.named_tensors() if isinstance(t, Buffer))
        rows = [
            (f"{name} {layer._title()}".strip(), str(shapes.get(id(layer), "")), f"{own[name]:,}")
            for name, layer in self.named_modules()
            if name in own or not any(layer.named_children())
        ]
        sums = [("parameters", own.total()), ("buffers", buffers), ("total", own.total() + buffers)]
        return [("layer", "output", "parameters"), *rows, *((name, "", f"{count:,}") for name, count in sums)]

    def _output_shapes(self, input_shape: Sequence[int] | None, *more: Array) -> dict[int, tuple[int, ...]]:
        """The shape of what each layer makes of one example (and further inputs), by the layer's id."""
        shapes: dict[int, tuple[int, ...]] = {}
        if input_shape is not None:
            Module._watcher = lambda module, y: shapes.update({id(module): y.shape[1:]})
            try:
                with no_grad(), evaluating(self):
                    self(current_module().zeros((self.batch_unit, *input_shape), np.float32), *more)
            finally:
                Module._watcher = None
        return shapes

    @property
    def batch_unit(self) -> int:
        """The smallest batch that all of its modules take; another is a multiple of it."""
        return math.lcm(*(module.batch_multiple for _, module in self.named_modules()))

    def __repr__(self) -> str:
        children = [f"\n({name}) {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        return self._title() if not children else f"{self._title()[:-1]}{''.join(children)}\n)"

    def _repr_html_(self) -> str:
        from ..viz.html import module_html

        return module_html(self)

    def _title(self) -> str:
        return f"{type(self).__name__}({self._options()})"

    def _options(self) -> str:
        """The arguments to show in repr."""
        return ""


@contextlib.contextmanager
def evaluating(module: Module) -> Iterator[None]:
    """A module in eval mode for the length of a block; then each layer is in the mode in which it was."""
    modes = [(m, m.training) for _, m in module.named_modules()]
    module.eval()
    try:
        yield
    finally:
        for m, mode in modes:
            m.training = mode


class Sequential(Module):
    """The layers one after another; the first may take more inputs than one, such as labels.

    Raises TypeError for what is no Module, such as a class that was not called.
    """

    def __init__(self, *layers: Module):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {layer!r}, but it must be a Module, such as ReLU()")
            setattr(self, str(i), layer)

    def forward(self, x: Any, *more: Any) -> Any:
        for layer in self:
            x, more = layer(x, *more), ()
        return x

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.named_children())

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]
