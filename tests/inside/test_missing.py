"""What the page can't show of a model: by the view's id, with what the model lacks and what to write."""

from __future__ import annotations

import numpy as np
import pytest
from inside.test_observer import POINT, observe, toy
from models.small import IMAGE, IMAGES_ONLY, small

import tinygen as tg
from tinygen.inside import Recorder
from tinygen.layers import Dense, Flatten, Reshape, Sequential
from tinygen.losses import GAN_LOSSES
from tinygen.models import MODELS, Loss, Model, Step
from tinygen.random import Generator


class Pair(Model):
    """G and D with all that the page can show, for examples of a shape."""

    value_range = (0.0, 1.0)
    names = ("D", "G")  # of the steps
    hidden: tuple[str, ...] = ()  # what the losses don't name

    def __init__(self, shape=POINT):
        super().__init__({"data_shape": shape})
        rng, size = Generator(0, "pair"), int(np.prod(shape))
        self.G = Sequential(Dense(2, size, rng=rng), Reshape(shape))
        self.D = Sequential(Flatten(), Dense(size, 1, rng=rng))
        self.opt_G, self.opt_D = (tg.optim.SGD(n.parameters(), 0.1) for n in (self.G, self.D))
        self.game = GAN_LOSSES["nonsaturating"]

    def steps(self, x):
        D, G = self.names
        return [
            Step(D, lambda: self.judged(x), {"D": self.D}, self.opt_D, frozen={"G": self.G}),
            Step(G, lambda: self.made(len(x)), {"G": self.G}, self.opt_G, frozen={"D": self.D}),
        ]

    def judged(self, x):
        real, made = self.D(x), self.D(self.G(self.noise(len(x))))
        return self.named(GAN_LOSSES["nonsaturating"].D(real, made), {"D(x)": real, "D(G(z))": made})

    def made(self, n):
        fake = self.G(self.noise(n))
        scores = self.D(fake)
        return self.named(GAN_LOSSES["nonsaturating"].G(scores), {"G(z)": fake, "D(G(z))": scores})

    def named(self, loss, named):
        return Loss(loss, named={name: x for name, x in named.items() if name not in self.hidden})

    def noise(self, n, rng=None):
        return (rng or self.rng).normal((n, 2))

    def sample(self, n, rng=None):
        return self.G(self.noise(n, self.sampling_stream(rng))).data

    def score(self, x):
        return self.D(x)


def missing(model, shape):
    """By view, what the page says of it."""
    observer, found, _ = observe(model, shape)
    return dict(observer.missing(found))


def pair(shape=POINT, **differences):
    return type("Mine", (Pair,), {"name": "mine", **differences})(shape)


@pytest.mark.parametrize("name", MODELS)
def test_of_a_model_of_tinygens_nothing_is_missing_but_a_field_for_each_label(name):
    assert missing(small(name), IMAGE) == {}
    if name not in IMAGES_ONLY:
        plane = missing(small(name, data_shape=POINT), POINT)
        assert plane.keys() == ({"field"} if name == "cgan" else set())
        assert "takes labels" in plane.get("field", "takes labels")


@pytest.mark.parametrize(("shape", "view"), [(POINT, "field"), (IMAGE, "pixels")])
def test_a_game_is_told_what_it_lacks_in_its_own_view(shape, view):
    def lacks(**differences):
        found = missing(pair(shape, **differences), shape)
        assert {"field": "pixels", "pixels": "field"}[view] not in found
        return found.get(view, ""), found.keys()

    assert lacks() == ("", set())
    why, views = lacks(names=("D", "gen"))
    assert why.startswith('mine has no step "G"; give this name') and views == {view}
    why, views = lacks(hidden=("G(z)",))
    assert why == 'mine does not name G(z) in its step "G"; return `Loss(value, named={"G(z)": ...})`.'
    assert "D(G(z)) in its step" in lacks(hidden=("D(G(z))",))[0] and views == {view}
    why, views = lacks(hidden=("D(x)", "D(G(z))"))
    assert views == {view, "curves"}
    why, views = lacks(steps=Model.steps, train_step=lambda self, x: {})
    assert why == "mine has no steps(); write it." and views == {view, "vanishing"}
    why, views = lacks(score=Model.score)
    assert views == ({"field"} if view == "field" else set()) and ("no score()" in why) == (view == "field")


@pytest.mark.parametrize(("shape", "view"), [(POINT, "field"), (IMAGE, "pixels")])
def test_steps_of_D_and_G_without_a_game(shape, view):
    model = pair(shape)
    model.game = None
    found = missing(model, shape)
    assert found.keys() == {view} and "no game; set self.game" in found[view]


def test_scores_that_D_s_step_does_not_name():
    found = missing(pair(hidden=("D(x)",)), POINT)
    assert found.keys() == {"curves"} and 'D(x) in its step "D"; return' in found["curves"]
    assert "no accuracy of D" in found["curves"]


def test_slopes_that_are_penalised_and_not_recorded():
    class Steep(Pair):
        def judged(self, x):
            loss = super().judged(x)
            return loss._replace(named={**loss.named, "x̂": x})

    class Seen(Steep):
        def observe(self, x, fake, *labels):
            return {"slopes": np.ones(len(x), np.float32)}

    found = missing(Steep(), POINT)
    assert found.keys() == {"slopes"} and '{"slopes": (N,)}, from observe()' in found["slopes"]
    assert missing(Seen(), POINT) == {}


class Coder(Model):
    value_range = (0.0, 1.0)

    def __init__(self):
        super().__init__()
        self.net = Sequential(Flatten(), Dense(6, 6, rng=Generator(0)), Reshape(IMAGE))
        self.opt = tg.optim.SGD(self.net.parameters(), 0.1)

    def steps(self, x):
        loss = lambda: Loss(tg.losses.mse(self.net(x), x))
        return [Step("loss", loss, {"net": self.net}, self.opt)]


def test_an_encoder_without_codes():
    assert missing(Coder(), IMAGE) == {}
    again = type("Again", (Coder,), {"name": "again", "reconstruct": lambda self, x: self.net(x)})
    assert missing(again(), IMAGE) == {"latents": "again has no codes(); write it."}
    silent = type("Silent", (Coder,), {"name": "silent", "codes": lambda self, x: np.zeros((len(x), 2), np.float32)})
    assert missing(silent(), IMAGE) == {"latents": "silent has no decode(); write it."}
    clouds = type("Clouds", (Coder,), {"name": "clouds", "posterior": lambda self, x: (x, x)})
    assert "no codes(); write it: `return self.posterior(x)[0]`" in missing(clouds(), IMAGE)["latents"]


def test_what_restores_images_needs_no_codes():
    ways = {name: lambda self, x: self.net(x) for name in ("reconstruct", "degrade", "translate")}
    assert missing(type("Restorer", (Coder,), {"name": "restorer", **ways})(), IMAGE) == {}


def test_images_of_an_unknown_range():
    assert "no value_range; set it" in missing(pair(IMAGE, value_range=None), IMAGE)["pixels"]


def test_it_is_written_with_the_recording():
    recorder = Recorder(toy(POINT), 2)
    recorder.on_start(pair(names=("D", "gen")), None, 0)
    (entry,) = recorder.recording().facts["missing"]
    assert entry[0] == "field"
