"""A GAN that writes sentences, by three methods: words that are softened, a policy's gradient, or likelihood alone.

    gumbel     D lowers E softplus(D(y) - D(x)) + γ/2 E ‖∇D(x)‖²,  G lowers E softplus(D(x) - D(y)),  y ~ G
    reinforce  D lowers E softplus(-D(x)) + E softplus(D(y)) + γ/2 E ‖∇D(x)‖²
               G lowers -E Σₜ Aₜ log q(yₜ|y₁...yₜ₋₁) - λ E log q(x)
    mle        G lowers -E log q(x)

A word is a choice, through which no gradient passes. TextGAN (Zhang et al. 2017) softens it, and so does gumbel: it
draws a word as argmax(logits + Gumbel noise) and gives D its one-hot vector, with the gradient of softmax((logits +
noise) / τ) (Jang et al. 2016), as the GANs of Kusner and Hernández-Lobato 2016 and Nie et al. 2019 do. D and G compare
a real sentence with a written one (Jolicoeur-Martineau 2018). reinforce is SeqGAN (Yu et al. 2017): Aₜ is D's mean
probability of the sentences that G makes of y₁...yₜ, less its mean over the batch. All of them know q(x), word by word.

Likelihood alone is the simplest of the three and wins, as Caccia et al. 2018 find of GANs of text in general.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from .. import losses, ops, parallel
from ..backend import Array, array_module, array_of
from ..checks import whole
from ..data.grammar import LENGTH, WORDS
from ..errors import ConfigError
from ..fields import Count, Counts, LearningRate, NonNegative, Positive
from ..gradients import grad
from ..random import Generator
from ..schedules import linear_decay
from ..scopes import no_grad
from ..tensor import Tensor, tensor
from ..tracing import Untraceable, per_step, tracing
from .average import AveragedG
from .base import ModelConfig
from .collapse import Recent, Sign
from .networks import KeptMean, Slope, SlopePenalty, WeightInit, initial, make_optimizer
from .steps import Loss, Step
from .writer import Writer, distinct_share, reader

REPEATED = 0.1  # share of a batch's sentences that are distinct


@dataclass(frozen=True)
class TextGANConfig(ModelConfig):
    """The hyperparameters. The sizes, γ, τ and Adam(1e-3, 0.5) were chosen by trial on the sentences of `grammar`: with
    γ = 1, τ to 0.3 and dropout in D together gumbel learnt half as much, and with lr=2e-3 it fell back.

    vocabulary, data_shape: set from the data.  weight_init: of all but the GRU.
    """

    data_shape: Counts = (LENGTH,)
    vocabulary: tuple[str, ...] = WORDS
    method: Annotated[
        Literal["gumbel", "mle", "reinforce"], "how G learns: softened words, likelihood alone, or a policy's gradient"
    ] = "gumbel"
    g_features: Annotated[Count, "the features of G's GRU"] = 64
    embedding: Annotated[Count, "how many numbers stand for a word in D"] = 32
    d_channels: Annotated[Counts, "the channels of D's convolutions"] = (64, 64)
    kernel_size: Annotated[Count, "the words that a kernel of D spans"] = 3
    d_hidden: Annotated[Count, "the width of D's hidden layer"] = 64
    slope: Slope = 0.2
    weight_init: WeightInit = "glorot"
    r1: SlopePenalty = 0.1
    tau: Annotated[Positive, "the temperature τ at first, with gumbel"] = 1.0
    tau_end: Annotated[Positive, "the temperature to which τ falls"] = 0.5
    tau_steps: Annotated[Count, "steps over which τ falls, linearly"] = 3100
    pretrain: Annotated[
        Count, "steps in which G learns by likelihood, before it plays with reinforce; mle_lr falls to policy_lr"
    ] = 800
    mle_lr: Annotated[LearningRate, "the learning rate of G while it learns by likelihood"] = 5e-3
    policy_lr: Annotated[LearningRate, "the learning rate of G while it plays with reinforce"] = 1e-4
    rollouts: Annotated[Count, "sentences that reinforce makes of each beginning y₁...yₜ"] = 4
    likelihood: Annotated[NonNegative, "λ, the weight of the likelihood beside reinforce"] = 0.1
    ema: KeptMean = 0.998
    lr: Annotated[float, "the learning rate of D, and of G with gumbel"] = 1e-3
    beta1: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.data_shape) != 1:
            raise ConfigError(
                f"the data have the shape {self.data_shape}, but textgan takes sentences, tokens (L,), such as "
                "--data grammar"
            )
        if len(set(self.vocabulary)) < max(len(self.vocabulary), 2):
            raise ConfigError(f"vocabulary is {self.vocabulary!r:.80}, but it must be at least 2 words, each once")


class TextGAN(AveragedG):
    """A GAN that writes sentences.

    G is a recurrent network, and D one of convolutions.

    >>> model = tg.models.TextGAN(tg.models.TextGANConfig())
    >>> model.sample(2).shape
    (2, 12)
    """

    name = "textgan"
    Config: ClassVar[type] = TextGANConfig
    defaults: ClassVar = {"data": "grammar", "steps": 5000, "batch": 64}

    def __init__(self, config: Any = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        (length,), words = c.data_shape, len(c.vocabulary)
        weights = initial(c, rng)
        self.G = Writer(words, length, c.g_features, **weights)
        self.opt_G = make_optimizer(c, self.G.parameters())
        self.inputs = {"G": (length, words)}
        self.keep_mean()
        self.D: Any = None
        if c.method != "mle":
            sizes, alone = (c.embedding, c.d_channels, c.kernel_size, c.d_hidden), c.method == "reinforce"
            self.D = reader(words, length, *sizes, c.slope, alone, **weights)
            self.opt_D = make_optimizer(c, self.D.parameters())
            self.inputs["D"] = (length, words)
        if c.method != "gumbel":
            self.opt_G.lr = c.mle_lr
        if c.method == "reinforce":
            self.opt_G.lr = linear_decay(c.mle_lr, c.pretrain, c.policy_lr)

    def steps(self, batch: Any) -> list[Step]:
        """D learns to tell x from G's sentences, then G to pass for x; or G alone, by likelihood."""
        (x,) = self.checked(batch)
        x = self.one_hot(x)
        if self.config.method == "gumbel":
            return [self.step_D(x, self.compared), self.step_G(x)]
        if self.config.method == "mle":
            return [self.step_likelihood(x)]
        if tracing() is not None:
            raise Untraceable("with method=reinforce G learns by likelihood first, and plays only then")
        learn = self.step_likelihood if self.opt_G.t < self.config.pretrain else self.step_policy
        return [self.step_D(x, self.told_apart), learn(x)]

    def one_hot(self, x: Any) -> Array:
        """Tokens (N, L) as one-hot vectors (N, L, words), in the dtype of the weights."""
        return ops.one_hot(array_of(x), len(self.config.vocabulary), self.G.start.w.dtype)

    def step_D(self, x: Array, game: Callable[[Tensor, Tensor], Tensor]) -> Step:
        """D learns to tell sentences x from G's, which is fixed."""

        def loss() -> Loss:
            z = self.noise(len(x))
            y = self.G(z)
            leaf = tensor(x, requires_grad=True)
            real, fake = self.D(leaf), self.D(y)
            value = game(real, fake)
            if self.config.r1:
                (gx,) = grad(ops.sum(real), [leaf], create_graph=True)
                value = value + ops.sum(gx * gx) * (0.5 * self.config.r1 / len(x))
            named = {"x": x, "z": z, "G(z)": y, "D(x)": real, "D(G(z))": fake}
            return Loss(value, _verdicts(real, fake), named)

        return Step("D", loss, {"D": self.D}, self.opt_D, frozen={"G": self.G})

    @staticmethod
    def compared(real: Tensor, fake: Tensor) -> Tensor:
        """E softplus(fake - real): what D lowers, and G with the two exchanged."""
        return ops.mean(ops.softplus(fake - real))

    @staticmethod
    def told_apart(real: Tensor, fake: Tensor) -> Tensor:
        """E softplus(-real) + E softplus(fake): Goodfellow et al. 2014."""
        return losses.bce_logits(real, 1.0) + losses.bce_logits(fake, 0.0)

    def step_G(self, x: Array) -> Step:
        """G learns to write what D takes for more real than x: the gradient goes through D and the words drawn."""

        def loss() -> Loss:
            z = self.noise(len(x))
            y = self.G(z, per_step(self.temperature))
            real, fake = self.D(x), self.D(y)
            named = {"z": z, "G(z)": y, "D(G(z))": fake}
            return Loss(self.compared(fake, real), self.measures(y), named)

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D}, then=self.average)

    def step_likelihood(self, x: Array) -> Step:
        """G learns by likelihood: each word given the true ones before it."""
        return Step("G", lambda: Loss(self.nll(x), named={"x": x}), {"G": self.G}, self.opt_G, then=self.average)

    def nll(self, x: Array) -> Tensor:
        """-E log q(x), in nats a sentence."""
        return ops.sum(self.G.log_probabilities(x)) * (-1 / len(x))

    def step_policy(self, x: Array) -> Step:
        """G learns by policy gradient, with a little likelihood of x: Yu et al. 2017, eq. 7."""

        def loss() -> Loss:
            z = self.noise(len(x))
            with no_grad():
                drawn, rewards = self.rollouts(z)
            advantage = rewards - parallel.mean(rewards.mean(axis=0))
            y = self.one_hot(drawn)
            policy = ops.sum(self.G.log_probabilities(y) * advantage) * (-1 / len(x))
            nll = self.nll(x)
            metrics = {"reward": tensor(rewards[:, -1].mean()), "nll": nll.detach(), **self.measures(y)}
            return Loss(policy + self.config.likelihood * nll, metrics, {"z": z, "G(z)": y})

        return Step("G", loss, {"G": self.G}, self.opt_G, frozen={"D": self.D}, then=self.average)

    def rollouts(self, z: Array) -> tuple[Array, Array]:
        """Sentences y of noise z as tokens (N, L), and for each beginning y₁...yₜ D's mean probability of what G makes
        of it, (N, L): Yu et al. 2017, eq. 4."""
        G, k, xp = self.G, self.config.rollouts, array_module(z)
        N, L, V = z.shape
        drawn, states = zip(*G.go_on(z, G.first(z), None), strict=True)
        y, scores = xp.stack(drawn, axis=1), []
        for t in range(1, L + 1):
            n = k if t < L else 1
            repeated = [xp.repeat(array_of(a), n, axis=0) for a in (y[:, :t], states[t - 1])]
            noise = self.rng.gumbel((N, n, L - t, V), dtype=z.dtype).reshape(N * n, L - t, V)
            rest = [word for word, _ in G.go_on(noise, ops.one_hot(repeated[0][:, -1], V, z.dtype), repeated[1])]
            ended = xp.concatenate([repeated[0], *(word[:, None] for word in rest)], axis=1)
            score = self.D(self.one_hot(ended))
            scores.append(ops.sigmoid(array_of(score)).reshape(N, n).mean(axis=1))
        return y, xp.stack(scores, axis=1)

    def temperature(self) -> float:
        """τ at this step of G."""
        c = self.config
        return c.tau + (c.tau_end - c.tau) * min(self.opt_G.t / c.tau_steps, 1.0)

    def measures(self, y: Any) -> dict[str, Tensor]:
        """What is logged of written sentences: the share that are distinct."""
        return {"distinct_share": tensor(distinct_share(array_of(y).argmax(axis=-1)))}

    def signs(self, recent: Recent) -> Iterator[Sign]:
        """One repeated sentence: hardly any of a batch's sentences is distinct."""
        rows = recent.rows
        if all(row.get("distinct_share", 1.0) <= REPEATED for row in rows):
            share = rows[-1]["distinct_share"]
            evidence = f"{share:.0%} of a batch's sentences were distinct in the last of {len(rows)} logs"
            yield Sign("one sentence repeated", evidence, "a higher tau_end, a lower lr, or method=mle")

    def noise(self, n: int, rng: Generator | None = None) -> Array:
        """Gumbel noise for n sentences, (n, L, words)."""
        return (rng or self.rng).gumbel((n, *self.config.data_shape, len(self.config.vocabulary)))

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """n sentences as tokens, (n, L)."""
        return self.draw(self.noise(whole(self.name, "n", n, 0), self.sampling_stream(rng)))

    def draw(self, z: Array) -> Array:
        """The sentences of Gumbel noise, as tokens (n, L)."""
        return self.drawing_G.write(z)

    @no_grad()
    def log_probability(self, x: Array) -> Array:
        """log q of each sentence, tokens (N, L), in nats: (N,)."""
        (x,) = self.checked(x)
        return array_of(self.drawing_G.log_probabilities(self.one_hot(x))).sum(axis=1)


def _verdicts(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """D's mean scores, and the share of pairs that it has in the right order."""
    r, s = array_of(real), array_of(fake)
    return {"acc": tensor((r > s).mean(dtype=r.dtype)), "D(x)": tensor(r.mean()), "D(G(z))": tensor(s.mean())}
