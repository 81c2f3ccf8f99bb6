"""The estimators pass scikit-learn's own checks, and mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from tinygen.estimators import VAE, Autoencoder

pytestmark = pytest.mark.oracle


CHECKS = [  # all but the one that needs an environment variable, for arrays of other libraries
    (estimator, check)
    for kind in (Autoencoder, VAE)
    for estimator, check in estimator_checks_generator(kind(hidden=(4,), steps=20, batch=16))
    if "array_api" not in str(check)
]


@pytest.mark.parametrize(
    ("estimator", "check"), CHECKS, ids=lambda x: getattr(getattr(x, "func", x), "__name__", type(x).__name__)
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def X():
    """Rows on a plane in five dimensions, with a little noise; columns of very different units."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(size=(400, 5))
    return plane * [1, 100, 0.01, 1, 1] + [0, 5, 0, -3, 1]


def test_an_autoencoder_explains_nearly_what_pca_does(X):
    ours = Autoencoder(latent_dim=2, steps=1500).fit(X)
    scaled = StandardScaler().fit_transform(X)
    pca = PCA(2).fit(scaled)
    best = pca.explained_variance_ratio_.sum()
    assert best - 0.01 < ours.score(X) <= 1
    back = ours.inverse_transform(ours.transform(X))
    assert 1 - (((X - back) / X.std(axis=0)) ** 2).mean() == pytest.approx(ours.score(X), rel=1e-5)


def test_the_elbo_of_a_vae_is_a_bound(X):
    """On standardised Gaussian data the best log-density is known: it is the Gaussian's own."""
    ours = VAE(latent_dim=2, steps=1500).fit(X)
    gaussian = PCA(5).fit(X).score(X)  # the full covariance, at the maximum of the likelihood
    worst = -0.5 * (5 + 5 * np.log(2 * np.pi)) - np.log(X.std(axis=0)).sum()  # independent columns
    assert worst < ours.score(X) + 5 and ours.score(X) < gaussian
    assert ours.score(X) == ours.score(X)
    assert ours.score(X + 10 * X.std(axis=0)) < ours.score(X)


def test_in_a_pipeline_with_names(X):
    pipeline = make_pipeline(StandardScaler(), VAE(latent_dim=3, steps=10))
    assert pipeline.fit_transform(X).shape == (400, 3)
    assert list(pipeline.get_feature_names_out()) == ["vae0", "vae1", "vae2"]


def test_codes_of_another_width_are_refused(X):
    with pytest.raises(ValueError, match="codes have 3 numbers, but latent_dim is 2"):
        Autoencoder(steps=2).fit(X).inverse_transform(np.zeros((1, 3)))
