"""Whatever is observed, a run with a Recorder, warnings, scores and pictures ends with the bits of one without."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import tinygen as tg
from tinygen.inside import Recorder, Warnings
from tinygen.models.autoencoder import Autoencoder, AutoencoderConfig
from tinygen.train import Evaluate

OwnGAN = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "own_gan.py"))["OwnGAN"]


class InAList(OwnGAN):
    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.streams = [tg.Generator(1, "mine")]

    def noise(self, n, rng=None):
        return (rng or self.streams[0]).normal((n, 2))


class InADict(OwnGAN):
    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.streams = {"z": tg.Generator(1, "mine")}

    def noise(self, n, rng=None):
        return (rng or self.streams["z"]).normal((n, 2))


class DrawsInSteps(OwnGAN):
    def steps(self, x):
        return super().steps(x + self.rng.normal(x.shape, std=0.1))


class NormInTraining(OwnGAN):
    """Its samples take the batch's statistics, and so move the running ones."""

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.G = tg.layers.Sequential(*self.G, tg.layers.BatchNorm(2))
        self.opt_G = tg.optim.Adam(self.G.parameters(), 1e-3)

    @tg.no_grad()
    def draw(self, z):
        return self.G(z).data


class NormInEncoder(Autoencoder):
    """Its codes and samples move running statistics, and its samples draw from its own stream."""

    def __init__(self, config=None, seed=0):
        super().__init__(AutoencoderConfig(data_shape=(2,), latent_dim=2, hidden=(8,)), seed)
        self.encoder = tg.layers.Sequential(*self.encoder, tg.layers.BatchNorm(2))
        self.decoder = tg.layers.Sequential(*self.decoder, tg.layers.BatchNorm(2))
        self.opt = tg.optim.Adam(self.parameters(), 1e-3)

    @tg.no_grad()
    def codes(self, x):
        return self.encoder(x).data

    @tg.no_grad()
    def decode(self, codes):
        return self.decoder(codes).data

    def sample(self, n, rng=None):
        return self.decode(self.rng.normal((n, 2)))


@pytest.mark.parametrize("kind", [OwnGAN, InAList, InADict, DrawsInSteps, NormInTraining, NormInEncoder])
def test_a_run_that_is_observed_ends_with_the_same_bits(kind, tmp_path):
    ring, ends = tg.data.load("ring8"), []
    for callbacks, out in (
        ([], None),
        ([Recorder(ring, 1, share=1e6), Warnings(ring), Evaluate(2, ring, 50)], tmp_path),
    ):
        tg.seed(0)
        model = kind()
        tg.fit(model, ring, 4, out=out, callbacks=callbacks, progress=False, log_every=1, sample_every=2)
        ends.append({name: np.asarray(x) for name, x in model.state_dict().items()})
    for name, x in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], x, err_msg=name)
