"""Folders of pictures: labelled, split, fitted to squares; what can't be read is left out, counted and named."""

import warnings

import numpy as np
import pytest
from PIL import Image

from tinygen.data import load
from tinygen.errors import ConfigError, DataError


def picture(height: int = 40, width: int = 30, seed: int = 0) -> Image.Image:
    """Smooth colours, different in every corner."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def square(image: Image.Image, size: int) -> np.ndarray:
    """What load should make of an image: its middle square, resized."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box)).astype(int)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "jpg", "jpeg", "gif", "PNG"])
@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (16, 16), (8, 13)])
def test_every_format_is_cropped_to_its_middle_and_resized(tmp_path, suffix, shape):
    path = tmp_path / f"a.{suffix}"
    picture(*shape).save(path)
    images = load(f"folder:{tmp_path}", size=16).train
    assert images.shape == (1, 16, 16, 3) and images.dtype == np.uint8
    with Image.open(path) as image:
        np.testing.assert_array_equal(images[0], square(image, 16))


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path):
    image = picture(1200, 900)
    image.save(tmp_path / "a.jpg", quality=95)
    read = load(f"folder:{tmp_path}", size=32).train[0]
    assert np.abs(read - square(image, 32)).max() < 12


def test_the_order_is_that_of_the_paths_and_a_tenth_is_drawn_for_testing(tmp_path):
    (tmp_path / "b").mkdir()
    for i in range(25):
        name = f"b/{i:02}.png" if i >= 20 else f"a{i:02}.png"
        Image.new("L", (4, 4), 10 * i).save(tmp_path / name)
    data, other = (load(f"folder:{tmp_path}", size=2, channels=1, seed=seed) for seed in (0, 1))
    train, test = (x[:, 0, 0, 0].tolist() for x in (data.train, data.test))
    assert len(test) == 2 and sorted(train + test) == [10 * i for i in range(25)]
    assert train == sorted(train) and test == sorted(test)
    assert load(f"folder:{tmp_path}", size=2, channels=1).fingerprint() == data.fingerprint() != other.fingerprint()
    assert data.name == f"folder:{tmp_path}" and data.shape == (2, 2, 1) and data.labels is None


@pytest.mark.parametrize(("count", "tests"), [(1, 0), (9, 0), (10, 1), (19, 1), (20, 2)])
def test_a_tenth_is_rounded_down(tmp_path, count, tests):
    for i in range(count):
        Image.new("L", (1, 1)).save(tmp_path / f"{i}.bmp")
    data = load(f"folder:{tmp_path}", size=1)
    assert (len(data.train), len(data.test)) == (count - tests, tests)


def test_hidden_files_and_other_files_are_not_looked_at(tmp_path):
    picture().save(tmp_path / "a.png")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._a.png").write_bytes(b"not a picture")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.png").write_bytes(b"not a picture")
    (tmp_path / "list_attr.txt").write_text("a.png 1 -1")
    assert len(load(f"folder:{tmp_path}").train) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_their_exif_data_says(tmp_path, orientation):
    upright = picture(40, 40)
    undo = {  # what a camera held so stores: the operation that Orientation tells a viewer to undo
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x),
        7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(undo(np.asarray(upright)))).save(tmp_path / "a.png", exif=exif)
    read = load(f"folder:{tmp_path}", size=40).train[0]
    np.testing.assert_array_equal(read, np.asarray(upright))


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    red.save(tmp_path / "b.webp", save_all=True, append_images=[blue], lossless=True)
    assert (load(f"folder:{tmp_path}", size=4).train == [255, 0, 0]).all()


def test_what_is_transparent_is_laid_on_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 2, 4))
    image.save(tmp_path / "a.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "b.png")
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "c.png", transparency=0)
    colour, grey, indexed = load(f"folder:{tmp_path}", size=4).train
    assert (colour[:, :2] == [255, 0, 0]).all() and (colour[:, 2:] == 255).all()
    assert (grey == 255).all() and (indexed == 255).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, channels):
    Image.fromarray(np.array([[0, 256], [32_768, 65_535]], np.uint16)).save(tmp_path / "a.png")
    read = load(f"folder:{tmp_path}", size=2, channels=channels).train[0]
    assert (read == np.array([[0, 1], [128, 255]])[..., np.newaxis]).all() and read.shape == (2, 2, channels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_colour_mode_is_read(tmp_path, mode):
    picture(16, 16).convert(mode).save(tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png"))
    assert load(f"folder:{tmp_path}", size=16).train.std() > 5


def test_a_file_that_pillow_only_warns_about_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # from here to twice as many, Pillow warns
    picture(12, 12).save(tmp_path / "a.png")
    assert len(load(f"folder:{tmp_path}").train) == 1


def test_grey_is_the_luma_of_the_colours(tmp_path):
    picture(16, 16).save(tmp_path / "a.png")
    read = load(f"folder:{tmp_path}", size=16, channels=1).train[0, ..., 0]
    luma = np.asarray(picture(16, 16)) @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(read - luma).max() <= 1


def damage(path, how):
    raw = path.read_bytes()
    path.write_bytes({"cut": raw[: len(raw) // 2], "empty": b"", "text": b"<html>404</html>"}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "text"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "gif"])
def test_broken_files_are_left_out_and_named(tmp_path, suffix, how):
    for i in range(4):
        picture(60, 60, seed=i).save(tmp_path / f"{i}.{suffix}")
    damage(tmp_path / f"2.{suffix}", how)
    with pytest.warns(UserWarning) as warned:
        images = load(f"folder:{tmp_path}", size=60).train
    reason = {"cut": "broken or cut short", "empty": "empty", "text": "no picture, whatever the name says"}[how]
    message = f"folder: 1 of 4 images in {tmp_path} are left out: 1 {reason} (2.{suffix})"
    assert [str(w.message) for w in warned] == [message]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (tmp_path / f"2.{suffix}").unlink()
    np.testing.assert_array_equal(images, load(f"folder:{tmp_path}", size=60).train)


def test_the_warning_counts_all_names_five_and_points_at_the_caller(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.png").write_bytes(b"")
    picture().save(tmp_path / "good.png")
    with pytest.warns(UserWarning, match=r"8 empty \(0.png, 1.png, 2.png, 3.png, 4.png and 3 more\)$") as warned:
        load(f"folder:{tmp_path}")
    assert warned[0].filename == __file__


def test_a_folder_of_broken_files_only_is_refused(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"none of the 3 images in .* can be read: 3 no picture.* \(0.jpg, 1"):
        load(f"folder:{tmp_path}")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not there; write folder:PATH"):
        load(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "file.png").touch()
    with pytest.raises(DataError, match=r"file.png is not a folder"):
        load(f"folder:{tmp_path / 'file.png'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images; their names end in .png, .*, .tga$"):
        load(f"folder:{tmp_path / 'empty'}")
    for name in ("a.heic", "b.HEIC", "c"):
        (tmp_path / "empty" / name).touch()
    with pytest.raises(DataError, match=r"; it holds 2 .heic, 1 without a suffix$"):
        load(f"folder:{tmp_path / 'empty'}")


def test_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "faces").mkdir()
    picture().save(tmp_path / "faces" / "a.png")
    assert load("folder:~/faces").shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("size", 0, "an int from 1 to 4,096"),
        ("size", 2.5, "an int from 1 to 4,096"),
        ("size", True, "an int from 1 to 4,096"),
        ("size", 4097, "an int from 1 to 4,096"),
        ("channels", 2, r"3 \(RGB\), 1 \(grey\) or 4"),
        ("channels", True, r"3 \(RGB\), 1"),
        ("channels", 3.0, r"3 \(RGB\), 1"),
        ("fit", "zoom", "one of crop, pad, stretch"),
        ("seed", -1, "an int of at least 0"),
    ],
)
def test_wrong_options_are_named(tmp_path, option, value, expected):
    with pytest.raises(ConfigError, match=f"folder: {option} is {value!r}, but it must be {expected}"):
        load(f"folder:{tmp_path}", **{option: value})
