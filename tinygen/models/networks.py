"""Shared by the models: networks of dense layers, and the optimiser of a Config."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from .. import init, layers
from ..errors import ConfigError
from ..fields import Choices, Count, Counts, LearningRate, Limits, NonNegative, Share
from ..optim import OPTIMIZERS, Optimizer
from ..optimizer import Rate
from ..processes import sharing
from ..random import Generator
from ..schedules import linear_decay
from ..tensor import Parameter
from .base import ModelConfig

ACTIVATIONS: dict[str, Any] = {
    "relu": layers.ReLU,
    "leaky_relu": layers.LeakyReLU,
    "tanh": layers.Tanh,
    "sigmoid": layers.Sigmoid,
}
VALUE_RANGES: dict[str, tuple[float, float] | None] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "linear": None}

WEIGHT_INITS: dict[str, init.Init] = {
    "glorot": init.glorot_uniform,
    "fan_in": init.fan_in_uniform,
    "he": init.he_uniform,
    "normal": init.normal,
}

# The kinds of fields that several models have, with what they mean.
WeightInit: TypeAlias = Annotated[
    str,
    Choices(WEIGHT_INITS),
    "how the weights begin: glorot, as in Keras; fan_in, U(± 1/√fan_in), biases too, as in PyTorch; he; or normal, "
    "N(0, .02²)",
]
Activation: TypeAlias = Annotated[str, Choices(ACTIVATIONS), "the activation of the hidden layers"]
Output: TypeAlias = Annotated[
    str,
    Choices(["auto", *VALUE_RANGES]),
    "the activation of the last layer that makes an example; auto is linear for points, and suits images",
]
Slope: TypeAlias = Annotated[Share, "the slope of a leaky ReLU below 0"]
Momentum: TypeAlias = Annotated[
    Share, "how much of its running mean batch norm keeps at each step, as in Keras; PyTorch's momentum is 1 minus this"
]
NormEps: TypeAlias = Annotated[NonNegative, "added to the variance by which batch norm divides"]
KeptMean: TypeAlias = Annotated[
    Share,
    "examples are made with a running mean of G's weights, ema · mean + (1 - ema) · weights after each step (Yazıcı et "
    "al. 2019); 0: with the weights",
]
RateOfD: TypeAlias = Annotated[
    LearningRate, "the learning rate of D, if it differs from G's (two time scales: Heusel et al. 2017); 0: lr"
]
RateStays: TypeAlias = Annotated[int, Limits(0), "steps at the learning rate, before it falls"]
RateFalls: TypeAlias = Annotated[int, Limits(0), "steps over which the learning rate then falls to 0; 0: it stays"]
KernelSize: TypeAlias = Annotated[Count, "the side of the kernels, in pixels"]
ChannelsOfEncoder: TypeAlias = Annotated[
    Counts, "the channels of the encoder's maps, each half as wide and high as those before; reversed in the decoder"
]
ChannelsOfD: TypeAlias = Annotated[Counts, "the channels of D's maps, each half as wide and high as those before"]
SlopePenalty: TypeAlias = Annotated[
    NonNegative, "the weight γ of the penalty γ/2 E ‖∇D(x)‖² on real examples (Mescheder et al. 2018, eq. 9); 0: none"
]
PenaltyEvery: TypeAlias = Annotated[
    Count, "the penalty r1 is taken every so many steps of D, so many times as heavy (Karras et al. 2020, section 3.1)"
]


def activation(name: str, slope: float = 0.2) -> list[layers.Module]:
    """The layer of that name, in a list; none for "linear". slope: of a leaky ReLU."""
    if name == "linear":
        return []
    if name not in ACTIVATIONS:
        raise ConfigError(f"activation: {name!r} is none of linear, {', '.join(ACTIVATIONS)}")
    return [ACTIVATIONS[name](*[slope] if name == "leaky_relu" else [])]


def mlp(
    widths: Sequence[int],
    hidden: str,
    output: str = "linear",
    slope: float = 0.2,
    batch_norm: dict[str, float] | None = None,
    rng: Generator | None = None,
    weight_init: init.Init = init.glorot_uniform,
) -> list[layers.Module]:
    """Dense layers from width to width, each but the last with its activation, then batch norm if it has options.

    Activation before normalisation is the order of the classic Keras GAN.
    """
    if len(widths) < 2:
        raise ConfigError(f"mlp: widths are {tuple(widths)}, but there must be at least two: input and output")
    network: list[layers.Module] = []
    for n_in, n_out in itertools.pairwise(widths[:-1]):
        network += [layers.Dense(n_in, n_out, weight_init=weight_init, rng=rng), *activation(hidden, slope)]
        if batch_norm is not None:
            network.append(layers.BatchNorm(n_out, **batch_norm))
    last = layers.Dense(widths[-2], widths[-1], weight_init=weight_init, rng=rng)
    return [*network, last, *activation(output, slope)]


def initial(config: Any, rng: Generator) -> dict[str, Any]:
    """The options of a layer, or of mlp(), that make its initial weights as a Config says, drawn from rng."""
    return {"weight_init": WEIGHT_INITS[config.weight_init], "rng": rng}


def elements(data_shape: Sequence[int]) -> int:
    """How many numbers one example has."""
    return math.prod(data_shape)


def output_for(output: str, data_shape: Sequence[int], images: str) -> str:
    """A network's last activation: what was asked for, or, for "auto", linear for points and `images` for images."""
    return output if output != "auto" else "linear" if len(data_shape) == 1 else images


def check_batch_norm(model: Any, batch: int) -> None:
    """Raise ConfigError for a model with batch norm of vectors, and a batch of one, which has no spread."""
    if model.config.batch_norm and batch * (1 if sharing().local_batch_norm else sharing().size) < 2:
        raise ConfigError(f"{model.name}: batch norm needs a batch of at least 2, not {batch}; or set batch_norm=false")


def make_optimizer(config: ModelConfig, parameters: list[Parameter], lr: float = 0.0) -> Optimizer:
    """The optimiser that a Config names, with its betas and eps where the optimiser has them.

    lr: 0: the Config's. If the Config has a decay, the rate is lr for `constant` steps, and falls to 0 within `decay`.
    """
    kind: Any = OPTIMIZERS[config.optimizer]  # each has a signature of its own
    rate: Rate = lr or config.lr
    if decay := getattr(config, "decay", 0):
        constant = getattr(config, "constant", 0)
        rate = linear_decay(lr or config.lr, constant + decay, constant=constant)
    return kind(parameters, rate, **kind.options_of(config))
