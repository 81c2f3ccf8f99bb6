"""Layers: modules that own parameters and map (N, ..., C) to (N, ...). The channel is last."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import init, ops
from .backend import Array, Generator, current_module, new_stream, to_device
from .tensor import Parameter, Tensor, no_grad


class Buffer(Tensor):
    """A Tensor that a module keeps and saves but does not learn, such as a running mean."""


class Module:
    """A layer, or a network of layers. A subclass has parameters, buffers and modules as attributes, and a forward().

    The order of definition is the order of `parameters()`; names are the attributes' paths, such as "2.w".
    """

    training: bool = True
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

    def forward(self, x: Any) -> Any:
        """What the layer computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); write one")

    def __call__(self, *inputs: Any) -> Any:
        y = self.forward(*inputs)
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
        return [p for _, p in self.named_parameters()]

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
        rows = [("layer", "output", "parameters"), *rows, *((name, "", f"{count:,}") for name, count in sums)]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in rows]
        rule = "-" * max(len(line) for line in lines)
        return "\n".join([lines[0], rule, *lines[1:-3], rule, *lines[-3:]])

    def _output_shapes(self, input_shape: Sequence[int] | None) -> dict[int, tuple[int, ...]]:
        """The shape of what each layer makes of one example, by the layer's id."""
        shapes: dict[int, tuple[int, ...]] = {}
        if input_shape is not None:
            Module._watcher = lambda module, y: shapes.update({id(module): y.shape[1:]})
            try:
                with no_grad(), evaluating(self):
                    self(current_module().zeros((1, *input_shape), np.float32))
            finally:
                Module._watcher = None
        return shapes

    def __repr__(self) -> str:
        children = [f"\n({name}) {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        return self._title() if not children else f"{self._title()[:-1]}{''.join(children)}\n)"

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
    """The layers one after another. Raises TypeError for what is no Module, such as a class that was not called."""

    def __init__(self, *layers: Module):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {layer!r}, but it must be a Module, such as ReLU()")
            setattr(self, str(i), layer)

    def forward(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.named_children())

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]


class Dense(Module):
    """y = x @ w + b for x (..., in_features), with w (in_features, out_features) and b (out_features,).

    w begins Glorot-uniform, b at 0, as in Keras. Raises ValueError for a size below 1, and if the last axis of x is not
    in_features.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        weight_init: init.Init = init.glorot_uniform,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ):
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Dense: from {in_features} to {out_features} features, but both must be at least 1")
        self.w = Parameter(weight_init((in_features, out_features), rng, dtype))
        self.b = Parameter(init.zeros((out_features,), rng, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        if x.shape[-1:] != self.w.shape[:1]:
            raise ValueError(
                f"Dense: x is {x.shape}, but its last axis must be {self.w.shape[0]}; is a Flatten missing?"
            )
        y = x @ self.w
        return y if self.b is None else y + self.b

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}" + (", bias=False" if self.b is None else "")


class Embedding(Module):
    """Row i of w (num_embeddings, features) for each integer i of the input, whose shape gains a last axis.

    w begins as N(0, 1). Raises TypeError for an input that is not of integers.
    """

    def __init__(self, num_embeddings: int, features: int, rng: Generator | None = None, dtype: Any = np.float32):
        self.w = Parameter(init.normal((num_embeddings, features), rng, dtype, std=1.0))

    def forward(self, i: Any) -> Any:
        if i.dtype.kind not in "iu":
            raise TypeError(f"Embedding: expected integers, but got {i.dtype}")
        return self.w[i]

    def _options(self) -> str:
        return f"{self.w.shape[0]}, {self.w.shape[1]}"


class BatchNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta for each channel of x (..., features): Ioffe and Szegedy 2015.

    In training, μ and σ² are those of the batch, and the running ones follow: running ← momentum · running +
    (1 - momentum) · batch, with the biased σ². In eval mode, μ and σ² are the running ones. momentum is as Keras has
    it; PyTorch's is 1 - momentum (its default 0.1 is 0.9 here), and its running variance is the unbiased one.
    Raises ValueError in training for a single value a channel.
    """

    def __init__(self, features: int, momentum: float = 0.99, eps: float = 1e-5, dtype: Any = np.float32):
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum is {momentum}, but it must be from 0 to 1")
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))
        self.mean = Buffer(init.zeros((features,), dtype=dtype))
        self.var = Buffer(init.ones((features,), dtype=dtype))
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Any) -> Any:
        if not self.training:
            scale = self.gamma / ops.sqrt(self.var + self.eps)
            return x * scale + (self.beta - self.mean * scale)
        if math.prod(x.shape[:-1]) == 1:
            raise ValueError(f"BatchNorm: x is {x.shape}, one value a channel; give a larger batch")
        y, mu, var = ops.batch_norm_with_statistics(x, self.gamma, self.beta, self.eps)
        for running, batch in ((self.mean, mu), (self.var, var)):
            running.assign(running.data * self.momentum + batch * (1 - self.momentum))
        return y

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, momentum={self.momentum}, eps={self.eps}"


class LayerNorm(Module):
    """gamma · (x - μ) / √(σ² + eps) + beta with μ and σ² over the last axis, features: Ba et al. 2016, eq. 4."""

    def __init__(self, features: int, eps: float = 1e-5, dtype: Any = np.float32):
        self.gamma = Parameter(init.ones((features,), dtype=dtype))
        self.beta = Parameter(init.zeros((features,), dtype=dtype))
        self.eps = eps

    def forward(self, x: Any) -> Any:
        centred = x - ops.mean(x, -1, True)
        return self.gamma * centred / ops.sqrt(ops.var(x, -1, 0, True) + self.eps) + self.beta

    def _options(self) -> str:
        return f"{self.gamma.shape[0]}, eps={self.eps}"


class Dropout(Module):
    """In training, each element is 0 with probability rate, else divided by 1 - rate; in eval mode, x itself.

    Srivastava et al. 2014. rng: by default a stream of `seed` of its own. Raises ValueError unless 0 <= rate < 1.
    """

    def __init__(self, rate: float, rng: Generator | None = None):
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate is {rate}, but it must be at least 0 and below 1")
        self.rate, self.rng = rate, rng or new_stream("dropout")

    def forward(self, x: Any) -> Any:
        if not self.training or self.rate == 0:
            return x
        kept = self.rng.uniform(x.shape) >= self.rate
        return x * (kept.astype(x.dtype) * (1 / (1 - self.rate)))

    def _options(self) -> str:
        return str(self.rate)


class LeakyReLU(Module):
    """x where x > 0, slope · x elsewhere. Keras's own default slope is 0.3, PyTorch's 0.01; GANs take 0.2.

    Raises ValueError unless 0 <= slope <= 1.
    """

    def __init__(self, slope: float = 0.2):
        if not 0 <= slope <= 1:
            raise ValueError(f"LeakyReLU: slope is {slope}, but it must be from 0 to 1")
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return ops.leaky_relu(x, self.slope)

    def _options(self) -> str:
        return str(self.slope)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Any:
        return ops.relu(x)


class Tanh(Module):
    """tanh x."""

    def forward(self, x: Any) -> Any:
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Any:
        return ops.sigmoid(x)


class Softplus(Module):
    """log(1 + eˣ)."""

    def forward(self, x: Any) -> Any:
        return ops.softplus(x)


class Flatten(Module):
    """(N, ...) to (N, C), in C order."""

    def forward(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Module):
    """(N, ...) to (N, *shape), in C order."""

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)

    def forward(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], *self.shape))

    def _options(self) -> str:
        return str(self.shape)
