"""What a model declares of its steps: that they are taken as declared, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.inside import Recorder
from tinygen.models import Loss, Model, Step
from tinygen.models.steps import take_together
from tinygen.optim import SGD


class Pair(Model):
    """w follows the mean of a batch, and v follows w: two steps, one after the other or together."""

    def __init__(self, declared=None):
        super().__init__()
        self.A, self.B = (tg.layers.Dense(1, 1, bias=False, rng=tg.Generator(i)) for i in (0, 1))
        self.opt_A, self.opt_B = (SGD(network.parameters(), 0.5) for network in (self.A, self.B))
        self.declared, self.order = declared, []

    def steps(self, x):
        if self.declared is not None:
            return self.declared(self)
        a, b = self.A.w, self.B.w
        return [
            Step("A", lambda: Loss(((a - x.mean()) ** 2).sum() * 0.5, named={"x": x}), {"A": self.A}, self.opt_A,
                 then=lambda: self.order.append("A")),
            Step("B", lambda: ((b - a) ** 2).sum() * 0.5, {"B": self.B}, self.opt_B, frozen={"A": self.A},
                 then=lambda: self.order.append("B")),
        ]  # fmt: skip


X = np.full((4, 1), 3.0, np.float32)


def test_steps_are_taken_in_order_and_what_is_frozen_stays():
    model = Pair()
    a, b = model.A.w.item(), model.B.w.item()
    losses = model.train_step(X)
    now = a - 0.5 * (a - 3)
    assert model.A.w.item() == pytest.approx(now) and model.B.w.item() == pytest.approx(b - 0.5 * (b - now))
    assert losses.keys() == {"loss_A", "loss_B"} and model.order == ["A", "B"]
    assert losses["loss_B"].item() == pytest.approx(0.5 * (b - now) ** 2)
    assert model.A.w.grad is None and model.B.w.grad is None


def test_steps_taken_together_see_the_weights_before_any_of_them():
    model = Pair()
    a, b = model.A.w.item(), model.B.w.item()
    take_together(list(model.steps_on(X).values()))
    assert model.B.w.item() == pytest.approx(b - 0.5 * (b - a))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            lambda m: [Step("A", m.A.w.sum, {"A": m.A}, m.opt_A, frozen={"A": m.A})],
            "moves 'A', which is frozen",
        ),
        (
            lambda m: [Step("A", m.A.w.sum, {"A": m.A}, m.opt_B)],
            "parameters that are not those of A; name in",
        ),
        (
            lambda m: [Step("A", lambda: m.A.w.sum(), {"A": m.A}, m.opt_A), Step("A", m.B.w.sum, {"B": m.B}, m.opt_B)],
            "step 'A' is there twice, for different networks",
        ),
        (
            lambda m: [Step("A", lambda x: m.A.w.sum(), {"A": m.A}, m.opt_A)],
            r"pair: step 'A': loss must be a function that takes no arguments; see partial\(\)",
        ),
        (
            lambda m: [Step("A", m.A.w.sum, {"A": m.A}, m.opt_A, then=lambda loss: None)],
            "pair: step 'A': then must be a function that takes no arguments",
        ),
    ],
)
def test_steps_that_contradict_themselves_are_refused_before_the_first(declared, message):
    with pytest.raises(ConfigError, match=message):
        tg.fit(Pair(declared), [X], 1, progress=False)


def test_a_loss_without_a_path_to_what_learns_names_its_step():
    with pytest.raises(tg.GradientError, match="step 'A': grad: "):
        Pair(lambda m: [Step("A", lambda: (m.B.w * 2).sum(), {"A": m.A}, m.opt_A)]).train_step(X)


def test_steps_taken_together_name_the_one_without_a_path():
    model = Pair(lambda m: [Step("A", lambda: (m.B.w * 2).sum(), {"A": m.A}, m.opt_A)])
    with pytest.raises(tg.GradientError, match="step 'A': grad: "):
        take_together(model.steps(X))


@pytest.mark.parametrize("value", [lambda w: w * np.ones(2), lambda w: w.sum().detach()])
def test_a_loss_that_can_not_be_lowered_names_its_step_when_it_is_recorded(value):
    model = Pair(lambda m: [Step("A", lambda: value(m.A.w), {"A": m.A}, m.opt_A)])
    with pytest.raises(tg.GradientError, match="step 'A': grad: "):
        tg.fit(model, [X], 1, callbacks=[Recorder(tg.data.Dataset("own", X, X[:2]), 1)], progress=False)


def test_several_batches_a_step_come_to_steps_on_as_one():
    model = Pair()
    model.batches_per_step = 3
    assert len(model.steps_on(X)["A"].compute_loss().named["x"]) == 12


def fit_with(**wrong):
    """A run of a model one field of whose step is wrong."""

    def declared(model):
        right = {"name": "A", "loss": lambda: model.A.w.sum(), "learns": {"A": model.A}, "optimizer": model.opt_A}
        return [Step(**{**right, **{name: value(model) for name, value in wrong.items()}})]

    return declared


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (lambda model: [], r"pair: steps\(\) returned \[\], but it must return a list of Steps"),
        (lambda model: model.A.w, r"pair: steps\(\) returned .*, but it must return a list of Steps"),
        (lambda model: 3, r"pair: steps\(\) returned 3, but it must return a list of Steps"),
        (fit_with(name=lambda m: ""), "Step: name is '', but it must be a letter"),
        (fit_with(loss=lambda m: m.A.w.sum()), r"Step 'A': loss and then must be functions"),
        (fit_with(loss=lambda m: lambda: 1.0), r"Step 'A': its loss is .*float.*, but it must be a Loss or a Tensor"),
        (fit_with(loss=lambda m: lambda: Loss(1.0)), r"Step 'A': its loss is .*float.*, but it must be a Loss or a"),
        (fit_with(loss=lambda m: lambda: Loss(m.A.w.sum(), None)), "Step 'A': metrics and named of its Loss must be"),
        (fit_with(loss=lambda m: lambda: Loss(m.A.w.sum(), {}, [])), "Step 'A': metrics and named of its Loss must be"),
        (fit_with(learns=lambda m: m.A), r"Step 'A': learns is .*, but it must be a dict of modules: {\"A\": self.A}"),
        (fit_with(frozen=lambda m: [m.B]), r"Step 'A': frozen is .*, but it must be a dict of modules"),
        (fit_with(optimizer=lambda m: m.A), r"Step 'A': optimizer is .*Dense.*, but it must be an Optimizer"),
    ],
)
def test_what_is_declared_wrongly_is_said(declared, message):
    with pytest.raises(ConfigError, match=message):
        Pair(declared).train_step(X)
