"""What every model is: networks, optimisers and generators, the steps by which it learns, and what it can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from ..backend import Array, current_module
from ..checks import whole
from ..errors import ConfigError
from ..fields import Choices, Counts, Decay, LearningRate, NonNegative
from ..init import checked_rng
from ..layers import LeftOut, Module
from ..layers.state import check_keys
from ..losses import GANLoss
from ..ops import concatenate
from ..optim import OPTIMIZERS, Optimizer
from ..random import Generator
from ..tensor import Tensor
from .batch import checked
from .collapse import Recent, Sign, collapse
from .limits import check_config
from .presets import Preset, find_preset
from .steps import Loss, Step
from .verdicts import verdicts

OptimizerName: TypeAlias = Annotated[str, Choices(OPTIMIZERS), "how a gradient changes the weights"]


@dataclass(frozen=True)
class ModelConfig:
    """The hyperparameters that all models have. Raises ConfigError for a value that makes no sense.

    data_shape: of one example, (H, W, C) or (features,).
    """

    data_shape: Counts = (28, 28, 1)
    optimizer: OptimizerName = "adam"
    lr: Annotated[LearningRate, "the learning rate"] = 1e-3
    beta1: Annotated[Decay, "how much of the mean gradient Adam keeps at each step; the momentum of SGD"] = 0.9
    beta2: Annotated[Decay, "how much of the mean squared gradient Adam keeps; the alpha of RMSprop"] = 0.999
    eps: Annotated[NonNegative, "added where Adam and RMSprop divide by the root of the mean square"] = 1e-8

    def __post_init__(self) -> None:
        check_config(self)


@dataclass(frozen=True)
class NoConfig:
    """The Config of a model that declares no hyperparameters."""


class Model(Module):
    """A generative model. A subclass sets `name`, `Config` and `defaults`, builds networks, and writes the algorithm.

    Networks, optimisers and generators are attributes, the latter two also in lists and dicts: state_dict(),
    load_state_dict() and generators() find them there. Write steps(), or a train_step() of your own, and any other
    method below that your model can support: training, the recorder, the report, warnings, evaluation and the command
    line use nothing but this class, and do without what isn't written. `name` is by default that of the class, in
    lower case.

    >>> class Mean(tg.models.Model):
    ...     Config = tg.models.ModelConfig
    >>> Mean().name, Mean().config.data_shape
    ('mean', (28, 28, 1))
    """

    name: ClassVar[str] = "model"
    Config: ClassVar[type] = NoConfig
    config: Any  # an instance of Config
    defaults: ClassVar[dict[str, Any]] = {"data": "digits", "steps": 5000, "batch": 64}
    presets: ClassVar[Mapping[str, Preset]] = {}  # settings that belong together, by name
    value_range: tuple[float, float] | None = None  # of its inputs and samples; None: any
    takes_labels: ClassVar[bool] = False  # whether a batch is a pair (x, labels)
    takes_domains: ClassVar[bool] = False  # whether a batch is a pair (x, y) of examples of two domains
    labelled: ClassVar[tuple[str, ...]] = ()  # the networks that take labels beside the input in `inputs`
    columns: int | None = None  # of the sample picture; None: as near to square as possible
    batches_per_step: int = 1  # how many batches a train_step takes, as one array
    game: GANLoss | None = None  # the game that the networks "G" and "D" play, if any
    likelihood: str | None = None  # p(x|z): "bernoulli", "mse" (Gaussian), or None if unknown

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.name == Model.name:
            cls.name = cls.__name__.lower()
        needed = {"name": (str, "text"), "Config": (type, "a class"), "defaults": (Mapping, "a dict")}
        for option, (kind, words) in needed.items():
            if not isinstance(value := getattr(cls, option), kind):
                raise ConfigError(f"{cls.__name__}: {option} is {value!r:.60}, but it must be {words}")
        cls.defaults = {**Model.defaults, **cls.defaults}
        cls.presets = vars(cls).get("presets", {})  # those of a base are for the base's settings

    def __init__(self, config: Any = None, seed: int = 0):
        self.config = self.Config() if config is None else config
        if issubclass(self.Config, ModelConfig) and not isinstance(self.config, self.Config):
            raise ConfigError(
                f"{type(self).__name__}: config is {config!r}, but it must be a {self.Config.__name__}(...) or None"
            )
        self.seed = seed
        self.inputs: dict[str, tuple[int, ...]] = {}  # the shape of what each network takes, for summary()
        self.rng = Generator(seed, f"{self.name}/train")

    @classmethod
    def preset(cls, name: str, **settings: Any) -> Any:
        """A Config with the settings of a preset, and others. Raises ConfigError if there is no such preset."""
        return cls.Config(**{**find_preset(cls, name).settings, **settings})

    def has(self, method: str) -> bool:
        """Whether the model implements a method that this class only declares, such as "sample" or "score"."""
        return has(self, method)

    @property
    def data_shape(self) -> tuple[int, ...] | None:
        """The shape of one example, if the config has it."""
        shape = self.config.get("data_shape") if isinstance(self.config, Mapping) else None
        shape = getattr(self.config, "data_shape", shape)
        if not isinstance(shape, (tuple, list, type(None))):
            raise ConfigError(f"{self.name}: data_shape is {shape!r}, but it must be a tuple, such as (28, 28, 1)")
        return None if shape is None else tuple(shape)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words of its examples, if these are sentences: tokens (N, L), whole numbers. None: they are floats."""
        words = getattr(self.config, "vocabulary", None)
        return tuple(words) if isinstance(words, (tuple, list)) else None

    # How it learns

    def steps(self, batch: Any) -> Sequence[Step]:
        """The steps of the algorithm on a batch, x, (x, labels) or (x, y), in order; none has been taken yet.

        Random numbers are drawn by the steps' losses, not here: this is also called to ask what the steps are.
        """
        raise NotImplementedError(f"{type(self).__name__} has no steps(); write it")

    def steps_on(self, x: Array, *more: Array) -> dict[str, Step]:
        """The steps by name, each on all of x (and its labels, or y); where several have one name, the last."""
        n = self.batches_per_step
        arrays = tuple(concatenate([a] * n) if n > 1 else a for a in (x, *more))
        return {step.name: step for step in self.list_steps(arrays if more else arrays[0])}

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        """Take all the steps; return their losses and metrics as 0-d Tensors, still on the device."""
        return self.measured((step, step.take()) for step in self.list_steps(batch))

    def list_steps(self, batch: Any) -> list[Step]:
        """What steps() returns. Raises ConfigError unless that is a non-empty list of Steps."""
        steps: Any = self.steps(batch)
        listed = list(steps) if isinstance(steps, Iterable) else []
        if not listed or not all(isinstance(step, Step) for step in listed):
            raise ConfigError(f"{self.name}: steps() returned {steps!r:.60}, but it must return a list of Steps")
        return listed

    def measured(self, taken: Iterable[tuple[Step, Loss]]) -> dict[str, Tensor]:
        """The metrics of the steps taken, losses first; where several steps have one name, those of the last."""
        losses, metrics = dict[str, Tensor](), dict[str, Tensor]()
        for step, loss in taken:
            losses[step.metric] = loss.value.detach()
            if self.game is not None and {"D(x)", "D(G(z))"} <= loss.named.keys():
                metrics |= verdicts(self.game, loss.named["D(x)"], loss.named["D(G(z))"])
            metrics |= loss.metrics
        return losses | metrics

    def check_batch(self, batch: int) -> None:
        """Raise ConfigError if the model can't train on this batch size."""

    def check_labels(self, labels: Any) -> None:
        """Raise DataError if the model can't learn from these labels."""

    def checked(self, batch: Any) -> tuple[Array, ...]:
        """The batch as (x,), (x, labels) or (x, y). Raises DataError unless each is at least one example of
        config.data_shape, in floats, with a label for each if, and only if, this model takes labels, and with as many
        of a second domain if it takes two."""
        return checked(self, batch)

    def signs(self, recent: Recent) -> Iterator[Sign]:
        """The signs of failure in the last logs of a training, for warnings; by default those of a collapsing GAN."""
        return iter(()) if self.game is None else collapse(recent, self.game)

    # What it makes

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """n new examples in value_range. The same state of rng gives the same examples; training is not affected.

        A model that takes labels takes `labels` here too: one for all, or one for each.
        """
        raise NotImplementedError(f"{type(self).__name__} has no sample(); write one")

    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        """What the sample picture shows, given a fixed batch x of data; by default, samples."""
        return self.sample(n, rng)

    def drawings(self) -> tuple[str, ...]:
        """Other pictures of this model, by their names in viz.DRAWINGS; fit saves them."""
        return ()

    def labels_for(self, n: int, labels: Any = None) -> Array:
        """n labels on the device, for a model that takes them: from one for all, or one for each; default 0, 1, ..."""
        lacks = "takes labels, but has no labels_for(); write it" if self.takes_labels else "takes no labels"
        raise NotImplementedError(f"{type(self).__name__} {lacks}")

    def sample_pairs(self, n: int, rng: Generator | None = None) -> tuple[Array, Array]:
        """n new examples of each of two domains, of which those with one index belong together."""
        raise NotImplementedError(f"{type(self).__name__} has no sample_pairs(); write it")

    # For two networks that play a game

    def noise(self, n: int, rng: Generator | None = None) -> Array:
        """n draws of z, from which samples are made: (n, latent_dim)."""
        raise NotImplementedError(f"{type(self).__name__} has no noise(); write it")

    def draw(self, z: Array, *labels: Array) -> Array:
        """The examples of latents z, as `sample` makes them."""
        return self.decode(z)

    def score(self, x: Any, *labels: Array) -> Any:
        """D's score of each example, (N, 1), a Tensor; if x requires grad, its slope can be taken."""
        raise NotImplementedError(f"{type(self).__name__} has no score(); write it")

    def augmented(self, x: Any) -> Any:
        """Examples as D gets them in training, with noise or distorted; by default, unchanged."""
        return x

    def loss_G(self, fake: Any, *labels: Array) -> Loss:
        """What G lowers, given its samples; by default, the game's loss for D's scores."""
        assert self.game is not None
        scores = self.score(self.augmented(fake), *labels)
        return Loss(self.game.G(scores), named={"D(G(z))": scores})

    # For an encoder and a decoder

    def codes(self, x: Array) -> Array:
        """Where the encoder puts examples: (N, latent_dim)."""
        raise NotImplementedError(f"{type(self).__name__} has no codes(); write it")

    def posterior(self, x: Array) -> tuple[Array, Array]:
        """mu and logvar of q(z|x), each (N, latent_dim)."""
        raise NotImplementedError(f"{type(self).__name__} has no posterior(); write it")

    def decode(self, z: Array) -> Array:
        """The examples of latents z (N, latent_dim)."""
        raise NotImplementedError(f"{type(self).__name__} has no decode(); write it")

    def reconstruct(self, x: Array) -> Array:
        """The decoder's output for the codes of x."""
        return self.decode(self.codes(x))

    def plane(self, x: Array, side: int) -> Array:
        """side · side latents in rows, around the codes of x, for a picture of two latents."""
        raise NotImplementedError(f"{type(self).__name__} has no plane(); write it")

    def log_likelihood(self, x: Array, z: Array) -> Array:
        """log p(x|z) of each example, (N,), for x and z of equal length."""
        raise NotImplementedError(f"{type(self).__name__} has no log_likelihood(); write it")

    # For images that are made of images

    @property
    def accepts(self) -> tuple[int | None, ...] | None:
        """The shape of an image that translate takes, None for any length; by default, data_shape."""
        return self.data_shape

    def translate(self, x: Array) -> Array:
        """Images made of images x (N, H, W, C) in value_range. What else it takes, by name, are its options:
        `direction`, a text, and `mask`, booleans (N, H, W, 1), have an option in `tinygen translate`."""
        raise NotImplementedError(f"{type(self).__name__} has no translate(); write it")

    def degrade(self, x: Array) -> Array:
        """What translate takes in the place of true images x, if it restores them."""
        raise NotImplementedError(f"{type(self).__name__} has no degrade(); write it")

    @property
    def remade(self) -> tuple[slice, slice]:
        """The rows and columns of an image that translate makes anew; by default, all."""
        return slice(None), slice(None)

    def plain(self, x: Array) -> Array:
        """What the simplest means make of x = degrade(...), in place of translate: it must be better than that."""
        raise NotImplementedError(f"{type(self).__name__} has no plain(); write it")

    # What is recorded

    def observe(self, x: Array, fake: Array, *labels: Array) -> dict[str, Any]:
        """What else to record, arrays by name, given real examples x (and their labels) and samples.

        The page shows "slopes", (N,): the length of D's gradient at each x̂, a point where it is penalised.
        """
        return {}

    def sampling_stream(self, rng: Generator | None) -> Generator:
        """rng or, if it is None, a stream for samples: never the one of the training."""
        return Generator(self.seed, f"{self.name}/sample") if rng is None else checked_rng(rng)

    def _latents(self, n: int, rng: Generator | None) -> Array:
        """n draws of z ~ N(0, 1) for samples, (n, latent_dim)."""
        return self.sampling_stream(rng).normal((whole(self.name, "n", n, 0), self.config.latent_dim))

    def output_shapes(self, input_shape: Sequence[int] | None) -> dict[int, tuple[int, ...]]:
        """As for every module, but for the inputs of its networks in `inputs`: input_shape is ignored."""
        shapes = dict[int, tuple[int, ...]]()
        for name, shape in self.inputs.items():
            labels = [current_module().zeros(1, np.int64)] if name in self.labelled else []
            shapes |= getattr(self, name).output_shapes(shape, *labels)
        return shapes

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers, by the path of their attribute."""
        return self._held(Optimizer)

    def generators(self) -> dict[str, Generator]:
        """All streams of random numbers that training draws from, including those of layers (dropout), by name."""
        return self._held(Generator)

    def _held(self, kind: type) -> dict[str, Any]:
        """All objects of a kind in this model and its modules, as attributes or in lists and dicts, by path."""
        found = dict[str, Any]()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                found |= dict(_find(f"{path}.{name}" if path else name, value, kind))
        return found

    def state_dict(self) -> dict[str, Array]:
        """Copies of all weights, buffers and optimiser states, by name."""
        state = super().state_dict()
        for name, optimizer in self.optimizers().items():
            state.update({f"{name}.{slot}": array for slot, array in optimizer.state_dict().items()})
        return state

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> LeftOut:
        """Restore a state_dict. Raises ValueError, before anything is written, if it is of another model or
        configuration. strict=False: restore the weights and optimisers that it has, and return what was left out."""
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


def _find(path: str, value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, (list, tuple, dict)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _find(f"{path}.{name}", item, kind)


def has(model: Any, method: str) -> bool:
    """Whether a model, or any object used as one, implements the method: see `Model.has`."""
    return hasattr(model, method) and getattr(type(model), method, None) is not getattr(Model, method, None)
