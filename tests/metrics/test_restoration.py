"""PSNR and SSIM are those of their formulas and of scikit-image; a restoring model stands beside the simplest means."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tinygen import ops
from tinygen.data import Dataset, load
from tinygen.errors import ConfigError, DataError
from tinygen.metrics import evaluate, psnr, ssim
from tinygen.metrics.evaluate import ABOUT
from tinygen.models import Model, ModelConfig
from tinygen.models.restoring import Restoring


def pairs():
    """Images, and the same with more and more noise."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (3, 17, 14, 2))
    noise = 0.3 * np.array([0.1, 0.5, 1]).reshape(3, 1, 1, 1) * rng.normal(size=x.shape)
    return x, np.clip(x + noise, 0, 1)


# scikit-image 0.26: structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
# data_range=1, channel_axis=-1) and peak_signal_noise_ratio(a, b, data_range=1)
SSIM = [0.9942067264798804, 0.9054715630829837, 0.7228306095031216]
PSNR = [30.502486230226715, 16.938056847852394, 12.680289519026012]


def test_both_are_those_of_scikit_image(backend):
    x, y = (backend.asarray(a, np.float64) for a in pairs())
    for i in range(3):  # images are float32 in metrics
        assert ssim(x[i : i + 1], y[i : i + 1]) == pytest.approx(SSIM[i], rel=1e-6)
        assert psnr(x[i : i + 1], y[i : i + 1]) == pytest.approx(PSNR[i], rel=1e-6)
    assert ssim(x, y) == pytest.approx(np.mean(SSIM), rel=1e-6)
    assert psnr(x, y) == pytest.approx(np.mean(PSNR), rel=1e-6)


def test_the_formula_of_ssim_on_one_window():
    (x, y), g = (a[:1, :11, :11, :1].astype(np.float32).astype(np.float64) for a in pairs()), np.arange(-5.0, 6)
    w = np.exp(-(g[:, None] ** 2 + g**2) / (2 * 1.5**2)).reshape(1, 11, 11, 1)
    w /= w.sum()
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, cov = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(x, y) == pytest.approx(expected, rel=1e-9)


def test_equal_images_and_bytes():
    x = (255 * pairs()[0]).astype(np.uint8)
    assert ssim(x, x) == pytest.approx(1) and psnr(x, x) == math.inf
    assert psnr(x, x / np.float32(255)) > 120
    assert psnr(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.1)) == pytest.approx(20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: psnr(x, x[:, :9]), r"psnr: the images are \(3, 17, 14, 2\) and \(3, 9, 14, 2\), but they must have"),
        (lambda x: ssim(x[:, :10], x[:, :10]), "ssim: the images are 10x14, but a window has 11x11 pixels"),
        (lambda x: ssim(x[0], x[0]), r"metrics: expected images \(N, H, W, C\)"),
        (lambda x: psnr(x, 2 * x), "outside of"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call(pairs()[0])


class Halves(Restoring):
    """Restores images of half the size by smooth enlargement; plainly, by repeating pixels."""

    name, Config = "halves", ModelConfig

    def degrade(self, x):
        return ops.avg_pool2d(x, 2)

    def plain(self, x):
        return ops.upsample_nearest(x, 2)

    def translate(self, x):
        return ops.upsample_bilinear(x, 2)


def smooth(n=12, shape=(16, 14, 1), **more):
    """Waves, which bilinear enlargement draws better than repeated pixels."""
    t = (
        np.linspace(0, 3, shape[0])[:, None, None]
        + np.linspace(0, 2, shape[1])[:, None]
        + np.arange(2.0 * n)[:, None, None, None]
    )
    images = (127.5 + 127.5 * np.sin(np.broadcast_to(t, (2 * n, *shape)))).astype(np.uint8)
    return Dataset("waves", images[:n], images[n:], **more)


def test_restored_images_stand_beside_the_simplest_means():
    data, model = smooth(), Halves(ModelConfig(data_shape=(16, 14, 1)))
    scores = evaluate(model, data)
    assert list(scores) == ["psnr", "ssim", "sharpness", "restored_fid"] and scores.keys() <= ABOUT.keys()
    x = data.test.astype(np.float32) / 255
    z = model.degrade(x)
    for name, measured in (("psnr", psnr), ("ssim", ssim)):
        score = scores[name]
        assert score.value == pytest.approx(measured(model.translate(z), x), rel=1e-6)
        assert score.plain == pytest.approx(measured(model.plain(z), x), rel=1e-6)
        assert score.value > score.plain and score.reference is None
    assert scores["restored_fid"].plain < scores["restored_fid"].value  # of means that repeated pixels keep
    assert scores["restored_fid"].features.startswith("pixels averaged")
    assert evaluate(model, data, n=3).keys() == {"psnr", "ssim", "sharpness"}  # too few for a distance
    narrow = evaluate(model, smooth(shape=(10, 10, 1)), parts=["restoration"])
    assert narrow.keys() == {"psnr", "sharpness", "restored_fid"}


def test_restored_digits_are_classified(monkeypatch):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (16, 28, 28, 1)).astype(np.uint8), np.arange(8)
    data = Dataset("digits", images[:8], images[8:], labels, labels)
    scores = evaluate(Halves(), data)
    assert list(scores) == ["psnr", "ssim", "sharpness", "restored_fid", "restored_accuracy"]
    accuracy = scores["restored_accuracy"]
    assert all(
        0 <= share <= 1 and share * 8 == int(share * 8)
        for share in (accuracy.value, accuracy.plain, accuracy.reference)
    )
    assert scores["restored_fid"].features == "LeNet trained on digits"
    assert evaluate(Halves(), data, features=lambda x: x[:, :2, :2, 0].reshape(len(x), 4))["restored_fid"].value > 0
    assert "restored_accuracy" not in evaluate(Halves(), replace(data, name="letters"))


def test_without_plain_the_model_stands_alone_and_what_only_translates_has_no_score(monkeypatch):
    monkeypatch.setattr(Halves, "plain", Model.plain)
    model = Halves(ModelConfig(data_shape=(16, 14, 1)))
    assert {score.plain for score in evaluate(model, smooth()).values()} == {None}
    monkeypatch.setattr(Halves, "degrade", Model.degrade)
    with pytest.raises(ConfigError, match="nothing suits halves on waves"):
        evaluate(model, smooth())


class Blinds(Halves):
    """Restores the left half of an image as grey; the rest is not its own."""

    remade = slice(None), slice(0, 7)

    def degrade(self, x):
        return x

    def translate(self, x):
        return ops.concatenate([x[:, :, :7] * 0 + 0.5, x[:, :, 7:]], 2)

    plain = translate


def test_what_is_remade_alone_is_compared():
    data, model = smooth(), Blinds(ModelConfig(data_shape=(16, 14, 1)))
    scores = evaluate(model, data)
    x = data.test.astype(np.float32)[:, :, :7] / 255
    assert scores["psnr"].value == pytest.approx(psnr(x * 0 + 0.5, x), rel=1e-6)
    assert (scores["sharpness"].value, scores["sharpness"].reference) == (0, 1) and "ssim" not in scores


def test_sharpness_is_the_contrast_of_neighbours():
    data, model = smooth(), Halves(ModelConfig(data_shape=(16, 14, 1)))
    x = data.test.astype(np.float64) / 255
    contrast = lambda x: np.abs(np.diff(x, axis=1)).mean() + np.abs(np.diff(x, axis=2)).mean()
    score = evaluate(model, data)["sharpness"]
    assert score.value == pytest.approx(contrast(model.reconstruct(x.astype(np.float32))) / contrast(x), rel=1e-4)


def test_the_smiles_of_restored_faces():
    """Of faces whose mouth is grey, none smiles more than others; of whole ones as many as of the true ones."""
    data = load("sixfactors", size=32, train=8, test=60)

    class Mouthless(Halves):
        def degrade(self, x):
            return x

        def plain(self, x):
            return x

        def translate(self, x):
            y = x.copy()
            y[:, 17:29, 8:24] = 0.5
            return y

    score = evaluate(Mouthless(ModelConfig(data_shape=(32, 32, 3))), data, parts=["restoration"])["smile_spread"]
    assert score.plain == pytest.approx(1) and score.value < 0.3
