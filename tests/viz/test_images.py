"""Grids: every pixel in its place, in the grey of its value."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tinygen import viz
from tinygen.viz.tiles import GUTTER_GREY, NOT_FINITE


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (7, 5, 4, 1)).astype(np.float32)


def test_a_grid_holds_each_image_in_its_cell_and_grey_elsewhere(digits):
    sheet = viz.grid(digits, (-1, 1), columns=3)
    assert sheet.dtype == np.uint8 and sheet.shape == (3 * (5 + 2) + 2, 3 * (4 + 2) + 2)
    expected = np.rint((digits[..., 0].astype(np.float64) + 1) * 127.5)
    covered = np.zeros(sheet.shape, bool)
    for i in range(7):
        y, x = 2 + i // 3 * 7, 2 + i % 3 * 6
        np.testing.assert_allclose(sheet[y : y + 5, x : x + 4], expected[i], atol=1)
        covered[y : y + 5, x : x + 4] = True
    assert (sheet[~covered] == GUTTER_GREY).all()


@pytest.mark.parametrize(
    "value_range, values", [((-1, 1), (-1, 0, 1)), ((0, 1), (0, 0.5, 1)), ((0, 255), (0, 127.5, 255))]
)
def test_the_range_spans_black_to_white_and_the_rest_is_clipped(value_range, values):
    span = value_range[1] - value_range[0]
    pixels = np.array([values[0] - span, *values, values[2] + span], np.float32).reshape(1, 1, 5, 1)
    assert viz.grid(pixels, value_range, gutter=0).ravel().tolist() == [0, 0, 128, 255, 255]


def test_bytes_come_out_as_they_are():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(viz.grid(images, None, gutter=0), images[0, ..., 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_magenta(digits, value):
    digits[2, 1, 3] = value
    sheet = viz.grid(digits, (-1, 1), columns=3)
    assert sheet.shape[-1] == 3
    magenta = (sheet == NOT_FINITE).all(axis=-1)
    assert np.argwhere(magenta).tolist() == [[2 + 1, 2 + 2 * 6 + 3]]
    finite = viz.grid(np.where(np.isfinite(digits), digits, 0), (-1, 1), columns=3)
    np.testing.assert_array_equal(sheet[~magenta][:, 0], finite[~magenta])


def test_colour_images_keep_their_channels():
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[0, 0, 1] = 1, 0.2, 0
    assert viz.grid(image, (0, 1), gutter=0)[0, 1].tolist() == [255, 51, 0]


def test_a_scaled_grid_repeats_pixels_and_keeps_the_gutter(digits):
    once, thrice = (viz.grid(digits[:1], (-1, 1), scale=scale) for scale in (1, 3))
    np.testing.assert_array_equal(thrice[2:-2, 2:-2], once[2:-2, 2:-2].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize("n, shape", [(25, (5, 5)), (64, (8, 8)), (10, (3, 4)), (2, (1, 2)), (1, (1, 1))])
def test_a_grid_is_nearly_square(n, shape):
    assert viz.grid(np.zeros((n, 1, 1)), (0, 1), gutter=0).shape == shape


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (28,), (0, 28, 28, 1), (3, 0, 4, 1)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"grid: images has shape") as error:
        viz.grid(np.zeros(shape), (0, 1))
    assert str(shape) in str(error.value) and ("NCHW" in str(error.value)) == (shape == (4, 1, 28, 28))


def test_images_are_not_changed(digits):
    digits[0, 0] = np.nan
    before = digits.copy()
    viz.grid(digits, (-1, 1))
    np.testing.assert_array_equal(digits, before)


def test_device_arrays_are_fetched(digits, backend, tmp_path):
    device = backend.asarray(digits)
    np.testing.assert_array_equal(viz.grid(device, (-1, 1)), viz.grid(digits, (-1, 1)))
    viz.save_grid(device, tmp_path / "a.png", (-1, 1))
    viz.save_grid(backend.asarray(np.zeros((9, 2))), tmp_path / "b.png", None)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


@pytest.mark.parametrize("n, side, scale", [(25, 28, 3), (64, 28, 2), (64, 64, 1), (1, 28, 8), (100, 128, 1)])
def test_a_saved_grid_is_scaled_to_a_comfortable_size(tmp_path, n, side, scale):
    images = np.random.default_rng(0).integers(0, 256, (n, side, side, 1), np.uint8)
    viz.save_grid(images, tmp_path / "a.png", None)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), viz.grid(images, None, scale=scale))


def test_points_make_a_scatter_plot(tmp_path):
    points = np.random.default_rng(0).normal(size=(50, 2))
    points[0] = np.nan
    viz.save_grid(points, tmp_path / "a.png", None, points_range=(-2, 2))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (480, 480)
        assert len(picture.convert("RGB").getcolors(100_000)) > 10


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, digits, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        viz.save_grid(digits, path, (-1, 1))
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_samples_draws_what_the_model_samples(digits):
    model = SimpleNamespace(value_range=(-1, 1), sample=lambda n: digits[:n])
    fig = viz.samples(model, 4)
    (image,) = fig.axes[0].get_images()
    np.testing.assert_array_equal(image.get_array(), viz.grid(digits[:4], (-1, 1), scale=8))
    fig.canvas.draw()
    plane = SimpleNamespace(value_range=None, sample=lambda n: np.arange(2.0 * n).reshape(n, 2))
    (dots,) = viz.samples(plane, 5).axes[0].collections
    np.testing.assert_array_equal(dots.get_offsets(), plane.sample(5))


@pytest.mark.parametrize("shape", [(3, 1), (3,), (3, 2), (3, 5), (3, 700), (3, 4, 4, 2), (3, 2, 4, 4, 1), (3, 1, 1, 1)])
@pytest.mark.parametrize("value", [0.5, np.nan])
def test_anything_can_be_drawn(tmp_path, shape, value):
    x = np.full(shape, value, np.float32)
    viz.save_grid(x, tmp_path / "a.png", None, (-1, 1))
    viz.samples(SimpleNamespace(value_range=None, sample=lambda n: x), 3).canvas.draw()
    with Image.open(tmp_path / "a.png") as picture:
        assert max(picture.size) <= 700


def test_a_large_picture_is_shrunk(tmp_path, monkeypatch):
    monkeypatch.setattr("tinygen.viz.images.LARGEST", 100)
    monkeypatch.setattr("tinygen.viz.images.COMFORTABLE", 1)
    viz.save_grid(np.zeros((4, 90, 60, 1)), tmp_path / "a.png", (-1, 1))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (2 * (30 + 2) + 2, 2 * (45 + 2) + 2)
        assert set(np.unique(picture)) == {GUTTER_GREY, 128}


def test_what_has_no_numbers_is_named():
    with pytest.raises(ValueError, match=r"grid: images has shape \(2, 2\) and dtype object"):
        viz.grid([["a", None], [1, 2]], (0, 1))


def test_drawing_needs_no_pyplot(tmp_path):
    code = """if True:
        import sys
        import numpy as np
        from tinygen import viz
        assert not {"matplotlib", "PIL"} & set(sys.modules), "a heavy import too early"
        viz.save_grid(np.zeros((4, 2)), sys.argv[1], None)
        viz.save_curves([{"step": 1, "loss": 2.0}], sys.argv[1])
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], check=True)
