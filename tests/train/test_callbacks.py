"""The pictures of a run, the calls that a callback gets, and the history."""

import sys

import numpy as np
import pytest
from train.tiny import Config, Stream, Tiny

from tinygen import viz as real_viz
from tinygen.data import Dataset
from tinygen.errors import ConfigError
from tinygen.tensor import tensor
from tinygen.train import Callback, History, RunDirectory, fit

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
        "step_000012.png", "training.gif",
    ]  # fmt: skip
    pictures = [(images, *ranges) for name, images, *ranges in viz.drawn if name.startswith("step")]
    shades = [images - images.mean() for images, *_ in pictures]
    for shade in shades[1:]:
        np.testing.assert_allclose(shade, shades[0], atol=1e-6)
    assert pictures[0][0].shape == (25, 4, 4, 1) and pictures[0][1:] == ((-1.0, 1.0), None)
    assert viz.drawn[-1][1] == [f"step_{step:06d}.png" for step in (0, 5, 10, 12)]
    assert [row["step"] for row in viz.drawn[-3][1]] == [1, 4, 8, 12]


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
    monkeypatch.setattr(real_viz, "save_grid", lambda images, *_: drawn.append((len(images), _[3])) or _[0].touch())
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
        takes_labels = True

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
    """The drawings of latents that fit asks viz for, in order."""
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


class Fails(Callback):
    """It raises in one of its hooks, from step 3 on."""

    def __init__(self, hook, error=None):
        setattr(self, hook, self.fail)
        self.error = error or ZeroDivisionError("division by zero")

    def fail(self, step, *_):
        if getattr(step, "steps", step) >= 3:
            raise self.error


@pytest.mark.parametrize("hook", ["on_step", "on_log", "on_checkpoint", "on_end"])
def test_a_callback_that_fails_costs_no_step(tmp_path, viz, hook):
    diary, straight, model = Diary(), Tiny(), Tiny()
    every = {"log_every": 3, "sample_every": 100, "checkpoint_every": 3}
    with pytest.raises(ZeroDivisionError):
        fit(Tiny(), Stream(), 3, out=tmp_path, callbacks=[Fails(hook), diary], **every)
    assert diary.calls[-1][1] == 3  # the others are called
    assert list(RunDirectory(tmp_path).checkpoints()) == [0, 3]
    fit(straight, Stream(), 9)
    fit(model, Stream(), 9, out=tmp_path, resume=True)
    np.testing.assert_array_equal(model.w, straight.w)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
@pytest.mark.parametrize("hook", ["on_start", "on_step", "on_log", "on_checkpoint", "on_end"])
def test_the_error_names_the_callback(hook):
    fails = Fails(hook)
    setattr(fails, hook, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        fit(Tiny(), Stream(), 3, callbacks=[fails])
    assert caught.value.__notes__[0].startswith(f"raised by the callback Fails in {hook}(), step ")


def test_a_failing_callback_is_told_where_the_run_is(tmp_path, viz, capsys):
    with pytest.raises(ZeroDivisionError):
        fit(Tiny(), Stream(), 9, out=tmp_path, callbacks=[Fails("on_step")], checkpoint_every=100)
    assert f"stopped after step 3 of 9; resume from step 3 with --resume --out {tmp_path}" in capsys.readouterr().out


def test_functions_are_callbacks():
    seen = []
    history = fit(Tiny(), Stream(), 3, callbacks=[lambda step, metrics: seen.append((step, metrics["loss"].item()))])
    assert [step for step, _ in seen] == [1, 2, 3] and seen[0][1] == history["loss"][0]
    history = fit(Tiny(), Stream(), 3, callbacks=[lambda step, metrics: {"twice": np.float32(2 * step)}])
    assert history["twice"] == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([History], r"a callback is <class .*History'>, but it must be .*; did you mean History\(\.\.\.\)\?"),
        ([None], "a callback is None, but it must be a tinygen.train.Callback or a function"),
        (["loss"], "a callback is 'loss'"),
        (Callback(), r"callbacks is Callback\(\), but it must be a list of them: \[Callback\(\.\.\.\)\]"),
        (print, r"but it must be a list of them: \[print\]"),
    ],
)
def test_what_is_no_callback(callbacks, message):
    with pytest.raises(ConfigError, match=message):
        fit(Tiny(), Stream(), 1, callbacks=callbacks)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (3.0, r"Own.on_step returned 3.0, but it must return numbers by name"),
        ({"x": [1, 2]}, r"Own.on_step returned \[1, 2\] as 'x', but it must be a single number; give it more names"),
        ({"step": 3}, "Own.on_step returned a value under the name 'step', which is the number of the step"),
    ],
)
def test_what_a_callback_measures_must_be_numbers_by_name(returned, message):
    class Own(Callback):
        def on_step(self, step, metrics):
            return returned

    with pytest.raises(ConfigError, match=message):
        fit(Tiny(), Stream(), 1, callbacks=[Own()])


class Keeps(Callback):
    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.loaded = state


def test_the_state_of_a_callback_may_hold_numpys_numbers(tmp_path, viz):
    state = {
        "float": np.float32(0.5), "int": np.int64(3), "bool": np.bool_(True), "none": None,
        "nested": {"a": [np.float64(2)]},
        "array": np.arange(3), "0-d": np.asarray(1.5), "tensor": tensor([1.0, 2.0]), "nan": np.float32("nan"),
    }  # fmt: skip
    fit(Tiny(), Stream(), 2, out=tmp_path, callbacks=[Keeps(state)])
    keeps = Keeps({"other": 1})
    fit(Tiny(), Stream(), 3, out=tmp_path, callbacks=[keeps], resume=True)
    loaded = keeps.loaded
    assert (loaded["float"], loaded["int"], loaded["bool"], loaded["none"]) == (0.5, 3, True, None)
    assert loaded["nested"] == {"a": [2.0]} and loaded["0-d"].shape == () and np.isnan(loaded["nan"])
    np.testing.assert_array_equal(loaded["array"], np.arange(3))
    np.testing.assert_array_equal(loaded["tensor"], [1, 2])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {1, 2}}, r"the state of the callback Keeps\['a'\] holds \{1, 2\}, which can't be saved"),
        ({"a": {"b": [np.zeros(2)]}}, r"Keeps\['a'\]\['b'\] holds array\(\[0., 0.\]\), which can't be saved"),
        ({"a": {1: 2}}, r"Keeps\['a'\] has the key 1, but JSON takes only text as keys"),
        ({"a": 1j}, "holds 1j"),
    ],
)
def test_a_state_that_no_checkpoint_can_hold_is_told_before_step_1(tmp_path, viz, state, message):
    with pytest.raises(ConfigError, match=message):
        fit(Tiny(), Stream(), 2, out=tmp_path, callbacks=[Keeps(state)])
    fit(Tiny(), Stream(), 2, out=tmp_path)  # nothing stands in the way


def test_callbacks_of_one_name_have_states_of_their_own(tmp_path, viz):
    other = type("Keeps", (Keeps,), {})
    fit(Tiny(), Stream(), 2, out=tmp_path, callbacks=[Keeps({"x": 1}), other({"x": np.ones(2)})])
    again = [Keeps({"x": 0}), other({"x": 0})]
    fit(Tiny(), Stream(), 3, out=tmp_path, callbacks=again, resume=True)
    assert again[0].loaded == {"x": 1} and again[1].loaded["x"].tolist() == [1, 1]


class Silent(Tiny):
    def preview(self, batch, n, rng):
        raise NotImplementedError


def test_a_model_that_makes_no_samples_has_no_pictures(tmp_path, capsys):
    fit(Silent(), Stream(), 3, out=tmp_path)
    assert (tmp_path / "curves.png").exists() and not (tmp_path / "training.gif").exists()
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "no pictures of samples: tiny has no sample()",
        f"open {tmp_path / 'curves.png'}",
    ]
