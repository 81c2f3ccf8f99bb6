"""A step that is compiled before it is taken; what is replaced between steps; the line in which a step can't go on."""

import numpy as np
import pytest

import tinygen as tg

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


class Net(tg.models.Model):
    """Learns to return what it is given; `scale` is a setting."""

    def __init__(self):
        super().__init__(seed=0)
        self.net = tg.layers.Dense(3, 3, rng=tg.Generator(0))
        self.opt = tg.optim.Adam(self.net.parameters())
        self.scale = 1.0

    def train_step(self, x):
        loss = (((self.net(x) - x) * self.scale) ** 2).mean()
        self.opt.step(tg.grad(loss, self.net.parameters()))
        return {"loss": loss}


class Deciding(Net):
    def train_step(self, x):
        metrics = super().train_step(x)
        with tg.no_grad():
            metrics["loss"].item()  # is looked at
        return metrics


def assert_equal_steps(step, model, eager):
    loss, expected = step(X)["loss"].item(), eager.train_step(X)["loss"].item()
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, value in eager.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_step_can_be_prepared_without_being_taken():
    model, eager = Net(), Net()
    step = tg.compile(model)
    assert repr(step) == "not compiled yet"
    step.prepare(X)
    assert step.program is not None and step.seconds > 0
    assert repr(step).startswith(f"compiled: {step.program.size()}, ")
    for name, value in eager.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    seconds = step.seconds
    assert_equal_steps(step, model, eager)
    assert step.seconds == seconds


def test_a_step_that_can_not_be_prepared_names_the_line():
    step = tg.compile(Deciding())
    step.prepare(X)
    assert step.reason.startswith("the step looks at the elements of an array")
    assert step.reason.endswith('in train_step: metrics["loss"].item()  # is looked at')
    assert repr(step) == f"not compiled: {step.reason}"


def test_a_train_step_that_is_replaced_takes_effect():
    model, eager = Net(), Net()
    step = tg.compile(model)
    assert_equal_steps(step, model, eager)
    for each in (model, eager):
        before = each.train_step
        each.train_step = lambda x, before=before: before(x * 2)
    assert_equal_steps(step, model, eager)
    assert step.reason is None


def test_the_size_of_a_program_counts_what_is_done():
    step = tg.compile(lambda x: {"y": (x * 2 + 1).sum()}, "numpy")
    step.prepare(X)
    assert step.program.size() == "3 instructions in 1 group"
