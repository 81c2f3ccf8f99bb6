"""What train_step returns: numbers by name, in any form, and never a graph that stays alive."""

import json
import weakref

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.errors import ConfigError
from tinygen.tensor import Tensor, tensor
from tinygen.train import NonFiniteError, RunDirectory, fit


class Returns(Tiny):
    def __init__(self, returned):
        super().__init__()
        self.returned = returned

    def train_step(self, batch):
        super().train_step(batch)
        return self.returned() if callable(self.returned) else self.returned


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float32(2), np.float16(2), np.int64(2), np.asarray(2.0), np.ones(1) * 2, tensor(2.0), tensor([[2.0]])],
)
def test_a_number_may_come_in_any_form(tmp_path, viz, value):
    history = fit(Returns({"loss": value}), Stream(), 3, out=tmp_path, log_every=1)
    assert history["loss"] == [2.0] * 3 and type(history["loss"][0]) in (int, float)
    lines = RunDirectory(tmp_path).metrics_file.read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [2.0] * 3


def test_a_bool_is_a_number_too():
    assert fit(Returns({"converged": np.bool_(True)}), Stream(), 1)["converged"] == [1.0]


def test_no_metrics_at_all(tmp_path, viz):
    assert fit(Returns({}), Stream(), 3, out=tmp_path, log_every=1)["step"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, r"tiny.train_step returned None, but it must return numbers by name, .*; is a return missing\?"),
        (2.0, r"tiny.train_step returned 2.0, but it must return numbers by name, such as \{.loss.: loss.detach\(\)\}"),
        (tensor(2.0), r"returned float32 of shape \(\), but"),
        ((1, 2), r"returned \(1, 2\), but"),
        (
            {"loss": np.ones((4, 1))},
            r"float64 of shape \(4, 1\) as 'loss', but it must be a single number; .*\.mean\(\)",
        ),
        ({"loss": tensor([1.0, 2.0])}, r"float32 of shape \(2,\) as 'loss', .* give its \.mean\(\)"),
        ({"loss": {"D": 1.0}}, r"\{'D': 1.0\} as 'loss', but it must be a single number; give it more names"),
        ({"loss": [1.0, 2.0]}, r"\[1.0, 2.0\] as 'loss', .* give it more names, one for each number"),
        ({"loss": None}, r"None as 'loss', but it must be a single number; leave it out"),
        ({"loss": "high"}, "'high' as 'loss'"),
        ({"loss": 1j}, "1j as 'loss'"),
        ({1: 2.0}, "a value under the name 1; choose another name, in text"),
        ({"step": 2.0}, "under the name 'step', which is the number of the step"),
    ],
)
def test_what_is_no_number_is_told_at_step_1(returned, message):
    with pytest.raises(ConfigError, match=message):
        fit(Returns(returned), Stream(), 5)


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), np.asarray(np.nan), tensor(float("-inf"))])
def test_a_number_that_is_not_finite_is_found_in_any_form(value):
    with pytest.raises(NonFiniteError, match="loss is not finite"):
        fit(Returns({"loss": value}), Stream(), 3)


def test_no_graph_outlives_its_step():
    saved, alive, kept = [], [], []

    def loss():
        alive.append(sum(array() is not None for array in saved))
        factor = np.full(3, 2, np.float32)
        saved.append(weakref.ref(factor))  # the graph holds it, for the rule of the product
        return {"loss": (Tensor(np.ones(3, np.float32), requires_grad=True) * factor).sum()}

    fit(Returns(loss), Stream(), 4, callbacks=[lambda step, metrics: kept.append(metrics["loss"])])
    assert alive == [0] * 4 and not any(x.requires_grad for x in kept)
