"""What every model is: networks, optimisers and generators, a train_step, and a way to look at what it has learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from ..backend import Array, current_module
from ..checks import check_array, what, whole
from ..errors import ConfigError, DataError
from ..fields import Choices, Counts, Decay, LearningRate, NonNegative
from ..init import checked_rng
from ..layers import LeftOut, Module
from ..layers.state import check_keys
from ..optim import OPTIMIZERS, Optimizer
from ..random import Generator
from ..tensor import Tensor
from .limits import check_config

OptimizerName: TypeAlias = Annotated[str, Choices(OPTIMIZERS)]


@dataclass(frozen=True)
class ModelConfig:
    """The hyperparameters that all models have. Raises ConfigError for a value that makes no sense.

    data_shape: of one example, (H, W, C) or (features,).  beta1, beta2, eps: of Adam; SGD takes beta1 as its momentum,
    RMSprop beta2 as its alpha.
    """

    data_shape: Counts = (28, 28, 1)
    optimizer: OptimizerName = "adam"
    lr: LearningRate = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: NonNegative = 1e-8

    def __post_init__(self) -> None:
        check_config(self)


@dataclass(frozen=True)
class NoConfig:
    """The Config of a model that says nothing of its hyperparameters."""


class Model(Module):
    """A generative model. A subclass sets `name`, `Config` and `defaults`, builds networks, and writes the algorithm.

    Networks, optimisers and generators are attributes, the latter two also in lists and dicts: state_dict(),
    load_state_dict() and generators() see them. A model of your own needs a train_step(), and a sample() if there are
    to be pictures; its name is that of its class, if it sets none.
    """

    name: ClassVar[str] = "model"
    Config: ClassVar[type] = NoConfig
    config: Any  # an instance of Config
    defaults: ClassVar[dict[str, Any]] = {"data": "digits", "steps": 5000, "batch": 64}
    value_range: tuple[float, float] | None = None  # of the data that it takes and makes; None: any
    takes_labels: ClassVar[bool] = False  # whether a batch is a pair (x, labels)
    labelled: ClassVar[tuple[str, ...]] = ()  # the networks that take labels beside what `inputs` says
    columns: int | None = None  # of the sample picture; None: as near to square as it gets
    batches_per_step: int = 1  # how many batches a train_step takes, as one array

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.name == Model.name:
            cls.name = cls.__name__.lower()

    def __init__(self, config: Any = None, seed: int = 0):
        self.config = self.Config() if config is None else config
        if issubclass(self.Config, ModelConfig) and not isinstance(self.config, self.Config):
            raise ConfigError(
                f"{type(self).__name__}: config is {config!r}, but it must be a {self.Config.__name__}(...) or None"
            )
        self.seed = seed
        self.inputs: dict[str, tuple[int, ...]] = {}  # the shape of what each network takes, for summary()
        self.rng = Generator(seed, f"{self.name}/train")

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        """One step of the algorithm on a batch, x or (x, labels); returns 0-d Tensors, still on the device."""
        raise NotImplementedError(f"{type(self).__name__} has no train_step(); write one")

    def check_batch(self, batch: int) -> None:
        """Raise ConfigError if batches of this size are nothing for this model."""

    def checked(self, batch: Any) -> tuple[Array, ...]:
        """The batch as (x,) or (x, labels). Raises DataError unless it is at least one example of config.data_shape, in
        floats, and has a label for each if, and only if, this model takes labels."""
        arrays = batch if isinstance(batch, tuple) else (batch,)
        for array in arrays:
            check_array(self.name, array, "the batch")
        x, *labels = arrays
        if x.shape[1:] != self.config.data_shape or not len(x) or x.dtype.kind != "f":
            raise DataError(
                f"{self.name}: the batch is {what(x)}, but it must be floats (N, {str(self.config.data_shape)[1:]}, "
                "at least one example; set data_shape to that of the data"
            )
        if len(labels) != self.takes_labels:
            pair, wanted = ("(x, labels)", "x alone") if labels else ("x alone", "(x, labels)")
            raise DataError(f"{self.name}: the batch is {pair}, but this model takes {wanted}")
        if labels and (labels[0].shape != x.shape[:1] or labels[0].dtype.kind not in "iu"):
            raise DataError(f"{self.name}: the labels are {what(labels[0])}, but they must be {len(x)} integers")
        return arrays

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """n new examples in value_range. An rng in the same state gives the same; training is not changed by it."""
        raise NotImplementedError(f"{type(self).__name__} has no sample(); write one")

    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        """What the sample picture shows, given a fixed batch x of data: here, samples."""
        return self.sample(n, rng)

    def drawings(self) -> tuple[str, ...]:
        """What else may be drawn of this model, by the names that viz.DRAWINGS has; fit leaves these pictures."""
        return ()

    def _latents(self, n: int, rng: Generator | None) -> Array:
        """n draws of z ~ N(0, 1) for samples, (n, latent_dim)."""
        return self._looking(rng).normal((whole(self.name, "n", n, 0), self.config.latent_dim))

    def _looking(self, rng: Generator | None) -> Generator:
        """The stream for samples when none is given: never the training's."""
        return Generator(self.seed, f"{self.name}/sample") if rng is None else checked_rng(rng)

    def output_shapes(self, input_shape: Sequence[int] | None) -> dict[int, tuple[int, ...]]:
        """As of every module, but of the inputs that its networks take: input_shape is not asked for."""
        shapes = dict[int, tuple[int, ...]]()
        for name, shape in self.inputs.items():
            labels = [current_module().zeros(1, np.int64)] if name in self.labelled else []
            shapes |= getattr(self, name).output_shapes(shape, *labels)
        return shapes

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers, by the path of their attribute."""
        return self._held(Optimizer)

    def generators(self) -> dict[str, Generator]:
        """All streams of random numbers that training draws from, those of layers (dropout) among them, by name."""
        return self._held(Generator)

    def _held(self, kind: type) -> dict[str, Any]:
        """What this model and the modules in it hold of a kind, as attributes or in lists and dicts, by path."""
        found = dict[str, Any]()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                found |= dict(_parts(f"{path}.{name}" if path else name, value, kind))
        return found

    def state_dict(self) -> dict[str, Array]:
        """Copies of all weights, buffers and optimiser states, by name."""
        state = super().state_dict()
        for name, optimizer in self.optimizers().items():
            state.update({f"{name}.{slot}": array for slot, array in optimizer.state_dict().items()})
        return state

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> LeftOut:
        """Go back to a state_dict. Raises ValueError, before anything is written, if it is of another model or
        configuration. strict=False: take what weights there are, and the optimisers that are there; what is returned
        says what was left out."""
        left_out = check_keys(self, self.state_dict(), state)
        own = {name: dict[str, Any]() for name in self.optimizers()}
        weights = {}
        for key, array in state.items():
            name, _, slot = key.rpartition(".")
            if name in own:
                own[name][slot] = array
            else:
                weights[key] = array
        given = {optimizer: own[name] for name, optimizer in self.optimizers().items() if strict or own[name]}
        for optimizer, its_state in given.items():
            optimizer.check_state(its_state)
        super().load_state_dict(weights, strict)
        for optimizer, its_state in given.items():
            optimizer.load_state_dict(its_state)
        return left_out


def _parts(path: str, value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, (list, tuple, dict)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(f"{path}.{name}", item, kind)
