"""The faces are drawn from their factors, and each factor changes its own feature, all the way from 0 to 1."""

import tracemalloc

import numpy as np
import pytest

from tinygen.data import Loader, load, sixfactors
from tinygen.data.sixfactors import FACTORS, draw_faces
from tinygen.errors import ConfigError, DataError

STEPS = 11
MOUTH, EYES, NECK = np.s_[41:56, 18:46], np.s_[25:38, 16:48], np.s_[55:57, 31:33]


def random_factors(n, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, 6)).astype(np.float32)


def sweep(factor, **fixed):
    """Faces (people, STEPS, 64, 64, 3): 20 people, each with one factor from 0 to 1; `fixed` factors are all alike."""
    factors = np.repeat(random_factors(20)[:, np.newaxis], STEPS, axis=1)
    for name, value in fixed.items():
        factors[..., FACTORS.index(name.replace("_", " "))] = value
    factors[..., FACTORS.index(factor)] = np.linspace(0, 1, STEPS)
    return draw_faces(factors.reshape(-1, 6)).reshape(20, STEPS, 64, 64, 3)


def changed(faces):
    """Pixels (64, 64) that change along the sweep, for any person."""
    return (faces != faces[:, :1]).any(axis=(0, 1, 4))


def assert_changes_only(faces, *windows):
    outside = changed(faces)
    for window in windows:
        assert outside[window].any()
        outside[window] = False
    assert not outside.any()


def assert_grows(measure, by):
    """It grows at every step, and by at least `by` in all."""
    assert (np.diff(measure, axis=1) > 0).all()
    assert (measure[:, -1] - measure[:, 0] > by).all()


def test_the_default_set():
    data = load("sixfactors")
    assert data.train.shape == (9000, 64, 64, 3) and data.test.shape == (1000, 64, 64, 3)
    assert data.train.dtype == data.test.dtype == np.uint8 and data.labels is None and data.modes is None
    assert data.factors.shape == (9000, 6) and data.test_factors.shape == (1000, 6)
    assert data.factors.dtype == np.float32 and data.factors.min() >= 0 and data.factors.max() < 1
    assert np.abs(data.factors.mean(axis=0) - 0.5).max() < 0.02  # uniform: 0.003 is a standard deviation
    assert np.abs(np.corrcoef(data.factors.T) - np.eye(6)).max() < 0.05  # independent: 0.01 is one
    np.testing.assert_array_equal(draw_faces(data.test_factors[:50], np.uint8), data.test[:50])
    assert str(data) == "sixfactors: 9,000 to train and 1,000 to test, each (64, 64, 3) uint8, no labels"


def test_it_depends_on_its_options_alone():
    first, again, other = (load("sixfactors", train=5, test=2, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert not (first.factors == other.factors).any()


@pytest.mark.parametrize(("train", "test"), [(1, 0), (1, 1), (33, 3), (64, 32)])
def test_any_number_of_them(train, test):
    data = load("sixfactors", train=train, test=test)
    assert len(data.train) == len(data.factors) == train and len(data.test) == len(data.test_factors) == test


def test_wrong_options_are_named():
    with pytest.raises(ConfigError, match="sixfactors: train is 0, but it must be an int of at least 1"):
        load("sixfactors", train=0)


def test_batches_of_them():
    data = load("sixfactors", train=8, test=0)
    x = Loader(data.train, 8).next_batch()
    assert x.shape == (8, 64, 64, 3) and x.dtype == np.float32 and x.min() >= -1 and x.max() <= 1 and x.std() > 0.3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_lie_in_the_unit_interval_and_bytes_are_their_nearest(dtype):
    corners = np.stack(np.meshgrid(*[[0, 1]] * 6), axis=-1).reshape(64, 6)
    faces = draw_faces(corners, dtype)
    assert faces.dtype == dtype and faces.shape == (64, 64, 64, 3) and faces.min() >= 0 and faces.max() <= 1
    np.testing.assert_array_equal(draw_faces(corners, np.uint8), np.rint(faces.astype(np.float32) * 255))


def test_a_face_depends_on_its_own_factors_alone(monkeypatch):
    factors = random_factors(70)
    together = draw_faces(factors)
    np.testing.assert_array_equal(np.concatenate([draw_faces(factors[i : i + 1]) for i in range(70)]), together)
    monkeypatch.setattr(sixfactors, "CHUNK", 7)
    np.testing.assert_array_equal(draw_faces(factors), together)
    assert draw_faces(factors[:0]).shape == (0, 64, 64, 3)


def test_memory_is_that_of_the_faces_and_a_few_planes():
    factors = random_factors(1000)
    tracemalloc.start()
    faces = draw_faces(factors, np.uint8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < faces.nbytes + 16e6


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (np.zeros(6), r"shape \(6,\), but it must be \(N, 6\): smile, face width"),
        (np.zeros((2, 5)), r"shape \(2, 5\)"),
        (np.full((1, 6), 1.001), r"must lie in \[0, 1\]"),
        (np.full((1, 6), -0.001), r"must lie in \[0, 1\]"),
        (np.full((1, 6), np.nan), r"must lie in \[0, 1\]"),
    ],
)
def test_other_factors_are_refused(factors, words):
    with pytest.raises(DataError, match=words):
        draw_faces(factors)


def test_the_smile_bends_the_mouth():
    faces = sweep("smile", skin_tone=0.4)
    assert_changes_only(faces, MOUTH)
    ink = np.abs(faces - faces[:, :, 40:41]).sum(axis=-1)[:, :, 41:56, 31:33].sum(axis=-1)  # unlike the skin above
    ink = np.maximum(ink - 0.3, 0)
    row = np.arange(41, 56)
    assert_grows((ink * row).sum(axis=2) / ink.sum(axis=2), by=4)


def test_the_face_width_moves_the_outline_and_leaves_what_is_in_the_face():
    faces = sweep("face width", skin_tone=1, hair_colour=1)
    assert not changed(faces)[25:48, 22:42].any() and not changed(faces)[NECK].any()
    row = faces[:, :, 22].sum(axis=-1)
    assert_grows((row[:, :, :1] - row).sum(axis=-1), by=15)  # the wall, 2.3, gives way to dark hair, 0.3, on 10 pixels


def test_the_skin_tone_darkens_the_skin_alone():
    faces = sweep("skin tone", eye_size=1, face_width=0)
    skin = changed(faces)
    assert skin[NECK].all() and not skin[:11].any() and not skin[:, :12].any() and not skin[:, -12:].any()
    assert not skin[56:, :18].any() and not skin[31:34, [22, 23, 39, 40]].any()  # shirt, eyes
    assert_grows(-faces[(..., *NECK, np.s_[:])].mean(axis=(2, 3, 4)), by=0.5)


def test_the_hair_colour_darkens_hair_and_brows_alone():
    faces = sweep("hair colour")
    hair = changed(faces)
    assert hair[6:10, 28:36].all() and hair[24, 23] and hair[24, 40] and not hair[28:48, 22:42].any()
    assert not hair[NECK].any() and not hair[50:].any() and not hair[:, :4].any()
    assert_grows(-faces[:, :, 6:10, 28:36].mean(axis=(2, 3, 4)), by=0.5)


def test_the_eye_size_grows_the_eyes_alone():
    faces = sweep("eye size", skin_tone=1, hair_colour=1)
    assert_changes_only(faces, EYES)
    assert_grows(faces[:, :, 25:38, 16:48].sum(axis=(2, 3, 4)), by=30)  # the whites


def test_the_gaze_moves_the_pupils_alone():
    faces = sweep("gaze", skin_tone=0)
    assert_changes_only(faces, EYES)
    for eye in (np.s_[30:34, 17:30], np.s_[30:34, 34:47]):
        dark = np.maximum(1.2 - faces[(..., *eye, np.s_[:])].sum(axis=-1), 0)
        assert_grows((dark * np.arange(13)).sum(axis=(2, 3)) / dark.sum(axis=(2, 3)), by=1)


def test_left_and_right_are_alike():
    mouth = sweep("smile")[:, :, 43:54, 18:46]
    assert np.abs(mouth - mouth[..., ::-1, :]).max() < 0.2  # not 0: the light comes from the left


def test_a_smaller_face_is_the_mean_of_squares_of_pixels():
    factors = random_factors(40)
    large = draw_faces(factors)
    for size in (32, 16):
        k = 64 // size
        means = large.reshape(40, size, k, size, k, 3).mean(axis=(2, 4))
        np.testing.assert_allclose(draw_faces(factors, size=size), means, atol=1e-6)
    assert load("sixfactors", train=3, test=2, size=32).train.shape == (3, 32, 32, 3)


@pytest.mark.parametrize("size, reason", [(48, "it must divide 64"), (0, "from 1 to 64"), (128, "from 1 to 64")])
def test_a_size_that_does_not_divide_the_drawing_is_refused(size, reason):
    with pytest.raises(ConfigError, match=f"sixfactors: size is {size}, but .*{reason}"):
        load("sixfactors", train=3, test=2, size=size)
