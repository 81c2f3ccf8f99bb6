"""The pictures of a run, the calls that a callback gets, and the history."""

import numpy as np
import pytest
from train.tiny import Config, Stream, Tiny

from tinygen import viz as real_viz
from tinygen.data import Dataset
from tinygen.train import Callback, History, fit

EVERY = {"log_every": 4, "sample_every": 5, "checkpoint_every": 6}


class Diary(Callback):
    def __init__(self):
        self.calls = []

    def on_start(self, model, run, step):
        self.calls.append(("start", step))

    def on_step(self, step, metrics):
        self.calls.append(("step", step))
        assert metrics["loss"].shape == ()

    def on_log(self, step, values):
        self.calls.append(("log", step))
        assert isinstance(values["loss"], float)

    def on_checkpoint(self, step, history):
        self.calls.append(("checkpoint", step))

    def on_end(self, history):
        self.calls.append(("end", history.steps))


def test_the_order_of_the_calls():
    diary = Diary()
    fit(Tiny(), Stream(), 6, callbacks=[diary], log_every=2, checkpoint_every=3)
    assert diary.calls == [
        ("start", 0), ("checkpoint", 0),
        ("step", 1), ("log", 1), ("step", 2), ("log", 2), ("step", 3), ("checkpoint", 3),
        ("step", 4), ("log", 4), ("step", 5), ("step", 6), ("log", 6), ("checkpoint", 6), ("end", 6),
    ]  # fmt: skip


def test_a_callback_that_overrides_nothing_is_fine():
    fit(Tiny(), Stream(), 3, callbacks=[Callback()])


def test_pictures_come_on_time_with_the_same_noise(tmp_path, viz):
    fit(Tiny(), Stream(), 12, out=tmp_path, **EVERY)
    names = [name for name, *_ in viz.drawn]
    assert names == [
        "step_000000.png", "step_000005.png", "curves.png", "step_000010.png", "curves.png",
        "step_000012.png", "curves.png", "training.gif",
    ]  # fmt: skip
    pictures = [(images, *ranges) for name, images, *ranges in viz.drawn if name.startswith("step")]
    shades = [images - images.mean() for images, *_ in pictures]
    for shade in shades[1:]:
        np.testing.assert_allclose(shade, shades[0], atol=1e-6)
    assert pictures[0][0].shape == (25, 4, 4, 1) and pictures[0][1:] == ((-1.0, 1.0), None)
    assert viz.drawn[-1][1] == [f"step_{step:06d}.png" for step in (0, 5, 10, 12)]
    assert [row["step"] for row in viz.drawn[-2][1]] == [1, 4, 8, 12]


def test_looking_changes_nothing(tmp_path, viz):
    models = Tiny(), Tiny()
    fit(models[0], Stream(), 12)
    fit(models[1], Stream(), 12, out=tmp_path, log_every=1, sample_every=1, checkpoint_every=1)
    np.testing.assert_array_equal(models[0].w, models[1].w)
    assert models[0].noise.state == models[1].noise.state


class InColumns(Tiny):
    columns = 3


def test_a_model_can_say_how_many_columns_its_pictures_have(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(real_viz, "save_grid", lambda images, *_: drawn.append((len(images), _[-1])) or _[0].touch())
    monkeypatch.setattr(real_viz, "save_gif", lambda *_: None)
    fit(InColumns(), Stream(), 1, out=tmp_path, **EVERY)
    assert drawn == [(9, 3), (9, 3)]


class Points(Tiny):
    value_range = None


def test_points_are_drawn_in_one_frame_for_the_whole_run(tmp_path, viz):
    fit(Points(Config(data_shape=(2,), size=2)), Stream((2,)), 12, out=tmp_path, **EVERY)
    pictures = [drawn[1:] for drawn in viz.drawn if drawn[0].startswith("step")]
    assert all(points.shape == (1000, 2) and value_range is None for points, value_range, _ in pictures)
    low, high = pictures[0][2]
    reach = float(np.abs(Stream((2,)).next_batch()).max())
    assert low == -high and reach < high < 1.3 * reach
    assert {frame for *_, frame in pictures} == {(low, high)}


def test_the_pictures_of_points_with_labels(tmp_path, viz):
    batch = (np.zeros((4, 2), np.float32), np.zeros(4, np.int64))

    class Labelled(Points):
        def train_step(self, batch):
            return super().train_step(batch[0])

    fit(Labelled(Config(data_shape=(2,), size=2)), [batch], 1, out=tmp_path)
    assert viz.drawn[0][3] == (-1.0, 1.0)


def test_real_pictures(tmp_path):
    from PIL import Image

    fit(Tiny(), Stream(), 12, out=tmp_path, **EVERY)
    with Image.open(tmp_path / "training.gif") as film, Image.open(tmp_path / "samples" / "step_000012.png") as last:
        assert film.n_frames == 4 and film.size == last.size
    with Image.open(tmp_path / "curves.png") as curves:
        assert curves.width > 300


def test_a_disk_that_is_full_when_a_picture_comes(tmp_path, viz, monkeypatch):
    from tinygen.errors import RunError

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(viz, "save_curves", full)
    with pytest.raises(RunError, match=r"can't write .*curves.png: No space left on device; free some space"):
        fit(Tiny(), Stream(), 12, out=tmp_path, **EVERY)


def test_history():
    history = History([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25, "acc": 1.0}], 2)
    assert (history["step"], history["loss"], history["acc"]) == ([1, 2], [0.5, 0.25], [1.0])


def test_viz_has_what_is_called():
    assert all(callable(getattr(real_viz, name)) for name in ("save_grid", "save_curves", "save_gif"))


class Drawn(Tiny):
    def drawings(self):
        return ("latent_plane",)


def drawn_of(viz, monkeypatch):
    """What fit asks viz to draw of latents, as it comes."""
    seen = []

    def save_drawing(name, model, x, labels, path):
        seen.append((path.name, x, labels))
        path.write_bytes(b"")

    monkeypatch.setattr(viz, "save_drawing", save_drawing, raising=False)
    return seen


def test_what_a_model_can_have_drawn_comes_with_the_checkpoints(tmp_path, viz, monkeypatch):
    seen = drawn_of(viz, monkeypatch)
    fit(Drawn(), Stream(), 12, out=tmp_path, **EVERY)
    assert [name for name, *_ in seen] == ["latent_plane.png"] * 2
    np.testing.assert_array_equal(seen[0][1], Stream().next_batch())
    assert seen[0][2] is None and (tmp_path / "latent_plane.png").exists()


@pytest.mark.parametrize("tests", [6, 0])
def test_drawings_are_of_the_test_examples_of_a_dataset(tmp_path, viz, monkeypatch, tests):
    images = np.arange(20, dtype=np.uint8).repeat(16).reshape(20, 4, 4, 1)
    data = Dataset("own", images, images[:tests] + 100, np.arange(20), np.arange(tests) + 50)
    seen = drawn_of(viz, monkeypatch)
    for given, out in ((data, "a"), (Stream(), "b")):
        fit(Drawn(), given, 6, out=tmp_path / out, dataset=data, **EVERY)
        (_, x, labels), first = seen.pop(), 100 if tests else 0
        np.testing.assert_allclose((x[:, 0, 0, 0] + 1) * 127.5, np.arange(tests or 20) + first, atol=1e-3)
        np.testing.assert_array_equal(labels, np.arange(tests) + 50 if tests else np.arange(20))
