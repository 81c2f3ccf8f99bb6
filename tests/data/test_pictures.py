"""A picture becomes the pixels that it shows, whatever its mode, depth and size, and never takes much memory."""

import contextlib
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from tinygen.data import load, pictures
from tinygen.errors import DataError

rng = np.random.default_rng(3)


def smooth(height=40, width=30, channels=3):
    """Smooth colours, different in every corner."""
    coarse = np.random.default_rng(0).integers(0, 256, (3, 3, channels), np.uint8).squeeze()
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def only(folder, **options):
    """The one picture in a folder, as whole numbers."""
    return load(f"folder:{folder}", **options).train[0].astype(int)


def png(x, interlaced=False):
    """A PNG of 16 bits by the specification, as Pillow writes none in colour: x (H, W, C), C 1 to 4."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", x.shape[1], x.shape[0], 16, {1: 0, 2: 4, 3: 2, 4: 6}[x.shape[2]], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in x)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(x, order):
    """An uncompressed TIFF of 16-bit colours x (H, W, 3), in a byte order, "<" or ">" (TIFF 6.0)."""
    h, w, c = x.shape
    data = x.astype(f"{order}u2").tobytes()
    bits = 8 + 2 + 12 * 9 + 4
    tags = [(256, w), (257, h), (258, bits), (259, 1), (262, 2), (273, bits + 6), (277, c), (278, h), (279, len(data))]
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, value in tags:
        out += struct.pack(f"{order}HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, value)
    return out + struct.pack(f"{order}I3H", 0, 16, 16, 16) + data


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_values_are_scaled_by_the_bits_that_they_have(tmp_path, bits, channels):
    x = rng.integers(0, 2**bits, (4, 4, 1))
    x[0, 0] = 2**bits - 1
    Image.fromarray(x[..., 0].astype(np.uint16)).save(tmp_path / "a.png")
    expected = np.rint(x * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(only(tmp_path, size=4, channels=channels), np.repeat(expected, channels, axis=2))


def test_deep_values_are_scaled_alike_in_a_whole_data_set(tmp_path):
    for name, value in (("a", 400), ("b", 4000), ("c", 0)):
        Image.fromarray(np.full((2, 2), value, np.uint16)).save(tmp_path / f"{name}.tif")
    Image.new("L", (2, 2), 77).save(tmp_path / "d.png")  # 8 bits stay as they are
    data = load(f"folder:{tmp_path}", size=2, channels=1)
    assert data.train[:, 0, 0, 0].tolist() == [25, 249, 0, 77]  # 255 / 4095 of them
    assert "3 images have more than 8 bits: 0 to 4,095 became 0 to 255" in str(data)


@pytest.mark.parametrize("write", [png, lambda x: tiff(x, "<"), lambda x: tiff(x, ">")], ids=["png", "II", "MM"])
@pytest.mark.parametrize("bits", [12, 16])
def test_deep_colours_keep_all_of_their_bits(tmp_path, write, bits):
    x = rng.integers(0, 2**bits, (5, 5, 3))
    x[0, 0] = 2**bits - 1
    (tmp_path / "a.tif").write_bytes(write(x))
    np.testing.assert_array_equal(only(tmp_path, size=5), np.rint(x * (255 / (2**bits - 1))))


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("opaque", [65_535, 4095])
def test_deep_colours_with_opacity_are_scaled_too(tmp_path, bits, opaque):
    top = 2**bits - 1
    opaque = max(opaque, top)
    x = rng.integers(0, top + 1, (5, 5, 4))
    x[..., 3] = np.where(np.eye(5), 0, opaque)
    x[0, 1, 0] = top
    x[2, 2] = 0, top, 0, opaque // 2  # half of green, half of white
    (tmp_path / "a.png").write_bytes(png(x))
    expected = np.where(np.eye(5)[..., np.newaxis], 255, np.rint(x[..., :3] * (255 / top)))
    expected[2, 2] = 128, 255, 128
    assert np.abs(only(tmp_path, size=5) - expected).max() <= 1
    clear = only(tmp_path, size=5, channels=4)
    assert np.abs(clear[..., 3] - np.rint(x[..., 3] * (255 / opaque))).max() <= 1


def test_deep_grey_with_opacity_is_read(tmp_path):
    x = rng.integers(0, 2**16, (5, 5, 2))
    x[..., 1] = 65_535
    (tmp_path / "a.png").write_bytes(png(x))
    np.testing.assert_array_equal(only(tmp_path, size=5), np.repeat(x[..., :1] >> 8, 3, axis=2))


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.float32([[0, 0.5], [1, 0.25]]), [0, 128, 255, 64]),
        (np.float32([[0, 127.6], [255, 3]]), [0, 128, 255, 3]),
        (np.float32([[-1, 0], [1, 0.5]]), [0, 128, 255, 191]),
        (np.float32([[7000, 7000], [7000, 7000]]), [0, 0, 0, 0]),
        (np.int32([[0, 2**20 - 1], [2**19, 2**18]]), [0, 255, 128, 64]),
        (np.int32([[-255, 0], [255, 127]]), [0, 128, 255, 191]),
        (np.int32([[0, 1], [2, 3]]), [0, 1, 2, 3]),
    ],
    ids=["unit", "bytes", "signed", "constant", "20 bits", "signed ints", "small"],
)
def test_floats_and_long_numbers_are_scaled_by_their_range(tmp_path, x, expected):
    Image.fromarray(x).save(tmp_path / "a.tiff")
    assert only(tmp_path, size=2, channels=1).ravel().tolist() == expected


def test_values_that_are_not_finite_leave_a_picture_out(tmp_path):
    Image.fromarray(np.float32([[0, np.nan]])).save(tmp_path / "a.tif")
    smooth().save(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"1 of 2 .* left out: 1 with values that are NaN or infinite \(a.tif\)"):
        load(f"folder:{tmp_path}")


def with_palette(mode):
    """A palette image with an opacity for each colour."""
    image = Image.new("P", (2, 2), 0)
    image.putpalette([255, 0, 0, 0, 0, 0, 255, 255] if mode == "RGBA" else [255, 0, 0, 0, 0, 255], mode)
    image.putdata([0, 1, 1, 0])
    return image


def test_palettes_show_their_colours_and_opacities(tmp_path):
    with_palette("RGB").save(tmp_path / "a.png")
    with_palette("RGBA").save(tmp_path / "b.png")
    opaque, clear = load(f"folder:{tmp_path}", size=2).train
    assert opaque.reshape(4, 3).tolist() == [[255, 0, 0], [0, 0, 255], [0, 0, 255], [255, 0, 0]]
    assert clear.reshape(4, 3).tolist() == [[255, 255, 255], [0, 0, 255], [0, 0, 255], [255, 255, 255]]


@pytest.mark.parametrize("top", [1000, 4095, 65_535])
def test_a_portable_grey_map_says_its_own_range(tmp_path, top):
    x = np.array([[0, top], [top // 4, top // 2]], ">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5 2 2 %d\n" % top + x.tobytes())
    assert np.abs(only(tmp_path, size=2, channels=1).ravel() - [0, 255, 64, 128]).max() <= 1


def test_opacity_is_a_channel_if_there_are_four(tmp_path):
    x = rng.integers(0, 256, (4, 4, 4), np.uint8)
    Image.fromarray(x).save(tmp_path / "a.png")
    Image.fromarray(x[..., :3]).save(tmp_path / "b.png")
    Image.fromarray(x[..., 0]).save(tmp_path / "c.png")
    clear, opaque, grey = load(f"folder:{tmp_path}", size=4, channels=4).train
    np.testing.assert_array_equal(clear, x)
    np.testing.assert_array_equal(opaque, np.dstack([x[..., :3], np.full((4, 4), 255)]))
    np.testing.assert_array_equal(grey, np.dstack([x[..., :1]] * 3 + [np.full((4, 4), 255)]))


@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (30, 7)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pad_keeps_all_and_adds_black(tmp_path, shape, channels):
    image = smooth(*shape)
    image.save(tmp_path / "a.png")
    data = load(f"folder:{tmp_path}", size=12, channels=channels, fit="pad")
    height, width = (max(1, round(side * 12 / max(shape))) for side in shape)
    top, left = (12 - height) // 2, (12 - width) // 2
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    small = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC).convert(mode))
    expected = np.zeros((12, 12, channels))
    expected[top : top + height, left : left + width] = small.reshape(height, width, -1)
    np.testing.assert_array_equal(data.train[0], expected)
    assert f"1 of 1 images are not square: black is added to them, up to {1 - min(shape) / max(shape):.0%}" in str(data)


def test_stretch_takes_all_of_a_picture(tmp_path):
    image = smooth(24, 16)
    image.save(tmp_path / "a.png")
    data = load(f"folder:{tmp_path}", size=12, fit="stretch")
    np.testing.assert_array_equal(data.train[0], np.asarray(image.resize((12, 12), Image.Resampling.BICUBIC)))
    assert "their longer side is shortened by up to 33% (a.png, 16x24)" in str(data)


def test_what_is_cropped_is_said_of_the_worst(tmp_path):
    for name, shape in {"a": (10, 10), "b": (10, 20), "c": (40, 10)}.items():
        smooth(*shape).save(tmp_path / f"{name}.png")
    note = "2 of 3 images are not square: cropping them to the middle cuts off up to 75% (c.png, 10x40); --fit pad or"
    assert note in str(load(f"folder:{tmp_path}"))
    for name in "bc":
        (tmp_path / f"{name}.png").unlink()
    assert load(f"folder:{tmp_path}").notes == ()


def test_of_pages_and_frames_the_first_is_taken_and_that_is_said(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "a.tif", save_all=True, append_images=[blue])
    red.save(tmp_path / "b.gif", save_all=True, append_images=[blue])
    red.save(tmp_path / "c.png", save_all=True, append_images=[blue])
    red.save(tmp_path / "d.webp", save_all=True, append_images=[blue], lossless=True)
    red.save(tmp_path / "e.tiff")
    with pytest.warns(UserWarning, match=r"only the first page is read of 1 TIFF file with several pages: a.tif$"):
        data = load(f"folder:{tmp_path}")
    assert (data.train == [255, 0, 0]).all() and len(data.train) == 5
    assert data.notes == ("only the first frame is read of 3 animations: b.gif, c.png, d.webp",)


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="this Pillow has no AVIF")
def test_avif_is_read(tmp_path):
    smooth(40, 40).save(tmp_path / "a.avif", quality=95)
    assert np.abs(only(tmp_path, size=40) - np.asarray(smooth(40, 40)).astype(int)).mean() < 3


def test_what_this_pillow_does_not_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FORMATS", ("PNG", "UNHEARD-OF"))
    smooth().save(tmp_path / "a.png")
    smooth().save(tmp_path / "b.bmp")
    suffixes = {".png": "PNG"}
    monkeypatch.setattr(Image, "registered_extensions", lambda: suffixes)
    with pytest.warns(UserWarning, match=r"1 of a kind that this Pillow can't read \(b.bmp\)"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("suffix", ["PNG", "Jpg", "TIF", "JPEG", "BMP"])
def test_the_content_counts_and_not_the_suffix(tmp_path, suffix):
    smooth(8, 8).save(tmp_path / f"a.{suffix}", format="PNG")
    np.testing.assert_array_equal(only(tmp_path, size=8), np.asarray(smooth(8, 8)))


def test_files_that_would_start_another_program_are_not_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    smooth().save(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"1 no picture, whatever the name says \(a.png\)"):
        load(f"folder:{tmp_path}")


def test_a_broken_exif_block_does_not_cost_the_picture(tmp_path):
    smooth(8, 8).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(only(tmp_path, size=8), np.asarray(smooth(8, 8)))


def test_a_turned_tiff_and_a_turned_pad(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    lying = smooth(8, 16)
    for name in ("a.tif", "b.png", "c.jpg"):
        lying.save(tmp_path / name, exif=exif, **({"quality": 100, "subsampling": 0} if name == "c.jpg" else {}))
    expected = np.zeros((16, 16, 3), int)
    expected[:, 4:12] = np.rot90(np.asarray(lying), -1)
    for image in load(f"folder:{tmp_path}", size=16, fit="pad").train:
        assert np.abs(image - expected).max() < 9


# Large pictures


@pytest.fixture
def decoded(monkeypatch):
    """Pictures are large from 1,000 pixels on; returns the sizes that Pillow decodes."""
    monkeypatch.setattr(pictures, "LARGE", 1000)
    monkeypatch.setattr(pictures, "BAND", 1000)
    sizes, decode = [], ImageFile.ImageFile.load

    def load_and_tell(self):
        if self.tile:
            sizes.append(self.size)
        return decode(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load_and_tell)
    return sizes


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("colours", ["smooth", "noise"])
def test_a_large_png_is_decoded_in_bands_and_looks_the_same(tmp_path, decoded, mode, colours):
    image = smooth(101, 87, 4)
    if colours == "noise":  # every filter that a PNG has
        image = Image.fromarray(np.asarray(image) // 2 + rng.integers(0, 128, (101, 87, 4), np.uint8))
    image.convert(mode).save(tmp_path / "a.png")
    banded = only(tmp_path, size=8)
    assert len(decoded) > 5 and max(width * height for width, height in decoded) < 1500
    with Image.open(tmp_path / "a.png") as opened:
        plain = Image.alpha_composite(Image.new("RGBA", opened.size, "white"), opened.convert("RGBA")).convert("RGB")
    expected = plain.resize((8, 8), Image.Resampling.BICUBIC, (0, 7, 87, 94))
    assert np.abs(banded - np.asarray(expected).astype(int)).max() <= (3 if colours == "smooth" else 12)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_png_is_turned_too(tmp_path, decoded, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = smooth(90, 90)
    image.save(tmp_path / "a.png", exif=exif)
    expected = np.rot90(np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC)), {1: 0, 3: 2, 6: -1}[orientation])
    assert np.abs(only(tmp_path, size=8) - expected).max() <= 3
    assert len(decoded) > 5


@pytest.mark.parametrize("suffix", ["bmp", "webp", "gif", "tif", "ppm"])
def test_other_large_pictures_shrink_in_bands_once_decoded(tmp_path, decoded, suffix):
    smooth(101, 87).save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    with Image.open(tmp_path / f"a.{suffix}") as opened:
        expected = opened.convert("RGB").resize((8, 8), Image.Resampling.BICUBIC, (0, 7, 87, 94))
    assert np.abs(only(tmp_path, size=8) - np.asarray(expected).astype(int)).max() <= 4


@pytest.mark.parametrize("write", [png, lambda x: tiff(x, "<")], ids=["png", "tiff"])
def test_large_deep_colours_keep_their_bits(tmp_path, decoded, write):
    x = np.asarray(smooth(60, 60)).astype(int) * 16
    x[0, 0] = 4095
    (tmp_path / "a.png").write_bytes(write(x))
    expected = np.asarray(smooth(60, 60).resize((8, 8), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(only(tmp_path, size=8) - expected).max() <= 4


@pytest.mark.parametrize("cut", [0.02, 0.5, 0.9, 0.999])
def test_a_large_png_that_is_cut_short_is_left_out(tmp_path, decoded, cut):
    Image.fromarray(rng.integers(0, 256, (100, 100, 3), np.uint8)).save(tmp_path / "a.png")
    raw = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(raw[: int(cut * len(raw))])
    with pytest.warns(UserWarning, match=r"1 broken or cut short \(b.png\)"):
        assert len(load(f"folder:{tmp_path}", size=8).train) == 1


def test_a_damaged_large_png_is_read_or_left_out(tmp_path, decoded):
    """Whatever its chunks contain, with correct checksums: no other error, and no more memory."""
    words, read = PngImagePlugin.PngInfo(), 0
    words.add_text("Comment", "a chunk that does not matter")
    smooth(60, 60).save(tmp_path / "a.png", pnginfo=words)
    raw = (tmp_path / "a.png").read_bytes()
    for place in [*range(8, 120), *rng.integers(120, len(raw), 20)]:
        damaged = bytearray(raw)
        damaged[place] ^= rng.integers(1, 256)
        (tmp_path / "a.png").write_bytes(with_checksums(bytes(damaged)))
        with contextlib.suppress(DataError):
            read += pictures.read_picture(tmp_path / "a.png", 8, 3, "crop").pixels.shape == (8, 8, 3)
    assert 20 < read < 120


def with_checksums(raw):
    """A PNG with well-formed chunks."""
    out, at = raw[:8], 8
    while at + 12 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        out += raw[at : at + 8 + length] + struct.pack(">I", zlib.crc32(raw[at + 4 : at + 8 + length]))
        at += 12 + length
    return out


def test_libtiff_is_silent(tmp_path, capfd):
    smooth(60, 60).save(tmp_path / "a.tif", compression="tiff_lzw")
    smooth().save(tmp_path / "b.tif")
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    raw[200:400] = rng.bytes(200)
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.warns(UserWarning, match=r"broken or cut short \(a.tif\)"):
        load(f"folder:{tmp_path}")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def test_what_can_not_shrink_while_it_is_decoded_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 10_000)
    for suffix in ("jpg", "bmp", "png"):
        smooth(200, 200).save(tmp_path / f"a.{suffix}")
    smooth(200, 200).save(tmp_path / "progressive.jpg", progressive=True)
    smooth(80, 80).save(tmp_path / "b.webp")  # takes three times as much memory
    smooth(80, 80).save(tmp_path / "b.png")
    too_large = r"4 of 6 .*: 4 too large to decode .* \(a.bmp, a.png, b.webp, progressive.jpg\)"
    with pytest.warns(UserWarning, match=too_large):
        assert len(load(f"folder:{tmp_path}", size=8).train) == 2  # the JPEG, at 25x25


def test_a_decompression_bomb_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow refuses twice as many
    smooth(90, 90).save(tmp_path / "a.png")
    smooth(20, 20).save(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"1 too large to decode \(a decompression bomb\?\) \(a.png\)"):
        load(f"folder:{tmp_path}")
