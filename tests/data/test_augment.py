"""Augmentations do what they say, image by image, on every backend, and again from a saved state."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from tinygen.data import Compose, Flip, Noise, Rotate, Shift
from tinygen.data.augment import bilinear
from tinygen.errors import ConfigError
from tinygen.random import Generator

X = np.random.default_rng(2).uniform(-1, 1, (6, 7, 5, 2)).astype(np.float32)  # odd, not square, two channels
MAKERS = {
    "Shift": lambda: Shift(3),
    "Rotate": lambda: Rotate(90),
    "Flip": Flip,
    "Noise": Noise,
    "Compose": lambda: Compose(Flip(), Rotate(15), Shift(1), Noise(0.1)),
}
every_one = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def moved(image, down, right, fill):
    """The image shifted by whole pixels, by the definition."""
    H, W, _ = image.shape
    out = np.full_like(image, fill)
    for i in range(H):
        for j in range(W):
            if 0 <= i - down < H and 0 <= j - right < W:
                out[i, j] = image[i - down, j - right]
    return out


@pytest.mark.parametrize("pixels", [0, 1, 2])
def test_shift_moves_each_image_by_whole_pixels_all_equally_likely(backend, pixels):
    offsets = [(d, r) for d in range(-pixels, pixels + 1) for r in range(-pixels, pixels + 1)]
    expected = np.stack([moved(X[0], d, r, 0.5) for d, r in offsets])
    n = 200 * len(offsets)
    shifted = backend.to_host(Shift(pixels, fill=0.5)(backend.asarray(np.repeat(X[:1], n, axis=0))))
    is_shift = np.stack([(shifted == one).all(axis=(1, 2, 3)) for one in expected])
    assert (is_shift.sum(axis=0) == 1).all()
    assert (np.abs(is_shift.sum(axis=1) - 200) < 70).all()  # five standard deviations of a count


def test_an_image_shifted_out_of_view_leaves_the_background(backend):
    y = backend.to_host(Shift(500)(backend.asarray(X)))
    assert (y == -1).all()


def fixed(backend, *degrees):
    """A stream that draws these angles."""
    radians = np.deg2rad(np.array(degrees, np.float32)).reshape(-1, 1, 1)
    return SimpleNamespace(uniform=lambda shape, low, high: backend.asarray(radians))


def test_rotate_turns_counter_clockwise_about_the_centre(backend):
    square = X[:3, :5]
    y = backend.to_host(Rotate(180, rng=fixed(backend, 0, 90, 180))(backend.asarray(square)))
    for quarters, image, turned in zip((0, 1, 2), square, y, strict=True):
        np.testing.assert_allclose(turned, np.rot90(image, quarters), atol=2e-6)


def test_rotate_interpolates_and_fills_as_scipy_does(backend):
    angles = (-170.0, -33.0, 5.0, 45.0, 90.0, 100.0)
    y = backend.to_host(Rotate(180, fill=0.25, rng=fixed(backend, *angles))(backend.asarray(X)))
    rows, cols = np.mgrid[:7, :5].astype(float) - np.array([3, 2]).reshape(2, 1, 1)
    for angle, image, turned in zip(np.deg2rad(angles), X, y, strict=True):
        at = [np.cos(angle) * rows + np.sin(angle) * cols + 3, np.cos(angle) * cols - np.sin(angle) * rows + 2]
        for c in range(2):
            expected = ndimage.map_coordinates(image[..., c], at, order=1, mode="grid-constant", cval=0.25)
            np.testing.assert_allclose(turned[..., c], expected, atol=5e-6)


def test_angles_are_drawn_evenly_up_to_the_limit(backend):
    lit = np.zeros((2000, 21, 21, 1), np.float32)
    lit[:, 10, 19] = 1  # nine pixels to the right of the centre
    y = backend.to_host(Rotate(30, fill=0.0)(backend.asarray(lit)))[..., 0]
    rows, cols = np.mgrid[:21, :21] - 10
    angle = np.rad2deg(np.arctan2(-(y * rows).sum(axis=(1, 2)), (y * cols).sum(axis=(1, 2))))
    assert np.abs(angle).max() < 30.5
    assert np.abs(np.quantile(angle, [0.1, 0.3, 0.5, 0.7, 0.9]) - [-24, -12, 0, 12, 24]).max() < 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bilinear_reads_anywhere_as_scipy_does(backend, dtype):
    rng, x = np.random.default_rng(4), X.astype(dtype)
    rows, cols = rng.uniform(-4, 11, (6, 8, 9)).astype(dtype), rng.uniform(-4, 9, (6, 8, 9)).astype(dtype)
    rows[:, 0], cols[:, 1] = np.rint(rows[:, 0]), np.rint(cols[:, 1])  # whole numbers too, on and off the edges
    y = backend.to_host(bilinear(*map(backend.asarray, (x, rows, cols)), fill=-0.5))
    assert y.dtype == dtype and y.shape == (6, 8, 9, 2)
    for b in range(6):
        for c in range(2):
            at = [rows[b].astype(float), cols[b].astype(float)]
            expected = ndimage.map_coordinates(x[b, ..., c], at, order=1, mode="grid-constant", cval=-0.5)
            np.testing.assert_allclose(y[b, ..., c], expected, atol=4e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("p", "low", "high"), [(0, 0, 0), (0.5, 420, 580), (1, 1000, 1000)])
def test_flip_mirrors_a_share_of_the_images(backend, p, low, high):
    y = backend.to_host(Flip(p)(backend.asarray(np.repeat(X[:1], 1000, axis=0))))
    mirrored = (y == X[0, :, ::-1]).all(axis=(1, 2, 3))
    assert low <= mirrored.sum() <= high
    assert (y[~mirrored] == X[0]).all()


def test_noise_adds_independent_values_of_its_standard_deviation(backend):
    x = np.repeat(X, 200, axis=0)
    noise = backend.to_host(Noise(0.3)(backend.asarray(x))) - x
    assert abs(noise.std() / 0.3 - 1) < 0.01 and abs(noise.mean()) < 0.005
    assert abs(np.corrcoef(noise[:, 0, 0, 0], noise[:, 0, 0, 1])[0, 1]) < 0.15


def test_compose_applies_one_after_the_other(backend):
    mirror, shift = Flip(1), Shift(2, rng=Generator(1, "shift"))
    both = backend.to_host(Compose(mirror, shift)(backend.asarray(X)))
    alone = Shift(2, rng=Generator(1, "shift"))(backend.asarray(X[:, :, ::-1]))
    np.testing.assert_array_equal(both, backend.to_host(alone))


@every_one
def test_batches_stay_what_they_are(backend, make):
    x = backend.asarray(X)
    y = make()(x)
    assert y.shape == x.shape and y.dtype == np.float32 and isinstance(y, backend.xp.ndarray)
    np.testing.assert_array_equal(backend.to_host(x), X)  # the input is not written to


@every_one
def test_each_image_is_changed_by_its_own_draw(backend, make):
    y = backend.to_host(make()(backend.asarray(np.repeat(X[:1], 50, axis=0))))
    assert len(np.unique(y.reshape(50, -1), axis=0)) > 1


@every_one
def test_a_saved_state_draws_the_same_again(backend, make):
    augment, x = make(), backend.asarray(X)
    augment(x)
    state = json.loads(json.dumps(augment.state))
    first, second = (backend.to_host(augment(x)) for _ in range(2))
    assert (first != second).any()
    other = make()
    other.state = state
    for expected in (first, second):
        np.testing.assert_array_equal(backend.to_host(other(x)), expected)


def test_the_state_of_another_composition_is_refused():
    with pytest.raises(ConfigError, match="the state is of 1 steps, but this one has 2"):
        Compose(Flip(), Noise()).state = Compose(Flip()).state


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shift(-1), "Shift: pixels is -1, but it must be an int of at least 0"),
        (lambda: Shift(1.5), "Shift: pixels is 1.5"),
        (lambda: Shift(1, fill=float("nan")), "Shift: fill is nan, but it must be a finite number$"),
        (lambda: Rotate(181), "Rotate: degrees is 181, but it must be a finite number of at least 0 and at most 180"),
        (lambda: Rotate("10"), "Rotate: degrees is '10'"),
        (lambda: Flip(1.5), "Flip: p is 1.5, but it must be a finite number of at least 0 and at most 1"),
        (lambda: Noise(-0.1), "Noise: std is -0.1, but it must be a finite number of at least 0$"),
        (lambda: Noise(True), "Noise: std is True"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
