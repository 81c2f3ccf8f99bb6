"""The variational autoencoder: Kingma and Welling 2013.

    minimise  E_q(z|x) [-log p(x|z)] + beta · KL(q(z|x) ‖ N(0, 1)),   q(z|x) = N(mu(x), e^logvar(x))

The sample z = mu + e^(logvar/2) · eps with eps ~ N(0, 1) lets the gradient reach mu and logvar (section 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from .. import layers, losses, ops
from ..backend import Array
from ..fields import Count, Counts, NonNegative
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor
from .base import Model, ModelConfig
from .latents import PLANE, gaussian_plane
from .networks import Activation, WeightInit, elements, initial, make_optimizer, mlp
from .presets import POINTS, Preset
from .steps import Loss, Step


@dataclass(frozen=True)
class VAEConfig(ModelConfig):
    """The hyperparameters. The defaults are the common form of the paper's MNIST model: one hidden layer of 400 in
    both encoder and decoder, 20 latents, grey values taken as Bernoulli means, Adam(1e-3).
    """

    latent_dim: Annotated[Count, "how many numbers the latent z has"] = 20
    hidden: Annotated[Counts, "the widths of the encoder's hidden layers; reversed in the decoder"] = (400,)
    activation: Activation = "relu"
    reconstruction: Annotated[
        Literal["auto", "bernoulli", "mse"],
        "-log p(x|z): bernoulli, the cross entropy of each pixel (x in [0, 1]); or mse, ½ Σ (x - x̂)², a Gaussian of "
        "unit variance; auto is the first for images, the second for points",
    ] = "auto"
    beta: Annotated[NonNegative, "the weight of the KL term (Higgins et al. 2017); 1 is the VAE"] = 1.0
    weight_init: WeightInit = "glorot"


def _identity(y: Any) -> Any:
    return y


class GaussianEncoder(Model):
    """A model whose `encoder` gives q(z|x) = N(mu, e^logvar) as mu and logvar side by side, for z ~ N(0, 1)."""

    encoder: layers.Module

    def encode(self, x: Array) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x), each (N, latent_dim)."""
        mu, logvar = ops.split(self.encoder(x), 2, axis=1)
        return mu, logvar

    def reparameterise(
        self, mu: Tensor, logvar: Tensor, rng: Generator | None = None, eps: Array | None = None
    ) -> Tensor:
        """z = mu + e^(logvar/2) · eps, where eps ~ N(0, 1) by default: Kingma and Welling 2013, section 2.4."""
        return mu + ops.exp(logvar * 0.5) * (self.noise_like(mu, rng) if eps is None else eps)

    def noise_like(self, mu: Tensor, rng: Generator | None = None) -> Array:
        """eps ~ N(0, 1) of the shape and dtype of mu."""
        return (rng or self.rng).normal(mu.shape, dtype=mu.dtype)

    def draw_posterior(self, x: Array, rng: Generator | None = None) -> dict[str, Any]:
        """A draw of z from q(z|x), and the values it comes from: {"x", "mu", "logvar", "eps", "z"}."""
        mu, logvar = self.encode(x)
        eps = self.noise_like(mu, rng)
        return {"x": x, "mu": mu, "logvar": logvar, "eps": eps, "z": self.reparameterise(mu, logvar, eps=eps)}

    def noise(self, n: int, rng: Generator | None = None) -> Array:
        """n draws of z from the prior N(0, 1), (n, latent_dim)."""
        return (rng or self.rng).normal((n, self.config.latent_dim))

    @no_grad()
    def posterior(self, x: Array) -> tuple[Array, Array]:
        """mu and logvar as arrays; the encoder is in eval mode."""
        with layers.evaluating(self.encoder):
            mu, logvar = self.encode(x)
        return mu.data, logvar.data

    def codes(self, x: Array) -> Array:
        """mu(x), (N, latent_dim)."""
        return self.posterior(x)[0]

    def plane(self, x: Array, side: int) -> Array:
        """side · side latents in rows: along each axis N(0, 1) has equal mass between neighbouring points."""
        return gaussian_plane(side)

    def drawings(self) -> tuple[str, ...]:
        return PLANE if self.config.latent_dim == 2 else ()


class VAE(GaussianEncoder):
    """A variational autoencoder of dense layers.

    >>> model = tg.models.VAE(tg.models.VAEConfig(latent_dim=2))
    >>> mu, logvar = model.posterior(np.zeros((8, 28, 28, 1), np.float32))
    >>> mu.shape, logvar.shape
    ((8, 2), (8, 2))
    """

    name = "vae"
    Config: ClassVar[type] = VAEConfig
    defaults: ClassVar = {
        "data": "digits",
        "steps": 3500,
        "batch": 128,
    }  # 3,500 steps are 50 epochs of the 9,000 digits
    presets: ClassVar = {
        "plane": Preset(
            "for points in the plane",
            {"latent_dim": 2, "hidden": (64, 64), "beta": 0.003},  # a Gaussian of variance beta, instead of 1
            {"steps": 4000, "batch": 128},
            POINTS,
        )
    }

    def __init__(self, config: VAEConfig | None = None, seed: int = 0):
        super().__init__(config, seed)
        c, rng = self.config, Generator(seed, f"{self.name}/init")
        points = len(c.data_shape) == 1
        self.likelihood = c.reconstruction if c.reconstruction != "auto" else "mse" if points else "bernoulli"
        unbounded = points and self.likelihood == "mse"
        self.encoder = layers.Sequential(*self.encoder_layers(rng))
        self.decoder = layers.Sequential(*self.decoder_layers(rng))
        self.inputs = {"encoder": c.data_shape, "decoder": (c.latent_dim,)}
        self.opt = make_optimizer(c, self.parameters())
        self.value_range = None if unbounded else (0.0, 1.0)
        self.to_image: Any = _identity if unbounded else ops.sigmoid

    def encoder_layers(self, rng: Generator) -> list[layers.Module]:
        """The layers of the encoder: (N, *data_shape) to mu and logvar side by side, (N, 2 · latent_dim)."""
        c = self.config
        widths = (elements(c.data_shape), *c.hidden, 2 * c.latent_dim)
        return [layers.Flatten(), *mlp(widths, c.activation, **initial(c, rng))]

    def decoder_layers(self, rng: Generator) -> list[layers.Module]:
        """The layers of the decoder: (N, latent_dim) to (N, *data_shape), logits except for unbounded data."""
        c = self.config
        widths = (c.latent_dim, *reversed(c.hidden), elements(c.data_shape))
        return [*mlp(widths, c.activation, **initial(c, rng)), layers.Reshape(c.data_shape)]

    def steps(self, batch: Any) -> list[Step]:
        """One step down the negative evidence lower bound of a batch."""
        (x,) = self.checked(batch)
        return [Step("loss", partial(self.loss, x), {"encoder": self.encoder, "decoder": self.decoder}, self.opt)]

    def loss(self, x: Array, rng: Generator | None = None) -> Loss:
        """The negative evidence lower bound, in nats an example, and its two terms."""
        drawn = self.draw_posterior(x, rng)
        reconstruction = self.reconstruction_loss(self.decoder(drawn["z"]), x)
        kl = losses.gaussian_kl(drawn["mu"], drawn["logvar"])
        terms = {"reconstruction": reconstruction, "KL": self.weighted(kl)}
        metrics = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return Loss(reconstruction + terms["KL"], metrics, {**drawn, **terms})

    def weighted(self, kl: Tensor) -> Tensor:
        """The KL term of the loss: beta · KL."""
        return self.config.beta * kl

    def reconstruction_loss(self, y: Tensor, x: Array) -> Tensor:
        """-log p(x|z) up to a constant, summed over each example, mean over the batch; y: the decoder's output."""
        if self.likelihood == "bernoulli":
            return losses.bce_logits(y, x, "sum") * (1 / len(x))
        return losses.mse(self.to_image(y), x, "sum") * (0.5 / len(x))

    @no_grad()
    def decode(self, z: Array) -> Array:
        """The decoder's means for latents (N, latent_dim)."""
        with layers.evaluating(self.decoder):
            return self.to_image(self.decoder(z)).data

    @no_grad()
    def log_likelihood(self, x: Array, z: Array) -> Array:
        """log p(x|z), (N,), for Bernoulli pixels, or, up to a constant, for a Gaussian of unit variance."""
        with layers.evaluating(self.decoder):
            y = self.decoder(z)
        if self.likelihood == "bernoulli":
            error = losses.bce_logits(y, x, "none")
        else:
            error = losses.mse(self.to_image(y), x, "none") * 0.5
        return -ops.sum(ops.reshape(error, (len(x), -1)), 1).data

    def sample(self, n: int, rng: Generator | None = None) -> Array:
        """The decoder's means for n draws of z from the prior N(0, 1)."""
        return self.decode(self._latents(n, rng))
