"""How far the factors of generated faces spread."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen.data import load
from tinygen.data.sixfactors import draw_faces
from tinygen.metrics import evaluate


@pytest.fixture(scope="module")
def faces():
    return load("sixfactors", train=300, test=200, size=32)


class Painter(tg.models.Model):
    """Draws faces whose factors are those of the data, but the smile, which lies within `smiles` of the middle."""

    value_range = (0.0, 1.0)

    def __init__(self, smiles, factors):
        super().__init__()
        self.smiles, self.factors = smiles, factors

    def sample(self, n, rng=None):
        factors = self.factors[np.arange(n) % len(self.factors)].copy()
        factors[:, 0] = 0.5 + self.smiles * (factors[:, 0] - 0.5)
        return draw_faces(factors, size=32)


@pytest.mark.parametrize("smiles", [1.0, 0.3])
def test_the_least_is_that_of_the_smile_where_all_smile_alike(faces, smiles):
    scores = evaluate(Painter(smiles, faces.factors), faces, n=300, parts=["factors"])
    assert scores["least_spread"].value == pytest.approx(smiles, rel=0.15)
    assert scores["spread"].value == pytest.approx((5 + smiles) / 6, rel=0.1)
    assert scores["spread"].reference == pytest.approx(1, abs=0.1)


def test_other_data_have_no_such_factors():
    assert "spread" not in evaluate(tg.models.GAN(), load("digits"), n=20, parts=["images", "factors"])
