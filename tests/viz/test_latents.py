"""Pictures of latents: each point, each image of a grid and each row of a traversal is in its place."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from models.small import batches, small

from tinygen import viz
from tinygen.backend import to_host
from tinygen.errors import ConfigError
from tinygen.models.latents import gaussian_plane, plane_around
from tinygen.viz.latents import _arc


class Plane:
    """Its codes are the first two numbers of an example, and its images show the code that they are made from."""

    value_range = (0.0, 1.0)

    def codes(self, x):
        return x[:, :2]

    def plane(self, x, side):
        return gaussian_plane(side)

    def decode(self, z):
        return np.stack([z[:, 0], z[:, 1]], 1).reshape(-1, 1, 2, 1) * 0.1 + 0.5


def test_codes_are_coloured_by_label():
    x, labels = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    (axes,) = viz.latent_plane(Plane(), x, labels).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1", "2"]
    colours = set()
    for kind, dots in enumerate(axes.collections):
        np.testing.assert_array_equal(dots.get_offsets(), x[labels == kind, :2])
        colours.add(tuple(dots.get_facecolors()[0]))
    assert len(colours) == 3


@pytest.mark.parametrize("labels", [None, np.arange(30)])
def test_codes_of_no_label_or_of_too_many_have_one_colour(labels):
    x = np.random.default_rng(0).normal(size=(30, 4))
    (axes,) = viz.latent_plane(Plane(), x, labels).axes
    (dots,) = axes.collections
    np.testing.assert_array_equal(dots.get_offsets(), x[:, :2])
    assert axes.get_legend() is None


def pixels(fig):
    return fig.axes[0].get_images()[0].get_array()


def test_a_manifold_grows_to_the_right_and_upwards():
    sheet = np.asarray(pixels(viz.manifold(Plane(), None, side=5)), float)
    scale = sheet.shape[0] // 5
    first, second = sheet[::scale, :: 2 * scale], sheet[::scale, scale :: 2 * scale]
    assert (np.diff(first, axis=1) > 0).all() and (np.diff(first, axis=0) == 0).all()
    assert (np.diff(second, axis=0) < 0).all() and (np.diff(second, axis=1) == 0).all()
    assert first[0, 2] == 128  # the median


def test_a_manifold_of_points_is_a_scatter_plot():
    model = Plane()
    model.decode = lambda z: z * 2
    (dots,) = viz.manifold(model, None, side=3).axes[0].collections
    np.testing.assert_allclose(dots.get_offsets(), gaussian_plane(3) * 2)


def test_the_planes(backend):
    """Between two neighbours of the Gaussian plane lies the same mass of N(0, 1)."""
    stats = pytest.importorskip("scipy.stats")
    z = to_host(gaussian_plane(4))
    assert z.shape == (16, 2) and z.dtype == np.float32
    np.testing.assert_allclose(stats.norm.cdf(z[:4, 0]), [0.125, 0.375, 0.625, 0.875], rtol=1e-5)
    np.testing.assert_allclose(z[::4, 1], z[:4, 0][::-1])
    codes = np.random.default_rng(0).uniform((0, 5), (1, 7), (5000, 2)).astype(np.float32)
    around = to_host(plane_around(backend.asarray(codes), 3))
    np.testing.assert_allclose(around[[0, 2, 6]], [[0.01, 6.98], [0.99, 6.98], [0.01, 5.02]], atol=0.02)


class Rows(Plane):
    """Three latents: the second holds most, the third nothing; an image is its latents side by side."""

    def posterior(self, x):
        mu = np.stack([0.5 * x, 2 * x, 0 * x], 1)
        return mu, np.tile(np.array([0.0, -2.0, 0.0]), (len(x), 1))

    def decode(self, z):
        return z.reshape(-1, 1, 3, 1) * 0.1 + 0.5


def test_traversals_move_one_latent_a_row_the_one_that_holds_most_first():
    x = np.array([1.0, -1.0])
    fig = viz.traversals(Rows(), x, columns=3, reach=2.0)
    kl = [0.5 * 0.25, 0.5 * (4 + np.exp(-2) - 1 + 2), 0.0]
    assert [text.get_text() for text in fig.axes[0].texts] == [f"z1\n{kl[1]:.2f}", f"z0\n{kl[0]:.2f}", "z2\n0.00"]
    sheet, step = np.asarray(pixels(fig), float), viz.grid(np.zeros((1, 1, 3)), None, scale=8).shape
    expected = np.tile([0.5, 2.0, 0.0], (3, 3, 1))
    for row, latent in enumerate((1, 0, 2)):
        expected[row, :, latent] = [-2, 0, 2]
    middles = sheet[2 + 4 :: step[0] - 2][:3].reshape(3, -1)
    columns = [2 + i * (3 * 8 + 2) + 4 + 8 * j for i in range(3) for j in range(3)]
    np.testing.assert_allclose(middles[:, columns], (expected.reshape(3, 9) * 0.1 + 0.5) * 255, atol=1)


@pytest.mark.parametrize("name", ["ae", "vae", "convvae", "vaegan"])
def test_models_of_two_latents_have_a_plane(backend, name, tmp_path):
    model, x = small(name, latent_dim=2), backend.asarray(batches(1, size=6)[0])
    model.train_step(x)
    assert model.drawings() == ("latent_plane", "manifold") and small(name).drawings() == ()
    assert model.codes(x).shape == (6, 2)
    for drawing in model.drawings():
        viz.save_drawing(drawing, model, x, np.arange(6) % 2, tmp_path / f"{drawing}.png")
        assert (tmp_path / f"{drawing}.png").read_bytes().startswith(b"\x89PNG")


def test_the_betavae_has_traversals(backend, tmp_path):
    model, x = small("betavae"), backend.asarray(batches(1)[0])
    assert model.drawings() == ("traversals",)
    viz.save_drawing("traversals", model, x, None, tmp_path / "a.png")
    assert small("betavae", latent_dim=2).drawings() == ("latent_plane", "manifold", "traversals")


@pytest.mark.parametrize("name", ["vae", "vaegan"])
def test_drawing_never_changes_the_run(name):
    models, xs = [small(name, latent_dim=2) for _ in range(2)], batches(3)
    for x in xs:
        for model in models:
            model.train_step(x)
        for drawing in (viz.latent_plane, viz.manifold, viz.traversals):
            drawing(models[1], x)
    assert models[0].rng.state == models[1].rng.state
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(m.training for _, m in models[1].named_modules())


def walked(fig, columns):
    """The first latent of each image of `Plane`, row by row."""
    sheet, scale = np.asarray(pixels(fig), float), 8
    rows = (sheet.shape[0] - 2) // (scale + 2)
    at = [2 + i * (2 * scale + 2) + 1 for i in range(columns)]
    return (sheet[[2 + i * (scale + 2) + 1 for i in range(rows)]][:, at] / 255 - 0.5) / 0.1


def test_a_walk_between_examples_is_straight():
    x, model = np.array([[-2.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), Plane()
    model.config = SimpleNamespace(latent_dim=2)
    first = walked(viz.latent_walk(model, x, columns=5), 5)
    np.testing.assert_allclose(first, [np.linspace(-2, 2, 5), np.linspace(1, 0, 5)], atol=0.03)


def test_a_walk_between_draws_keeps_its_distance_from_0():
    t = np.linspace(0, 1, 9)[:, None]
    a, b = np.random.default_rng(0).normal(size=(2, 5, 1, 20))
    z = _arc(a, b, t)
    np.testing.assert_allclose(z[:, 0], a[:, 0])
    np.testing.assert_allclose(z[:, -1], b[:, 0])
    size = np.linalg.norm(z, axis=-1)
    ends = size[:, [0, -1]]
    assert (size >= 0.8 * ends.min(axis=1, keepdims=True)).all()  # a straight line comes to 0.7 of them
    turned = np.diff(np.arctan2(*_arc(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]), t).T[::-1]))
    np.testing.assert_allclose(turned, turned[0])
    np.testing.assert_allclose(_arc(a, 2 * a, t), a * (1 + t))


@pytest.mark.parametrize("name", ["vae", "vaegan", "gan", "dcgan", "cgan"])
def test_walks_leave_the_run_as_it_was(name):
    model = small(name)
    states = {key: rng.state for key, rng in model.generators().items()}
    fig = viz.latent_walk(model, rows=2, columns=3)
    np.testing.assert_array_equal(pixels(fig), pixels(viz.latent_walk(model, rows=2, columns=3)))
    assert states == {key: rng.state for key, rng in model.generators().items()}


def test_an_autoencoder_walks_between_examples_alone():
    model = small("ae")
    viz.latent_walk(model, batches(1)[0])
    with pytest.raises(ConfigError, match="give examples"):
        viz.latent_walk(model)


@pytest.mark.parametrize("shape", [(5,), (1,), (2,), (4, 4, 2), (3, 4, 4, 1)])
def test_what_is_decoded_may_be_of_any_shape(shape):
    model = SimpleNamespace(
        value_range=None if len(shape) == 1 else (0, 1),
        config=SimpleNamespace(latent_dim=2),
        codes=lambda x: np.zeros((4, 2), np.float32),
        posterior=lambda x: (np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32)),
        decode=lambda z: np.full((len(z), *shape), 0.5, np.float32),
        plane=lambda x, side: np.zeros((side * side, 2), np.float32),
    )
    x = np.zeros((4, *shape), np.float32)
    for fig in (viz.traversals(model, x), viz.manifold(model, x, side=3), viz.latent_walk(model, x)):
        assert fig.axes


def test_styles_of_two_images_meet():
    """The layers up to there are those of the image at the left, the rest those of the one at the top."""
    model = small("stylegan")
    sheets = [np.asarray(pixels(viz.style_mixing(model, side=3, layers=n))) for n in (0, 4)]
    height, width = (n // 4 for n in sheets[0].shape[:2])

    def cell(sheet, i, j):
        return sheet[i * height : (i + 1) * height, j * width : (j + 1) * width][4:-4, 4:-4]

    for i, j in itertools.product(range(1, 4), repeat=2):
        np.testing.assert_array_equal(cell(sheets[0], i, j), cell(sheets[0], 0, j))
        np.testing.assert_array_equal(cell(sheets[1], i, j), cell(sheets[1], i, 0))
    assert model.drawings() == ("style_mixing",)
