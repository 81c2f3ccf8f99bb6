"""`tinygen translate`: images in files become images in files, or one line says why not."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from tinygen import ops
from tinygen.cli import main
from tinygen.layers import Dense
from tinygen.models import MODELS, Model, ModelConfig
from tinygen.models.networks import make_optimizer
from tinygen.models.steps import Loss, Step
from tinygen.random import Generator


@dataclass(frozen=True)
class Config(ModelConfig):
    grows: bool = True


class Twice(Model):
    """Makes images twice as large and inverts them, or adds a shade to those of the one size that it takes."""

    name, Config, value_range = "twice", Config, (-1.0, 1.0)
    defaults: ClassVar = {"data": "digits", "steps": 1, "batch": 2}

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.shade = Dense(1, 1, rng=Generator(0))
        self.opt = make_optimizer(self.config, self.shade.parameters())

    def steps(self, batch):
        return [Step("loss", lambda: Loss(ops.mean(self.shade(batch) ** 2)), {"shade": self.shade}, self.opt)]

    @property
    def accepts(self):
        return (None, None, 1) if self.config.grows else self.data_shape

    def translate(self, x, direction="down", mask=None):
        if not self.config.grows:
            return np.where(mask, 1.0, x).astype(np.float32)
        return -ops.upsample_nearest(x, 2) if direction == "down" else ops.upsample_nearest(x, 2)


class Other(Twice):
    name = "other"
    translate = Model.translate


@pytest.fixture(autouse=True)
def in_a_fresh_folder(monkeypatch, tmp_path):
    for kind in (Twice, Other):
        monkeypatch.setitem(MODELS, kind.name, kind)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    def run(line):
        code = main(line.split())
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def trained(run):
    """A run that takes grey images of any size."""
    assert run("train twice --steps 1 --batch 2 --record none --out run").code == 0


def picture(path, shape=(3, 5), mode="L", seed=0):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    x = np.random.default_rng(seed).integers(0, 256, (*shape, *channels)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(path)
    return x


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def refused(result, message):
    assert (result.code, result.err) == (2, f"tinygen: error: {message}\n")


def twice(x):
    return x.repeat(2, 0).repeat(2, 1)


def test_each_picture_is_translated_to_the_last_bit_and_shown_beside_its_result(run, trained, tmp_path):
    x = picture(tmp_path / "x.png")
    assert run("translate run x.png").out == "1 image by twice: run/translated\n"
    np.testing.assert_array_equal(pixels(tmp_path / "run/translated/x.png"), 255 - twice(x))
    sheet = pixels(tmp_path / "run/translated/translated.png")  # two tiles of 6x10, 8 times as large, 2 pixels apart
    assert sheet.shape == (2 + 48 + 2, 2 + 80 + 2 + 80 + 2)
    np.testing.assert_array_equal(sheet[2:50:8, 2:82:8], twice(x))
    np.testing.assert_array_equal(sheet[2:50:8, 84:164:8], 255 - twice(x))
    assert run("translate run x.png --direction up --out up").code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "up/x.png"), twice(x))


def test_folders_sizes_and_names_that_are_taken(run, trained, tmp_path):
    sizes = {"a/x.png": (2, 2), "a/b/x.bmp": (4, 3), "translated.png": (1, 2)}
    made = {name: picture(tmp_path / name, size, seed=i) for i, (name, size) in enumerate(sizes.items())}
    assert run("translate run a translated.png --out made").out == "3 images by twice: made\n"
    names = {"x.png": "a/b/x.bmp", "x-2.png": "a/x.png", "translated-2.png": "translated.png"}
    for name, source in names.items():
        np.testing.assert_array_equal(pixels(tmp_path / "made" / name), 255 - twice(made[source]))
    assert {file.name for file in (tmp_path / "made").iterdir()} == {*names, "translated.png"}


def test_a_picture_that_is_grey_in_colours_is_grey(run, trained, tmp_path):
    x = picture(tmp_path / "x.png")
    Image.fromarray(np.dstack([x] * 3)).save(tmp_path / "rgb.png")
    Image.fromarray(np.full((2, 2), 4095, np.uint16)).save(tmp_path / "deep.png")  # of 12 bits
    assert run("translate run rgb.png deep.png --out made").code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "made/rgb.png"), 255 - twice(x))
    np.testing.assert_array_equal(pixels(tmp_path / "made/deep.png"), np.zeros((4, 4)))


def test_a_mask_is_true_where_it_is_white(run, tmp_path):
    assert run("train twice --steps 1 --batch 2 --record none --out run --set grows=false").code == 0
    x = picture(tmp_path / "x.png", (28, 28))
    Image.fromarray(np.arange(28 * 28).reshape(28, 28).astype(np.uint8)).save(tmp_path / "mask.png")
    assert run("translate run x.png --mask mask.png --out made").code == 0
    np.testing.assert_array_equal(
        pixels(tmp_path / "made/x.png"), np.where(pixels(tmp_path / "mask.png") > 127, 255, x)
    )
    picture(tmp_path / "small.png", (7, 28))
    takes = "the picture is 7x28 (height x width), but twice of this run takes 28x28"
    refused(run("translate run small.png"), f"small.png: {takes}; --fit crop, pad or stretch makes it fit")
    mask = np.where(pixels(tmp_path / "mask.png") > 127, 255, 90)
    Image.fromarray(np.full((40, 60), 90, np.uint8)).save(tmp_path / "wide.png")
    assert run("translate run wide.png --mask mask.png --fit crop --out made").code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "made/wide.png"), mask)
    Image.fromarray(np.tile(np.where(np.arange(40) < 20, 255, 0).astype(np.uint8), (28, 1))).save(tmp_path / "half.png")
    assert run("translate run wide.png --mask half.png --fit crop --out fitted").code == 0
    half = pixels(tmp_path / "fitted/wide.png")
    assert (half[:, :14] == 255).all() and (half[:, 14:] == 90).all(), "the mask is cropped as the image is"
    refused(run("translate run x.png --mask small.png"), "--mask small.png: it is 7x28, but x.png is 28x28")


def test_what_can_t_be_translated_is_refused_in_one_line(run, trained, tmp_path):
    picture(tmp_path / "x.png", mode="RGB")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    refused(run("translate run x.png"), "x.png: the picture has colours, but twice of this run takes grey ones")
    refused(run("translate run text.png"), "text.png: no picture, whatever the name says")
    refused(run("translate run there.png"), "there.png: there is no such file")
    refused(run("translate run empty"), "empty: the folder holds no images")
    refused(run("translate run x.png --mask there.png"), "there.png: there is no such file")
    refused(run("translate no x.png"), run("sample no").err.removeprefix("tinygen: error: ").rstrip())
    assert "can't write there/made: No such file or directory" in run("translate run x.png --out there/made").err
    assert not (tmp_path / "run/translated").exists()


def test_a_model_that_maps_no_images_and_options_that_it_does_not_take(run, tmp_path):
    picture(tmp_path / "x.png")
    assert run("train other --steps 1 --batch 2 --record none --out other").code == 0
    refused(run("translate other x.png"), "other makes no images from images; see tinygen sample other")
    refused(run("sample other"), "other makes no images from noise; write a sample()")
    assert run("train twice --steps 1 --batch 2 --record none --out run").code == 0
    refused(run("sample run"), "twice makes no images from noise; see tinygen translate run")


def test_an_option_that_the_model_does_not_take_is_refused(run, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(Twice, "translate", lambda self, x: x)
    picture(tmp_path / "x.png")
    refused(run("translate run x.png --direction up"), "--direction up: twice takes no direction; leave the option out")
    refused(run("translate run x.png --mask x.png"), "--mask x.png: twice takes no mask; leave the option out")
