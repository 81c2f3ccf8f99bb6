"""An autoencoder and a VAE as scikit-learn has its models: fit, transform, inverse_transform, score, in pipelines.

from sklearn.pipeline import make_pipeline
codes = make_pipeline(StandardScaler(), tg.estimators.VAE(latent_dim=2)).fit_transform(X)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import to_host
from .checks import check_installed
from .models import VAEConfig
from .models.autoencoder import Autoencoder as AutoencoderModel
from .models.autoencoder import AutoencoderConfig
from .models.vae import VAE as VAEModel
from .random import Generator
from .train import fit

check_installed("tinygen.estimators", "sklearn")

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.validation import check_array, check_is_fitted, validate_data  # noqa: E402

__all__ = ["VAE", "Autoencoder"]


def __dir__() -> list[str]:
    return __all__


DRAWS = 16  # of z for each example, in a VAE's score


class _Codes(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What both share: rows X (N, features) to codes (N, latent_dim), and back.

    latent_dim, hidden, activation, lr: of the model, see `tinygen models vae`.  steps, batch: of its training.
    random_state: of weights, batches and noise.
    mean_, scale_: of each column; the model learns (X - mean_) / scale_.  model_: the tinygen model.  history_: of fit.
    """

    def __init__(
        self,
        latent_dim: int = 2,
        hidden: tuple[int, ...] = (64, 64),
        activation: str = "relu",
        lr: float = 1e-3,
        steps: int = 2000,
        batch: int = 128,
        random_state: Any = 0,
    ):
        self.latent_dim, self.hidden, self.activation, self.lr = latent_dim, hidden, activation, lr
        self.steps, self.batch, self.random_state = steps, batch, random_state

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the codes of rows X (N, features), N at least 2. y is ignored. Returns self."""
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        seed = int(check_random_state(self.random_state).randint(2**31))
        self.mean_, scale = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        self.model_ = self._model(X.shape[1], seed)
        rows, order = self._scaled(X), Generator(seed, "estimator", "cpu")
        size = min(self.batch, len(rows))
        batches = (rows[to_host(order.permutation(len(rows)))[:size]] for _ in range(self.steps))
        self.history_ = fit(self.model_, batches, self.steps, progress=False)
        self._n_features_out = self.latent_dim
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The codes (N, latent_dim) of rows X."""
        return self._host(self.model_.codes(self._checked(X)))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The rows (N, features) of codes X (N, latent_dim)."""
        check_is_fitted(self)
        z = check_array(X, dtype=np.float32)
        if z.shape[1] != self.latent_dim:
            raise ValueError(f"inverse_transform: codes have {z.shape[1]} numbers, but latent_dim is {self.latent_dim}")
        return self._host(self.model_.decode(z)) * self.scale_ + self.mean_

    def _model(self, features: int, seed: int) -> Any:
        raise NotImplementedError

    def _options(self, features: int) -> dict[str, Any]:
        names = ("latent_dim", "hidden", "activation", "lr")
        return {"data_shape": (features,), **{name: getattr(self, name) for name in names}}

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        return ((X - self.mean_) / self.scale_).astype(np.float32)

    def _checked(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._scaled(validate_data(self, X, dtype=np.float64, reset=False))

    def _host(self, x: Any) -> np.ndarray:
        return to_host(x).astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        tags.non_deterministic = self.random_state is None
        return tags


class Autoencoder(_Codes):
    """An autoencoder of dense layers: Hinton and Salakhutdinov 2006. See `tg.models.Autoencoder`.

    >>> X = np.linspace(-1, 1, 50)[:, None] * [1.0, 2.0, 3.0]  # points on a line: one number says where
    >>> tg.estimators.Autoencoder(latent_dim=1, steps=100).fit(X).score(X) > 0.9
    True
    """

    def _model(self, features: int, seed: int) -> Any:
        return AutoencoderModel(AutoencoderConfig(**self._options(features)), seed)

    def score(self, X: Any, y: Any = None) -> float:
        """R²: the share of the variance, each column's in its own units, that is reconstructed; at most 1."""
        x = self._checked(X)
        error = ((x - to_host(self.model_.reconstruct(x))) ** 2).sum()
        return float(1 - error / (x.astype(np.float64) ** 2).sum())


class VAE(_Codes):
    """A variational autoencoder of dense layers: Kingma and Welling 2013. See `tg.models.VAE`.

    >>> X = np.linspace(-1, 1, 50)[:, None] * [1.0, 2.0, 3.0]
    >>> vae = tg.estimators.VAE(latent_dim=1, steps=100).fit(X)
    >>> codes = vae.transform(X)
    >>> codes.shape, vae.inverse_transform(codes).shape
    ((50, 1), (50, 3))
    """

    def _model(self, features: int, seed: int) -> Any:
        return VAEModel(VAEConfig(**self._options(features)), seed)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean ELBO of the rows, in nats: at most the mean of log p(x), as scikit-learn's PCA has it.

        log p(x|z) is that of a Gaussian of variance scale_² around the reconstruction. Its mean over q(z|x) is taken of
        16 draws, the same each time.
        """
        x = self._checked(X)
        mu, logvar = (to_host(a).astype(np.float64) for a in self.model_.posterior(x))
        kl = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1).sum(axis=1)
        rng, log_px = Generator(0, "estimator/score", "cpu"), np.zeros(len(x))
        for _ in range(DRAWS):
            z = mu + np.exp(logvar / 2) * to_host(rng.normal(mu.shape, dtype=np.float64))
            log_px += to_host(self.model_.log_likelihood(x, z.astype(np.float32))) / DRAWS
        log_px -= np.log(self.scale_).sum() + 0.5 * x.shape[1] * np.log(2 * np.pi)
        return float((log_px - kl).mean())
