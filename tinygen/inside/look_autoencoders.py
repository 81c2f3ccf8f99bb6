"""What there is to see in what encodes and decodes: the latents, the reconstructions, and the gradient on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import losses, ops
from ..backend import Array, array_module, to_host
from ..gradients import grad
from ..models import VAE, VAEGAN, Autoencoder, Memory
from ..models.probe import Signals, watched
from ..models.vae import GaussianEncoder
from ..tensor import Tensor

if TYPE_CHECKING:
    from .looks import Looks

ENCODED, LATENTS = 256, 256 * 32  # how many examples are encoded: fewer for more latents, to keep so many numbers


class EncoderLook:
    """Where a VAE's encoder puts fixed data, what comes back, and the two ways by which the gradient gets to it."""

    def __init__(self, model: GaussianEncoder, about: Looks):
        self.model, self.shown = model, about.shown
        self.x, self.learnt = _examples(about, model.config.latent_dim)

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model = self.model
        mu, logvar = model.posterior(self.x)
        reconstructions = model.decode(mu[: self.shown])  # before what follows changes running statistics
        with watched() as seen:
            paths = model.encode(Tensor(self.learnt).requires_grad_())
            reconstruction, kl = self._losses(model.reparameterise(*paths), *paths)
        pulls = {}
        for suffix, loss in (("", reconstruction), ("_kl", kl)):
            for name, g in zip(("mu", "logvar"), grad(loss, paths, retain_graph=True), strict=True):
                pulls[f"{name}_gradient{suffix}"] = ops.sqrt(ops.sum(g.data * g.data, 0))
        signals.take(reconstruction + kl, seen)
        return {
            "mu": mu,
            "logvar": logvar,
            "kl": losses.gaussian_kls(mu, logvar),
            "reconstructions": reconstructions,
            **pulls,
        }

    def _losses(self, z: Tensor, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        """The two terms of what the encoder lowers."""
        model, x, kl = self.model, self.learnt, losses.gaussian_kl(mu, logvar)
        if isinstance(model, VAEGAN):
            (copy, _), (like, _) = model.look(model.G(z)), model.look(x)
            return losses.mse(copy, like, "sum") * (0.5 / len(x)), model.config.beta * kl
        assert isinstance(model, VAE)
        return model.reconstruction_loss(model.decoder(z), x), model.weighted(kl)


class AutoencoderLook:
    """Where an autoencoder puts fixed data, and what comes back."""

    def __init__(self, model: Autoencoder, about: Looks):
        self.model, self.shown = model, about.shown
        self.x, self.learnt = _examples(about, model.config.latent_dim)

    def __call__(self, signals: Signals) -> dict[str, Any]:
        model, mu = self.model, self.model.codes(self.x)
        with watched() as seen:
            loss = losses.mse(model(Tensor(self.learnt).requires_grad_()), self.learnt)
        signals.take(loss, seen)
        return {"mu": mu, "reconstructions": model.decode(mu[: self.shown])}


class MemoryLook:
    """What a Memory makes of its codes."""

    def __init__(self, model: Memory, about: Looks):
        self.model = model
        self.x, _ = about.examples(model.config.images)
        about.constants["data"] = to_host(self.x)

    def __call__(self, signals: Signals) -> dict[str, Any]:
        codes = array_module(self.x).eye(len(self.x), dtype=self.x.dtype)
        with watched() as seen:
            y = self.model.decoder(Tensor(codes).requires_grad_())
            loss = losses.mse(y, self.x)
        signals.take(loss, seen)
        return {"reconstructions": y.data}


def _examples(about: Looks, latent_dim: int) -> tuple[Array, Array]:
    """The data that are encoded, and those of them with which the loss is computed."""
    x, labels = about.examples(max(about.shown, min(ENCODED, LATENTS // latent_dim)), test=True)
    about.constants["data"] = to_host(x[: about.shown])
    if labels is not None:
        about.constants["data_labels"] = labels
    return x, x[: about.batch]
