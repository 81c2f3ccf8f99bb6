"""Batches: any data as an endless stream that knows its first batch and returns to any position."""

import json
from dataclasses import make_dataclass

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.backend import array_module
from tinygen.data import Dataset, Loader
from tinygen.errors import ConfigError, DataError
from tinygen.models import GAN, WGAN, GANConfig, PacGAN
from tinygen.tensor import tensor
from tinygen.train import fit
from tinygen.train.batches import batches_of, loader_for


class Any(Tiny):
    """A model that doesn't declare the shape of its examples."""

    Config = make_dataclass("Config", [("size", int, 16)])

    def __init__(self):
        super().__init__(self.Config())


class Labelled(Any):
    takes_labels = True


IMAGES = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)


def numbers(batches, n):
    return [batches.next().ravel().tolist() for _ in range(n)]


def sources():
    return {
        "loader": Loader(IMAGES, 6),
        "stream": Stream((2,), 2),
        "list": [np.full(2, float(i)) for i in range(5)],
        "array": IMAGES,
        "dataset": Dataset("counting", IMAGES, IMAGES[:2]),
    }


@pytest.mark.parametrize("kind", sources())
@pytest.mark.parametrize("before", [0, 1, 4, 7])
def test_going_back(kind, before):
    batches = batches_of(sources()[kind], Any())
    first = batches.first.copy()
    numbers(batches, before)
    state = json.loads(json.dumps(batches.state))
    expected = numbers(batches, 9)
    batches.state = state
    assert numbers(batches, 9) == expected
    np.testing.assert_array_equal(batches.first, first)
    other = batches_of(sources()[kind], Any())
    other.state = state
    assert numbers(other, 9) == expected
    np.testing.assert_array_equal(other.first, first)


@pytest.mark.parametrize("kind", sources())
def test_looking_at_the_first_batch_takes_none_away(kind):
    batches = batches_of(sources()[kind], Any())
    assert batches.first.ravel().tolist() == numbers(batches, 1)[0]


def test_the_first_batch_is_that_of_the_run_however_far_the_loader_is():
    fresh = batches_of(Loader(IMAGES, 6), Any())
    numbers(fresh, 5)
    used = Loader(IMAGES, 6)
    used.next_batch()
    resumed = batches_of(used, Any())
    resumed.state = fresh.state
    np.testing.assert_array_equal(resumed.first, fresh.first)
    assert numbers(resumed, 3) == numbers(fresh, 3)


def test_an_array_is_cut_into_batches_of_the_models_default():
    assert batches_of(IMAGES, Any()).next().shape == (8, 1, 1, 1)
    assert batches_of(IMAGES[:3], Any()).next().shape == (3, 1, 1, 1)


def test_an_iterable_is_gone_through_again_and_again():
    assert numbers(batches_of([np.ones(1), np.zeros(1)], Any()), 5) == [[1], [0], [1], [0], [1]]


def test_a_generator_serves_once_and_then_says_so():
    batches = batches_of((np.full(1, float(i)) for i in range(3)), Any())
    assert batches.first == 0 and numbers(batches, 3) == [[0], [1], [2]]
    with pytest.raises(DataError, match="can't be restarted; give a list"):
        batches.state = 1
    with pytest.raises(DataError, match=r"the data ended after 3 batches, .*; give a list"):
        batches.next()


def test_a_new_generator_goes_on_where_the_old_one_was():
    batches = batches_of((np.full(1, float(i)) for i in range(9)), Any())
    batches.state = 4
    assert numbers(batches, 2) == [[4], [5]]
    with pytest.raises(DataError, match="fewer batches than the 4"):
        batches_of([np.ones(1)] * 3, Any()).state = 4


def test_batches_of_pairs_come_to_the_device(backend):
    pair = batches_of([(np.ones((2, 3)), np.zeros(2, np.int64))], Labelled())
    for x in (*pair.first, *pair.next()):
        assert array_module(x) is backend.xp


@pytest.mark.parametrize("data", [[], iter(()), np.zeros((0, 2, 2, 1), np.uint8)])
def test_no_data(data):
    with pytest.raises(DataError):
        batches_of(data, Any())


@pytest.mark.parametrize("data", ["digits", 5, None])
def test_what_is_no_data(data):
    with pytest.raises(ConfigError, match=rf"fit: data is {data!r}, but it must be a Loader, .*load\(\"digits\"\)"):
        batches_of(data, Tiny())


def test_a_loader_of_another_range_is_refused():
    with pytest.raises(ConfigError, match=r"value_range=model\.value_range"):
        batches_of(Loader(IMAGES, 6, (0, 1)), Tiny())


@pytest.mark.parametrize("kind", ["loader", "list"])
def test_labels_for_a_model_that_takes_none_are_refused(kind):
    x, labels = np.zeros((8, 2), np.float32), np.zeros(8, int)
    data = Loader(x, 4, None, labels=labels) if kind == "loader" else [(x, labels)]
    gan = GAN(GANConfig(data_shape=(2,), g_hidden=(4,), d_hidden=(4,)))
    with pytest.raises(ConfigError, match=r"fit: the batches are \(x, labels\), but gan takes no labels; give x alone"):
        fit(gan, data, 1)
    gan.takes_labels = True
    assert len(batches_of(data, gan).next()) == 2


class Foreign:
    """An array of another library, such as a tensor of PyTorch or a frame of pandas."""

    def __init__(self, x):
        self.x = x

    def __array__(self, dtype=None, copy=None):
        return self.x


class Needy:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call .detach() first")


def unit(*shape):
    return np.linspace(0, 1, int(np.prod(shape))).reshape(shape).astype(np.float32)


@pytest.mark.parametrize("made", [lambda x: [Foreign(x)], lambda x: Foreign(x), lambda x: [[Foreign(x)]], tensor, list])
def test_arrays_of_other_libraries_and_float64_become_float32(made):
    x = np.linspace(-1, 1, 128).reshape(2, 4, 4, 4, 1)
    batch = batches_of(made(x if made is list else x[0]), Tiny()).next()
    assert batch.dtype == np.float32 and batch.shape == (4, 4, 4, 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (unit(6, 4, 4), r"an example is \(4, 4\), but tiny takes \(4, 4, 1\); add an axis .* x\[..., np.newaxis\]"),
        (unit(6, 1, 4, 4), r"an example is \(1, 4, 4\), .*; images are NHWC; x\.transpose\(0, 2, 3, 1\)"),
        (unit(6, 16), r"an example is \(16,\), .*; x\.reshape\(-1, 4, 4, 1\) if the numbers are in that order"),
        (unit(6, 8, 8, 3), r"an example is \(8, 8, 3\), .*; build the model with Config\(data_shape=\(8, 8, 3\)\)"),
        ([unit(6, 4, 4)], r"the batches are float32 of shape \(6, 4, 4\), so an example is \(4, 4\)"),
        (list(unit(6, 4, 4, 1)), r"each of them seems to be an example, but .*; give np\.stack\(data\)"),
        (unit(6, 4, 4, 1), r"values from 0 to 1, but tiny takes them from -1 to 1; scale them, x \* 2 - 1"),
        ([unit(6, 4, 4, 1)], r"the batches are .* with values from 0 to 1, .* x \* 2 - 1"),
        ([255 * unit(6, 4, 4, 1)], r"values from 0 to 255, .* scale them, x / 127\.5 - 1"),
        ([9 * unit(6, 4, 4, 1) - 3], r"values from -3 to 6, .* scale them, x / 4\.5 - 0\.333333"),
        (
            [(255 * unit(6, 4, 4, 1)).astype(np.uint8)],
            r"are uint8 .* an array or a Loader, .* or x\.astype.*127\.5 - 1",
        ),
        ([np.ones((6, 4, 4, 1), int)], r"are int64 of shape .*, but tiny takes floats: x\.astype\(np\.float32\)"),
        (np.full((6, 4, 4, 1), None), "are object of shape .*, but tiny takes floats: .*, of arrays of one shape"),
        (np.full((6, 4, 4, 1), np.nan, np.float32), "hold NaN or infinite values; leave those examples out"),
        ([np.full((6, 4, 4, 1), np.inf, np.float32)], "hold NaN or infinite values"),
        (np.zeros((0, 4, 4, 1), np.float32), "holds no examples"),
        ([np.zeros((0, 4, 4, 1), np.float32)], "holds no examples"),
        ([[0.5, 0.5], [0.5, 0.5]], r"a batch is a list, but it must be an array .* np\.asarray\(batch, np\.float32\)"),
        ([{"image": unit(6, 4, 4, 1)}], "a batch is a dict, but it must be an array or a pair"),
        (["a", "b"], "a batch is a str"),
        ([Needy()], r"the data, a Needy, can't be read as an array: call \.detach\(\) first"),
    ],
)
def test_what_does_not_suit_is_told_with_what_to_do(data, message):
    with pytest.raises(DataError, match=message):
        batches_of(data, Tiny())


def test_data_that_suit_closely():
    for x in (1.0005 * unit(6, 4, 4, 1), 0.1 + 0.8 * unit(6, 4, 4, 1), np.zeros((6, 4, 4, 1)), np.ones((6, 4, 4, 1))):
        batches_of([2 * x - 1, x], Tiny())


def test_a_later_batch_of_another_shape():
    batches = batches_of([np.zeros((6, 4, 4, 1)), np.zeros((2, 4, 4, 1)), np.zeros((6, 4, 4))], Tiny())
    assert len(batches.next()) == 6 and len(batches.next()) == 2
    with pytest.raises(DataError, match=r"batch 3 of the data is float32 of shape \(6, 4, 4\), but the first was"):
        batches.next()


def test_batches_of_a_size_that_the_model_does_not_take():
    gan = GAN(GANConfig(data_shape=(2,), g_hidden=(4,), d_hidden=(4,), d_steps=2))
    for n, message in (
        (2, "batch norm needs a batch of at least 2, not 1"),
        (5, "takes 2 batches a step, but 5 examples"),
    ):
        with pytest.raises(ConfigError, match=message):
            batches_of([np.zeros((n, 2))], gan)
    with pytest.raises(ConfigError, match=r"the batches are lists of 3 arrays, .*np\.stack"):
        batches_of([[np.zeros(2)] * 3], gan)


def test_a_loader_without_a_state():
    class Own:
        def next_batch(self):
            return np.zeros((2, 4, 4, 1))

    with pytest.raises(ConfigError, match="a Own with a next_batch"):
        batches_of(Own(), Tiny())


@pytest.mark.oracle
def test_a_loader_of_pytorch():
    torch = pytest.importorskip("torch")
    x, y = torch.linspace(-1, 1, 96).reshape(6, 4, 4, 1).double(), torch.arange(6)
    loaders = [torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*given), 3) for given in ((x,), (x, y))]
    plain, labelled = batches_of(loaders[0], Tiny()), batches_of(loaders[1], Labelled())
    for batches in (plain, labelled):
        for _ in range(3):
            batch = batches.next()
    np.testing.assert_array_equal(plain.first, x[:3].float().numpy())
    assert isinstance(batch, tuple) and batch[0].dtype == np.float32 and batch[1].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="images are NHWC"):
        batches_of(x.permute(0, 3, 1, 2), Tiny())
    with pytest.raises(DataError, match="can't be read as an array: Can't call numpy"):
        batches_of([x.requires_grad_()], Tiny())


def test_a_pair_is_not_taken_for_two_batches():
    x = np.zeros((8, 4, 4, 1), np.float32)
    with pytest.raises(ConfigError, match=r"data is a pair \(x, labels\), which would be taken for two batches"):
        batches_of((x, np.arange(8)), Tiny())
    with pytest.raises(ConfigError, match=r"data is <class .*Loader.>, but it must be a Loader"):
        batches_of(Loader, Tiny())
    assert len(batches_of((x, x), Tiny()).next()) == 8


@pytest.mark.parametrize(
    ("model", "count", "batch"), [(WGAN, 39, 7), (GAN, 1000, 64), (PacGAN, 39, 38), (GAN, 39, 39), (GAN, 2, 2)]
)
def test_of_few_examples_a_batch_is_as_large_as_suits_the_model(model, count, batch):
    toy = model(model.Config(data_shape=(2,), g_hidden=(4,), d_hidden=(4,)))
    batches = batches_of(np.zeros((count, 2), np.float32), toy)
    assert len(batches.next()) == batch * toy.batches_per_step
    with pytest.raises(ConfigError, match=rf"batch is {10 * count}, but {count:,} examples are enough for [\d,]+ at"):
        loader_for(toy, np.zeros((count, 2), np.float32), 10 * count)


@pytest.mark.parametrize(("model", "count"), [(WGAN, 4), (PacGAN, 1)])
def test_too_few_examples_are_said(model, count):
    toy = model(model.Config(data_shape=(2,), g_hidden=(4,), d_hidden=(4,)))
    with pytest.raises(ConfigError, match=f"batch is 1, but {count} examples are too few for {toy.name}"):
        batches_of(np.zeros((count, 2), np.float32), toy)
