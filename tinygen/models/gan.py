"""The GAN of dense layers: Goodfellow et al. 2014, in the form made classic by tutorials.

    min_G max_D  E log D(x) + E log(1 - D(G(z))),   z ~ N(0, 1)

D ends without a sigmoid: its output is a score, the logit of D(x). The losses take scores, so nothing overflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

from .. import layers, ops
from ..backend import Array
from ..errors import ConfigError
from ..fields import Choices, Count, Counts, Limits, NonNegative, Share
from ..losses import GAN_LOSSES
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from ..tracing import per_step, variant
from .average import AveragedG
from .base import ModelConfig
from .networks import (
    VALUE_RANGES,
    Activation,
    KeptMean,
    Momentum,
    NormEps,
    Output,
    PenaltyEvery,
    RateFalls,
    RateOfD,
    RateStays,
    Slope,
    SlopePenalty,
    WeightInit,
    check_batch_norm,
    elements,
    initial,
    make_optimizer,
    mlp,
    output_for,
)
from .penalties import r1_penalty
from .presets import POINTS, Preset
from .steps import Loss, Step

LossName: TypeAlias = Annotated[str, Choices(GAN_LOSSES), "what D and G lower"]


@dataclass(frozen=True)
class GameConfig(ModelConfig):
    """The hyperparameters of every game of G and D, whatever their networks."""

    latent_dim: Annotated[Count, "how many numbers the noise z has"] = 100
    slope: Slope = 0.2
    loss: LossName = "nonsaturating"
    mean_d_loss: Annotated[
        bool, "D's loss is the mean of its real and fake halves (Keras tutorials) instead of their sum (the paper)"
    ] = False
    d_steps: Annotated[Count, "steps of D for each step of G, each on its own batch"] = 1
    label_smoothing: Annotated[
        Share, "above 0, D's target for real images is 1 minus this (one-sided: Salimans et al. 2016, section 3.4)"
    ] = 0.0
    instance_noise: Annotated[
        NonNegative,
        "the standard deviation of noise on all inputs of D, so that real and fake overlap (Sønderby et al. 2017; "
        "Arjovsky and Bottou 2017)",
    ] = 0.0
    instance_noise_steps: Annotated[int, Limits(0), "steps of D over which this noise falls to 0; 0: it stays"] = 0
    r1: SlopePenalty = 0.0
    r1_every: PenaltyEvery = 1
    ema: KeptMean = 0.0
    lr: Annotated[float, "the learning rate of G, and of D unless d_lr is given"] = 2e-4
    d_lr: RateOfD = 0.0
    constant: RateStays = 0
    decay: RateFalls = 0
    beta1: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and not GAN_LOSSES[self.loss].labelled:
            raise ConfigError(f"label_smoothing={self.label_smoothing:g}: the loss {self.loss!r} has no labels")


@dataclass(frozen=True)
class AdversarialConfig(GameConfig):
    """The hyperparameters that all GANs with plain networks have."""

    batch_norm: Annotated[bool, "batch norm in G"] = True
    bn_momentum: Momentum = 0.8
    bn_eps: NormEps = 1e-3
    output: Output = "auto"
    weight_init: WeightInit = "glorot"


@dataclass(frozen=True)
class GANConfig(AdversarialConfig):
    """The hyperparameters. The defaults are those of the classic Keras tutorial GAN on MNIST (E. Linder-Norén 2017):
    widths 256-512-1024 and 512-256, LeakyReLU(0.2) then BatchNorm(0.8) in G, tanh, Adam(2e-4, 0.5); its momentum of 0.5
    and its lr are those of the DCGAN (Radford et al. 2015, section 4). The initial weights are PyTorch's: with those of
    Keras the FID on the digits was twice as high after 2,000 steps, and samples varied less.
    """

    weight_init: WeightInit = "fan_in"
    g_hidden: Annotated[Counts, "the widths of G's hidden layers, from the noise on"] = (256, 512, 1024)
    d_hidden: Annotated[Counts, "the widths of D's hidden layers, from the example on"] = (512, 256)
    g_activation: Annotated[Activation, "the activation of G's hidden layers"] = "leaky_relu"
    d_activation: Annotated[Activation, "the activation of D's hidden layers"] = "leaky_relu"


def plane(steps: int = 4000, **settings: Any) -> Preset:
    """The preset of a GAN of dense layers for points in the plane, with further settings of its own.

    Small networks without batch norm, D's rate twice G's, and samples of G's running mean: on ring8 they cover all 8
    modes after 1,000 steps, for each of nine seeds. The networks for images covered 6 and 5 after 5,000 steps, with 4%
    and 7% of the points near a mode.
    """
    networks: dict[str, Any] = {
        "latent_dim": 2,
        "g_hidden": (64, 64),
        "d_hidden": (64, 64),
        "g_activation": "relu",
        "d_activation": "relu",
        "batch_norm": False,
        "weight_init": "glorot",
        "ema": 0.99,
        "lr": 1e-3,
        "d_lr": 2e-3,
    }
    return Preset("for points in the plane", networks | settings, {"batch": 128, "steps": steps}, POINTS)


class GAN(AveragedG):
    """A GAN of dense layers, with or without batch norm.

    >>> model = tg.models.MODELS["gan"](tg.models.GANConfig(latent_dim=16), seed=1)
    >>> metrics = model.train_step(np.zeros((8, 28, 28, 1), np.float32))
    >>> sorted(metrics), isinstance(model, tg.models.GAN)
    (['D(G(z))', 'D(x)', 'acc', 'loss_D', 'loss_G'], True)
    """

    name = "gan"
    Config: ClassVar[type] = GANConfig
    presets: ClassVar = {
        "keras": Preset(
            "the Keras tutorial GAN (E. Linder-Norén 2017)",
            {"weight_init": "glorot", "bn_momentum": 0.8, "bn_eps": 1e-3, "mean_d_loss": True, "eps": 1e-7},
            {"batch": 32, "steps": 2000},
        ),
        "plain": Preset(
            "as in many tutorials: no batch norm, Adam's defaults",
            {"weight_init": "glorot", "batch_norm": False, "lr": 1e-3, "beta1": 0.9},
            {"batch": 128, "steps": 10_000},
        ),
        "minimax": Preset(
            "small, with ReLU, a sigmoid and the loss of the paper's game",
            {
                "weight_init": "glorot",
                "g_hidden": (128, 128),
                "d_hidden": (128, 128),
                "g_activation": "relu",
                "d_activation": "relu",
                "output": "sigmoid",
                "batch_norm": False,
                "lr": 1e-3,
                "beta1": 0.9,
                "loss": "minimax",
            },
        ),
        "plane": plane(),
    }

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        output = self.output()
        self.G = layers.Sequential(*self.generator(output, rng))
        self.D = layers.Sequential(*self.discriminator(rng))
        self.inputs = {"G": (c.latent_dim,), "D": c.data_shape}
        self.opt_D = make_optimizer(c, self.D.parameters(), c.d_lr)
        self.opt_G = make_optimizer(c, self.G.parameters())
        self.keep_mean()
        self.game: Any = GAN_LOSSES[c.loss]
        self.batches_per_step = c.d_steps
        self.value_range = VALUE_RANGES[output]

    def output(self) -> str:
        """The last activation of G."""
        return output_for(self.config.output, self.config.data_shape, images="tanh")

    def generator(self, output: str, rng: Generator) -> list[layers.Module]:
        """The layers of G: (N, latent_dim) to (N, *data_shape); output: the last activation."""
        c = self.config
        norm = {"momentum": c.bn_momentum, "eps": c.bn_eps} if c.batch_norm else None
        widths = (c.latent_dim, *c.g_hidden, elements(c.data_shape))
        return [*mlp(widths, c.g_activation, output, c.slope, norm, **initial(c, rng)), layers.Reshape(c.data_shape)]

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: (N, *data_shape) to the scores (N, 1)."""
        c = self.config
        widths = (elements(c.data_shape), *c.d_hidden, 1)
        return [layers.Flatten(), *mlp(widths, c.d_activation, "linear", c.slope, None, **initial(c, rng))]

    def steps(self, batch: Any) -> list[Step]:
        """D learns d_steps times to tell x from G's images, then G to fool it: Goodfellow et al. 2014, algorithm 1.

        batch: x, or (x, labels) if the networks take labels; as many examples as all of D's steps need.
        """
        parts = list(self.split_batch(batch))
        return [*(self.step_D(*part) for part in parts), self.step_G(*parts[-1])]

    def step_D(self, x: Array, *y: Array) -> Step:
        """D learns to tell real images x from G(z); G is fixed."""

        def loss() -> Loss:
            z = self.noise(len(x))
            fake = self.generate(z, *y)
            return self.loss_D(x, fake, *y).naming({"x": x, "z": z, "G(z)": fake})

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    def step_G(self, x: Array, *y: Array) -> Step:
        """G learns to pass off len(x) images as real: the gradient goes through D, which stays fixed."""

        def loss() -> Loss:
            z = self.noise(len(x))
            fake = self.generate(z, *y)
            return self.loss_G(fake, *y).naming({"z": z, "G(z)": fake})

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D}, then=self.average)

    def generate(self, z: Array, *y: Array) -> Tensor:
        """G(z) as it learns from it."""
        return self.G(z, *y)

    def loss_D(self, x: Array, fake: Tensor, *y: Array) -> Loss:
        """What D lowers, given real and fake images (and their labels)."""
        x = self.augmented(x)
        real_score, fake_score = self.judge(x, self.augmented(fake), *y)
        value = self.loss_of_scores(real_score, fake_score, x, *y)
        return Loss(value, named={"D(x)": real_score, "D(G(z))": fake_score})

    def loss_of_scores(self, real_score: Tensor, fake_score: Tensor, x: Array, *y: Array) -> Tensor:
        """What D lowers, given its scores; x: the real images, for the penalty on D's slope, if any."""
        c = self.config
        target = (1 - c.label_smoothing,) if c.label_smoothing else ()
        loss = self.game.D(real_score, fake_score, *target)
        if c.mean_d_loss:
            loss = loss * 0.5
        if c.r1 and (c.r1_every == 1 or variant(self.r1_due)):
            loss = loss + 0.5 * c.r1 * c.r1_every * self.slope_penalty(x, *y)
        return loss

    def r1_due(self) -> bool:
        """Whether the penalty on D's slope is taken now: at the first step and each r1_every after it; the d_steps of D
        before a step of G are of one kind."""
        return self.opt_D.t // self.config.d_steps % self.config.r1_every == 0

    def slope_penalty(self, x: Array, *y: Array) -> Tensor:
        """E ‖∇D(x)‖² over real images x."""
        return r1_penalty(self.score, x, *y)

    def loss_G(self, fake: Tensor, *y: Array) -> Loss:
        """What G lowers, given its images (and their labels)."""
        score = self.D(self.augmented(fake), *y)
        return Loss(self.game.G(score), named={"D(G(z))": score})

    def score(self, x: Any, *y: Array) -> Any:
        """D's score of each image (with its label)."""
        return self.D(x, *y)

    def split_batch(self, batch: Any) -> Iterator[tuple[Array, ...]]:
        """The batch in d_steps equal parts, each (x,) or (x, labels)."""
        arrays, steps = self.checked(batch), self.batches_per_step
        n = len(arrays[0])
        if n % steps:
            raise ConfigError(f"{self.name}: d_steps={steps} takes a batch in {steps} equal parts, not {n} examples")
        self.check_batch(n // steps)
        return zip(*(ops.split(a, steps) for a in arrays), strict=True)

    def augmented(self, x: Any) -> Any:
        """x with instance noise, if any: as much as is left at this step of D."""
        if not self.config.instance_noise:
            return x
        return x + self.rng.normal(x.shape, std=per_step(self.noise_left), dtype=x.dtype)

    def noise_left(self) -> float:
        """The standard deviation of the instance noise at this step of D."""
        c = self.config
        left = max(0.0, 1 - self.opt_D.t / c.instance_noise_steps) if c.instance_noise_steps else 1.0
        return c.instance_noise * left

    def judge(self, x: Array, fake: Tensor, *y: Array) -> Sequence[Tensor]:
        """D's scores of a real and of a fake batch: in one pass, which is faster, unless batch norm would mix them."""
        if self.D.mixes_examples:
            return self.D(x, *y), self.D(fake, *y)
        return ops.split(self.D(ops.concatenate([x, fake]), *(ops.concatenate([a, a]) for a in y)), 2)

    def check_batch(self, batch: int) -> None:
        check_batch_norm(self, batch)

    def noise(self, n: int, rng: Generator | None = None) -> Array:
        """n latent vectors z ~ N(0, 1), (n, latent_dim)."""
        return (rng or self.rng).normal((n, self.config.latent_dim))

    @no_grad()
    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """G(z) for n draws of z, with batch norm's running statistics."""
        return self.draw(self._latents(n, rng))

    @no_grad()
    def draw(self, z: Array, *y: Array) -> Array:
        """G(z), by the mean of G's weights if there is one, with batch norm's running statistics."""
        G = self.drawing_G
        with layers.evaluating(G):
            return G(z, *y).data
