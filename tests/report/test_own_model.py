"""A user's own GAN in the plane, not a subclass of GAN: the page relies only on what it declares."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygen as tg
from tinygen.inside import CollapseWarning, Recorder, Warnings
from tinygen.report import report
from tinygen.report.gather import gather

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_gan.py"
TABS = "[...document.querySelectorAll('#tabs button')].map((tab) => tab.dataset.view)"


@pytest.fixture(scope="module")
def own():
    return runpy.run_path(str(EXAMPLE))["OwnGAN"]


@pytest.fixture(scope="module")
def run(own, tmp_path_factory):
    out, ring = tmp_path_factory.mktemp("own"), tg.data.load("ring8")
    watching = [Recorder(ring, every=4, share=1e6), Warnings(ring)]
    tg.fit(own(), ring, 24, out=out, callbacks=watching, progress=False, log_every=4)
    return out


def test_it_gets_every_view_that_a_gan_of_tinygens_gets(own, run, recorded, browser):
    assert not issubclass(own, tg.models.GAN)
    browser.open(recorded("ring8") / "report.html")
    views = browser.run(TABS)
    browser.open(report(run, model=own))
    assert browser.run(TABS) == views and {"field", "step", "vanishing", "curves"} <= set(views)
    for view in views:
        browser.click(f"[data-view={view}]")
    assert browser.errors == []


def test_its_data_are_those_of_direct_computation(own, run):
    page = gather(run, 10**7, own)
    assert page["missing"] == [] and page["recording"]["loss"] == "nonsaturating"
    arrays = page["recording"]["arrays"].keys()
    assert arrays >= {"samples", "field", "score_fake", "score_real", "score_gradient", "modes", "centres"}
    assert [(step["name"], step["shielded"]) for step in page["follow"]["steps"]] == [("D", ["G"]), ("G", ["D"])]
    titles = {node["title"] for node in page["follow"]["steps"][1]["graph"]["nodes"]}
    assert titles >= {"z", "G(z)", "D(G(z))", "the loss"}
    lines = [node["where"][-1] for node in page["follow"]["steps"][1]["graph"]["nodes"] if node["kind"] == "layer"]
    assert lines and all("own_gan.py" in line and "fake_for_real" in line for line in lines)

    model, recording = tg.load(run, own), tg.inside.Recording.load(run)
    z = tg.Generator(0, "recorder/z").normal((256, 2))
    fake = model.G(z)
    np.testing.assert_allclose(recording["samples"][-1], fake.numpy(), atol=2e-3)  # kept in float16
    np.testing.assert_allclose(recording["score_fake"][-1], model.D(fake).numpy()[:, 0], rtol=1e-4)
    slope = tg.grad(model.game.G(model.D(fake)), fake).numpy()
    error = np.abs(recording.pixel_gradient()[-1] - slope).max(axis=1)
    assert (error <= 0.51 / 127 * np.abs(slope).max(axis=1)).all()  # half a unit of the bytes
    assert {"acc", "D(x)", "D(G(z))"} <= set(page["metrics"])


def test_it_is_drawn_as_those_of_tinygen_are(own):
    model = own()
    assert tg.viz.pixel_gradients(model, model.noise(5)).axes and tg.viz.latent_walk(model).axes
    scores = tg.metrics.evaluate(model, tg.data.load("ring8"), n=50)
    assert scores.keys() == {"modes", "high_quality", "reverse_kl"}


def test_its_collapse_is_told(own):
    ring, model = tg.data.load("ring8"), own()
    last = model.G[4]
    last.w.assign(np.zeros(last.w.shape, np.float32))
    model.opt_G.lr = 0.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tg.fit(model, ring, 12, callbacks=[Warnings(ring, patience=3)], log_every=2, progress=False)
    assert any("samples alike" in str(one.message) for one in caught if one.category is CollapseWarning)


def test_without_steps_the_page_says_what_is_missing(own, tmp_path, browser):
    class Silent(tg.models.Model):
        """The same networks, and an algorithm that declares no steps."""

        def __init__(self):
            super().__init__()
            self.inner = own()

        def train_step(self, x):
            return self.inner.train_step(x)

        def sample(self, n, rng=None):
            return self.inner.sample(n, rng)

    ring = tg.data.load("ring8")
    tg.fit(Silent(), ring, 4, out=tmp_path, callbacks=[Recorder(ring, 1, share=1e6)], progress=False, log_every=1)
    page = gather(tmp_path, 10**7, Silent)
    assert [one["view"] for one in page["missing"]] == ["step", "vanishing"]
    assert all("steps()" in one["why"] for one in page["missing"])
    browser.open(report(tmp_path, model=Silent))
    assert "steps()" in browser.text("body") and browser.errors == []
