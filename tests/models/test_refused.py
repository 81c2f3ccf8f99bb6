"""What a model refuses to train on or to draw: batches of another size, rank or kind, labels, counts, streams."""

from __future__ import annotations

import re

import numpy as np
import pytest
from models.small import IMAGE, SAMPLING, SENTENCES, batches, fed, shape_for, small

import tinygen as tg
from tinygen.errors import DataError
from tinygen.layers import Dense
from tinygen.models import MODELS
from tinygen.models.average import Average
from tinygen.models.cgan import JoinLabels
from tinygen.models.networks import mlp
from tinygen.models.pacgan import Pack
from tinygen.models.penalties import r1_penalty

H, W, C = IMAGE
WRONG = {
    "higher": np.ones((4, H + 1, W, C), np.float32),
    "as small after halving": np.ones((4, H + 1, W - 1, C), np.float32),
    "more channels": np.ones((4, H, W, C + 2), np.float32),
    "flat": np.ones((4, H * W * C), np.float32),
    "no channel": np.ones((4, H, W), np.float32),
    "one example": np.ones(IMAGE, np.float32),
    "channels first": np.ones((4, C, H, W), np.float32),
    "none": np.ones((0, *IMAGE), np.float32),
    "bytes": np.ones((4, *IMAGE), np.uint8),
    "integers": np.ones((4, *IMAGE), int),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_of_another_kind_is_refused_before_anything_changes(name):
    model = small(name)
    for x in WRONG.values():
        check_refused(name, model, x)


def check_refused(name, model, x):
    before = model.state_dict()
    batch = (x, np.zeros(len(x), int)) if model.takes_labels else (x, x) if model.takes_domains else x
    numbers = "tokens, signed integers" if name in SENTENCES else "floats"
    wanted = re.escape(f"{numbers} (N, {str(shape_for(name, IMAGE))[1:]}")
    with pytest.raises(DataError, match=rf"^{name}: the batch is a ndarray \(.*\), but it must be {wanted}"):
        model.train_step(batch)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


@pytest.mark.parametrize("name", MODELS)
def test_labels_belong_to_the_models_that_take_them(name):
    model = small(name)
    x = batches(1, size=4 * model.batches_per_step)[0]
    with pytest.raises(DataError, match=rf"^{name}: the batch is .*, but this model takes"):
        alone = model.takes_labels or model.takes_domains
        model.train_step(x if alone else (x, np.zeros(len(x), int)))
    for batch in (x.tolist(), None, "digits"):
        with pytest.raises(TypeError, match=rf"^{name}: the batch is a \w+, but it must be a Tensor or an array"):
            pair = model.takes_labels or model.takes_domains
            model.train_step((batch, np.zeros(4, int)) if pair else batch)
    if model.takes_labels:
        n = len(x)
        for labels in (np.zeros(n + 1, int), np.zeros((n, 1), int), np.zeros(n), np.zeros(n, bool)):
            with pytest.raises(DataError, match=rf"^{name}: the labels are a ndarray .*must be {n} integers"):
                model.train_step((x, labels))
        for label in (-1, 3):
            with pytest.raises(IndexError, match=f"the input goes from .*{label}.*but it must be from 0 to 2"):
                model.train_step((x, np.full(n, label)))
    elif name != "memory" and not model.takes_domains:
        model.train_step((fed(model, x),))


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_of_doubles_or_a_tensor_is_as_good(name):
    """The weights stay in float32, and the losses are those of the same batch in float32."""
    model, twin = small(name), small(name)
    x = batches(1, size=4 * model.batches_per_step)[0]
    ours = model.train_step(fed(model, x))
    theirs = twin.train_step(fed(twin, tg.tensor(x) if name not in ("memory",) and not twin.takes_labels else x))
    for key in ours:
        np.testing.assert_array_equal(ours[key].numpy(), theirs[key].numpy())


@pytest.mark.parametrize("name", SAMPLING)
def test_what_sample_refuses(name):
    model = small(name)
    for rng in (3, 0, np.random.default_rng(0)):
        with pytest.raises(TypeError, match=r"rng is .*, but it must be a tinygen\.Generator"):
            model.sample(2, rng)
    for n in (-1, 1.5, "3", None):
        with pytest.raises(ValueError, match=f"{name}: n is .*, but it must be an int of at least 0"):
            model.sample(n)
    assert model.sample(0).shape == (0, *shape_for(name, IMAGE))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mlp((2, 3, 1), "swish"), "activation: 'swish' is none of linear, relu, leaky_relu"),
        (lambda: mlp((2,), "relu"), r"mlp: widths are \(2,\), but there must be at least two"),
        (lambda: Average(Dense(1, 1), 1.5), "Average: decay is 1.5"),
        (lambda: Pack(0), "Pack: m is 0"),
        (lambda: Pack(2)(np.zeros((3, 1), np.float32)), "must be a multiple of 2"),
        (lambda: JoinLabels(3, 2)(np.zeros((3, 1), np.float32), np.zeros(2, int)), "each example needs one label"),
    ],
)
def test_the_parts_of_models_refuse_what_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("call", [Pack(2), lambda x: JoinLabels(3, 2)(x, x), lambda x: r1_penalty(Dense(2, 1), x)])
def test_the_parts_of_models_refuse_lists(call):
    with pytest.raises(TypeError, match="x is a list, but it must be a Tensor or an array"):
        call([[1.0, 2.0]])
