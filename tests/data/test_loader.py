"""Batches: every example once an epoch, scaled, fresh, on the device, and the same again from a saved state."""

import json

import numpy as np
import pytest
import standin
from conftest import device

import tinygen
from tinygen.data import Compose, Flip, Loader, Noise, Rotate, Shift, load
from tinygen.errors import ConfigError, DataError
from tinygen.random import Generator

N = 23
IMAGES = np.random.default_rng(5).integers(0, 256, (N, 4, 5, 2), np.uint8)
NUMBERED = np.arange(N, dtype=np.uint8).reshape(N, 1)  # an example's only value is its number
POINTS = np.random.default_rng(6).normal(size=(N, 2)).astype(np.float32)


def numbers(batch, backend):
    """The numbers of the examples in a batch of NUMBERED scaled to (0, 1)."""
    return np.rint(backend.to_host(batch)[:, 0] * 255).astype(int).tolist()


def test_an_epoch_has_every_example_once_in_a_new_order(backend):
    loader = Loader(NUMBERED, 4, (0, 1), drop_last=False)
    epochs = [[k for x in loader for k in numbers(x, backend)] for _ in range(3)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != list(range(N))


def test_without_shuffling_the_order_is_that_of_the_data(backend):
    loader = Loader(NUMBERED, 10, (0, 1), shuffle=False, drop_last=False)
    assert [numbers(x, backend) for x in loader] == [[*range(10)], [*range(10, 20)], [20, 21, 22]]


@pytest.mark.parametrize(("batch", "drop_last", "sizes"), [(10, True, 2), (10, False, 3), (23, True, 1), (1, True, 23)])
def test_len_is_the_number_of_batches(batch, drop_last, sizes):
    loader = Loader(NUMBERED, batch, drop_last=drop_last)
    assert len(loader) == sizes == len(list(loader)) == len(list(loader))


def test_next_batch_goes_on_into_the_next_epoch_and_for_takes_the_rest(backend):
    loader = Loader(NUMBERED, 5, (0, 1))
    first = [k for _ in range(3) for k in numbers(loader.next_batch(), backend)]
    rest = [k for x in loader for k in numbers(x, backend)]
    assert len(rest) == 5 and len(set(first + rest)) == 20
    assert len(list(loader)) == 4
    for x in loader:
        assert x.shape == (5, 1)
        break
    assert len(list(loader)) == 3


@pytest.mark.parametrize("value_range", [(-1, 1), (0, 1)])
def test_pixels_are_scaled_to_the_range_and_reach_both_ends(backend, value_range):
    low, high = value_range
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = backend.to_host(Loader(every, 1, value_range).next_batch())
    assert x.dtype == np.float32 and x.min() == low and x.max() == high
    np.testing.assert_allclose(x, every / 255 * (high - low) + low, rtol=0, atol=1e-7)


def test_points_are_not_scaled(backend):
    loader = Loader(POINTS, N, None, shuffle=False)
    np.testing.assert_array_equal(backend.to_host(loader.next_batch()), POINTS)
    doubles = Loader(POINTS.astype(np.float64), N, None, shuffle=False).next_batch()
    assert doubles.dtype == np.float32


def test_labels_stay_with_their_examples(backend):
    labels = np.arange(N) * 3
    loader = Loader(NUMBERED, 7, (0, 1), labels=labels)
    for x, y in loader:
        assert isinstance(y, backend.xp.ndarray) and y.dtype == np.int64
        assert (3 * np.array(numbers(x, backend))).tolist() == backend.to_host(y).tolist()


@pytest.mark.parametrize(("data", "value_range"), [(IMAGES, (-1, 1)), (POINTS, None)])
def test_batches_are_fresh_arrays_of_the_device(backend, data, value_range):
    before = data.copy()
    loader = Loader(data, 5, value_range, shuffle=False)
    x = loader.next_batch()
    assert isinstance(x, backend.xp.ndarray) and x.flags.c_contiguous
    x[...] = 7
    loader.state = Loader(data, 5, value_range, shuffle=False).state
    assert (backend.to_host(loader.next_batch()) != 7).all()
    np.testing.assert_array_equal(data, before)


def test_a_batch_makes_the_host_wait_for_nothing():
    with device("standin"):
        loader = Loader(IMAGES, 5, labels=np.arange(N), augment=Compose(Shift(1), Rotate(10), Flip(), Noise(0.1)))
        with standin.count_syncs() as syncs:
            for _ in range(12):
                loader.next_batch()
        assert syncs.count == 0, syncs


def test_equal_seeds_give_equal_batches(backend):
    def batches():
        return [backend.to_host(x) for x in Loader(IMAGES, 5)]

    first = batches()
    tinygen.seed(0)
    for x, y in zip(first, batches(), strict=True):
        np.testing.assert_array_equal(x, y)
    tinygen.seed(1)
    assert any((x != y).any() for x, y in zip(first, batches(), strict=True))


def test_the_order_is_the_same_on_every_device(backend):
    loader = Loader(NUMBERED, 6, (0, 1), rng=Generator(3, "order", "cpu"))
    expected = Generator(3, "order", "cpu").permutation(N)
    assert [k for x in loader for k in numbers(x, backend)] == expected[:18].tolist()
    assert Loader(NUMBERED, 6).rng.device == "cpu"


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 11])
@pytest.mark.parametrize("drop_last", [True, False])
def test_a_saved_state_goes_on_to_the_bit(backend, steps, drop_last):
    def make():
        augment = Compose(Shift(1), Rotate(20), Flip(), Noise(0.1))
        return Loader(IMAGES, 5, labels=np.arange(N), augment=augment, drop_last=drop_last)

    loader = make()
    for _ in range(steps):
        loader.next_batch()
    state = json.loads(json.dumps(loader.state))
    resumed = make()
    resumed.next_batch()
    resumed.state = state
    assert resumed.state == loader.state
    for _ in range(9):  # over the end of an epoch
        for x, y in zip(loader.next_batch(), resumed.next_batch(), strict=True):
            np.testing.assert_array_equal(backend.to_host(x), backend.to_host(y))


def test_a_resumed_epoch_ends_where_it_would_have_ended(backend):
    loader = Loader(NUMBERED, 5, (0, 1))
    loader.next_batch()
    resumed = Loader(NUMBERED, 5, (0, 1))
    resumed.state = loader.state
    rest = [numbers(x, backend) for x in resumed]
    assert len(rest) == 3 and rest == [numbers(x, backend) for x in loader]


def test_looking_at_the_state_changes_nothing(backend):
    inspected, alone = Loader(NUMBERED, 5, rng=Generator(1)), Loader(NUMBERED, 5, rng=Generator(1))
    for _ in range(9):
        assert inspected.state == inspected.state
        np.testing.assert_array_equal(backend.to_host(inspected.next_batch()), backend.to_host(alone.next_batch()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch": 6}, "with batch 5, but this one has 6"),
        ({"data": NUMBERED[:20]}, "with examples 23, but this one has 20"),
        ({"shuffle": False}, "with shuffle True, but this one has False"),
        ({"drop_last": False}, "with drop_last True, but this one has False"),
        ({"augment": Noise()}, "with augmentation None, but this one has Noise"),
    ],
)
def test_a_state_of_another_loader_is_refused(changed, message):
    options = {"data": NUMBERED, "batch": 5}
    state = Loader(**options).state
    with pytest.raises(ConfigError, match=message):
        Loader(**(options | changed)).state = state


def test_a_plain_function_augments_and_has_no_state(backend):
    loader = Loader(NUMBERED, 5, (0, 1), augment=lambda x: x + 1)
    assert float(backend.to_host(loader.next_batch()).min()) >= 1
    assert loader.state["augment"] is None
    loader.state = loader.state


@pytest.mark.parametrize("batch", [0, -1, N + 1, 2.0, True, "8", None])
def test_a_wrong_batch_is_named(batch):
    with pytest.raises(
        ConfigError, match=rf"batch is {batch!r}, but it must be an int from 1 to 23, the number of exam"
    ):
        Loader(NUMBERED, batch)


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ([[1.0]], {}, DataError, "data is a list, but it must be an array"),
        (np.zeros(5, np.uint8), {}, DataError, r"data is an array of shape \(5,\), but it must be an array \(N, H"),
        (IMAGES[:0], {}, DataError, "data holds no examples"),
        (IMAGES.astype(int), {}, DataError, "dtype int64, but it must be uint8"),
        (IMAGES, {"labels": np.arange(5)}, DataError, r"labels is an array of shape \(5,\), but each of 23 examples"),
        (IMAGES, {"value_range": None}, ConfigError, r"value_range is None, but uint8 .* \(-1, 1\) or \(0, 1\)"),
        (
            IMAGES,
            {"value_range": (1, 0)},
            ConfigError,
            r"value_range is \(1, 0\), but it must be None or \(low, high\)",
        ),
        (load("digits"), {}, DataError, "data is a Dataset, but .*; give its .train"),
        (tinygen.tensor(POINTS), {}, DataError, r"data is a Tensor, but .*; give its .numpy\(\)"),
        (IMAGES, {"augment": "flip"}, ConfigError, r"augment is 'flip', but .* such as Flip\(\)"),
        (IMAGES, {"augment": Compose("flip")}, ConfigError, "augment is 'flip'"),
        ([IMAGES, IMAGES], {}, DataError, r"data is a list, .*; np.stack\(x\) makes one of arrays"),
        (["a.png", "b.png"], {}, DataError, r'data is a list, .*load\("folder:PATH"\) reads the images in a folder'),
        (POINTS * 9, {}, DataError, r"values from .* must be from -1 to 1; scale them, .* value_range=None takes any"),
        (POINTS * np.nan, {}, DataError, "values from nan to nan, but they must be from -1 to 1; floats"),
        (IMAGES / 255, {}, DataError, r"values from 0 to 1, but they must be from -1 to 1; scale them, x \* 2 - 1; fl"),
        (IMAGES * 1.0, {}, DataError, r"values from 0 to 255, .*; scale them, x / 127.5 - 1;"),
        (IMAGES * 1.0, {"value_range": (0, 1)}, DataError, r"values from 0 to 255, .*; scale them, x / 255;"),
        (
            POINTS,
            {"value_range": None, "augment": Flip()},
            ConfigError,
            r"Flip \(--mirror\) changes .* \(23, 2\)",
        ),
        (POINTS, {"value_range": None, "augment": Compose(Noise(), Rotate())}, ConfigError, "Rotate changes images"),
        (IMAGES, {"value_range": (0, 1), "augment": Shift(1)}, ConfigError, r"Shift fills with -1, .* pass fill=0"),
        (IMAGES, {"value_range": (0, 1), "augment": Compose(Flip(), Rotate(1))}, ConfigError, "Rotate fills with -1"),
    ],
)
def test_what_does_not_fit_is_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        Loader(data, 1, **options)


def test_floats_within_the_range_are_taken_as_they_are(backend):
    grey = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 2, 2, 1)
    np.testing.assert_array_equal(backend.to_host(Loader(grey, 3, shuffle=False).next_batch()), grey)
