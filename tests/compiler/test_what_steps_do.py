"""What a compiled step may do besides arithmetic, and what between steps takes effect: else it says why it is eager."""

import numpy as np
import pytest

import tinygen as tg
from tinygen.layers import evaluating
from tinygen.layers.module import watching
from tinygen.scopes import trace

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


class Net(tg.models.Model):
    """Learns to return what it is given; `scale` is a setting."""

    def __init__(self):
        super().__init__(seed=0)
        self.net = tg.layers.Dense(3, 3, rng=tg.Generator(0))
        self.opt = tg.optim.Adam(self.net.parameters())
        self.scale, self.table, self.made = 1.0, {"weight": 1.0}, 0
        self.mean = np.zeros(3, np.float32)

    def train_step(self, x):
        loss = (((self.net(x) - x) * self.scale) ** 2).mean() * self.table["weight"]
        self.opt.step(tg.grad(loss, self.net.parameters()))
        return {"loss": loss}


def pair(kind=Net):
    """A compiled step, its model, and a model whose steps are eager."""
    model = kind()
    return tg.compile(model, "numpy"), model, kind()


def assert_equal_steps(step, model, eager, x=X):
    loss, expected = step(x)["loss"].item(), eager.train_step(x)["loss"].item()
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, value in eager.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def set_lr(model):
    model.opt.lr = 0.5


def set_scale(model):
    model.scale = 3.0


def set_weight(model):
    model.table["weight"] = 2.0


def set_weights(model):
    model.net.w.data = np.full((3, 3), 0.25, np.float32)


def replace_the_step(model):
    before = model.train_step
    model.train_step = lambda x: before(x * 2)


def replace_a_layer(model):
    model.net.forward = lambda x: x @ model.net.w - model.net.b


@pytest.mark.parametrize(
    "change", [set_lr, set_scale, set_weight, set_weights, replace_the_step, replace_a_layer], ids=lambda f: f.__name__
)
def test_what_is_changed_between_steps_takes_effect(change):
    step, model, eager = pair()
    for _ in range(2):
        assert_equal_steps(step, model, eager)
        change(model), change(eager)
        assert_equal_steps(step, model, eager)
    assert step.reason is None


def test_a_rate_that_changes_in_each_step_is_no_reason_to_trace_again():
    step, model, eager = pair()
    for i in range(30):
        model.opt.lr = eager.opt.lr = 0.1 / (i + 1)
        model.scale = eager.scale = float("1")  # an equal number, too
        assert_equal_steps(step, model, eager)
    assert step.reason is None and step._traces == 1


class Counting(Net):
    def train_step(self, x):
        self.made += 1
        return super().train_step(x)


class Listing(Net):
    def train_step(self, x):
        self.table["last"] = len(x)
        return super().train_step(x)


class Replacing(Net):
    def train_step(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        return super().train_step(x)


class Foreign(Net):
    def train_step(self, x):
        np.square(x)
        return super().train_step(x)


class Deciding(Net):
    def train_step(self, x):
        metrics = super().train_step(x)
        with tg.no_grad():
            metrics["loss"].item()  # is looked at
        return metrics


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Counting, "the step changes made, which a program can't"),
        (Listing, "the step changes table.last"),
        (Replacing, "the step replaces the array mean; write into it"),
        (Foreign, r"does not support ufuncs.*test_what_steps_do.py:\d+ in train_step: np.square"),
        (Deciding, r"looks at the elements of an array.*train_step: metrics.*# is looked at$"),
    ],
)
def test_what_a_program_can_not_do_is_said_and_the_step_is_right(kind, why):
    step, model, eager = pair(kind)
    for _ in range(3):
        assert_equal_steps(step, model, eager)
    assert step.program is None
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(step.reason)
    assert (model.made, model.table) == (eager.made, eager.table)
    np.testing.assert_array_equal(model.mean, eager.mean)


class Writing(Net):
    """A running mean in place, and a count by per_step."""

    def train_step(self, x):
        self.mean[...] = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        tg.per_step(self.count)
        return super().train_step(x)

    def count(self):
        self.made += 1
        return self.made


def test_what_a_program_can_do():
    step, model, eager = pair(Writing)
    for _ in range(3):
        assert_equal_steps(step, model, eager)
    assert step.reason is None and step._traces == 1
    assert model.made == eager.made == 3
    np.testing.assert_allclose(model.mean, eager.mean, rtol=1e-6)


def test_in_a_block_that_changes_what_ops_do_the_step_runs_as_it_was_written():
    step, model, eager = pair()
    seen = []
    for block in (trace(lambda *event: seen.append(event[0])), watching(lambda *_: seen.append("layer"))):
        with block:
            step(X)
        assert step.program is None and seen
        seen.clear()
    with evaluating(model):
        step(X)
    for _ in range(3):
        eager.train_step(X)
    with tg.frozen(model.net), pytest.raises(tg.GradientError):
        step(X)
    assert step.program is None
    assert_equal_steps(step, model, eager)
    assert step.program is not None


def test_a_step_can_be_prepared_without_being_taken():
    step, model, eager = pair()
    assert step.prepare(X) and step.program is not None and step.seconds > 0
    for name, value in eager.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    seconds = step.seconds
    assert_equal_steps(step, model, eager)
    assert step.seconds == seconds
    assert not tg.compile(Deciding()).prepare(X)
