"""The Recorder: it changes nothing, is bounded in memory and in time, and resumes with its run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import standin
from equal import assert_equal_arrays
from inside.test_observer import toy, trained
from models.small import IMAGE, SAMPLING, SENTENCES, data_for, shape_for, small

import tinygen as tg
from tinygen.backend import to_host
from tinygen.errors import ConfigError, RunError
from tinygen.inside import Recorder, Recording, budget
from tinygen.inside.budget import Budget
from tinygen.inside.recording import eight_bits, image_bytes
from tinygen.models import MODELS
from tinygen.random import Generator
from tinygen.train import Callback, fit
from tinygen.train.batches import loader_for

ALL = pytest.mark.parametrize("name", MODELS)
ANY = 1e9  # a share of the time that is never used up


def run(name, steps, *callbacks, **options):
    """A small model, trained by fit."""
    model, data = small(name), data_for(name)
    loader = loader_for(model, data.train, 4, Generator(0, "loader", "cpu"), data.labels, other=data.other)
    fit(model, loader, steps, callbacks=callbacks, checkpoint_every=2, log_every=3, sample_every=100, **options)
    return model


def state(model):
    arrays = {n: to_host(a).copy() for n, a in model.state_dict().items()}
    return arrays, {n: g.state for n, g in model.generators().items()}


# It changes nothing


@ALL
@pytest.mark.families(everywhere=True)
def test_it_never_changes_the_run(backend, name):
    """Weights, buffers, optimisers and streams to the bit, with every step recorded."""
    (blind, streams), (watched, its) = state(run(name, 5)), state(run(name, 5, Recorder(data_for(name), 1, ANY)))
    assert_equal_arrays(blind, watched)
    assert streams == its


@ALL
@pytest.mark.families(everywhere=True)
def test_a_resumed_run_ends_with_the_same_bits_and_the_same_recording(name, tmp_path, viz):
    """Stopped off the schedule, at step 5, which an uninterrupted run does not record."""
    blind = state(run(name, 8))[0]
    run(name, 8, Recorder(data_for(name), 4, ANY), out=tmp_path / "whole")
    run(name, 5, Recorder(data_for(name), 4, ANY), out=tmp_path / "parts")
    assert Recording.load(tmp_path / "parts").steps.tolist() == [0, 1, 2, 4, 5]
    resumed = run(name, 8, Recorder(data_for(name), 4, ANY), out=tmp_path / "parts", resume=True)
    assert_equal_arrays(state(resumed)[0], blind)
    whole, parts = (Recording.load(tmp_path / part) for part in ("whole", "parts"))
    assert whole.steps.tolist() == [0, 1, 2, 4, 8]
    assert_equal_arrays(whole.arrays, parts.arrays)
    assert whole.facts == parts.facts


def test_a_run_that_is_resumed_after_every_has_doubled(tmp_path, viz):
    run("gan", 70, Recorder(toy(), 1, ANY), out=tmp_path / "whole")
    for steps in (66, 70):
        run("gan", steps, Recorder(toy(), 1, ANY), out=tmp_path / "parts", resume=steps == 70)
    whole, parts = (Recording.load(tmp_path / part) for part in ("whole", "parts"))
    assert whole.steps.tolist() == [0, 1, *range(2, 71, 2)]
    assert_equal_arrays(whole.arrays, parts.arrays)


@pytest.mark.parametrize("name", ["gan", "dcgan", "vae"])
def test_between_looks_nothing_waits(gpu, name):
    model, recorder, data = small(name), Recorder(toy(), 8, ANY), toy()
    loader = loader_for(model, data.train, 4, Generator(0, "loader", "cpu"))
    recorder.on_start(model, None, 0)
    for step in range(1, 9):
        batch = loader.next_batch()
        if step in (1, 2, 4, 8):
            recorder.on_step(step, model.train_step(batch))
        else:
            with standin.count_syncs() as syncs, standin.capturing():
                recorder.on_step(step, model.train_step(batch))
            assert syncs.count == 0, syncs
    assert recorder.recording().steps.tolist() == [0, 1, 2, 4, 8]


# When


class Walk(Callback):
    """Keeps the weights of G's first layer after each step."""

    def _now(self, model):
        return np.concatenate([p.numpy().ravel() for p in model.G[0].parameters()])

    def on_start(self, model, run, step):
        self._model, self.weights = model, [self._now(model)]

    def on_step(self, step, metrics):
        self.weights.append(self._now(self._model))


def test_logarithmic_then_even_steps_and_the_last():
    recorder = Recorder(toy(), 8, ANY)
    run("gan", 29, recorder)
    assert recorder.recording().steps.tolist() == [0, 1, 2, 4, 8, 16, 24, 29]


def test_how_far_each_step_goes():
    recorder, walk = Recorder(toy(), 4, ANY), Walk()
    run("gan", 9, walk, recorder)
    recording = recorder.recording()
    (place,) = [i for i, x in enumerate(recording.facts["layers"]) if (x["network"], x["name"]) == ("G", "0")]
    ratios = recording["update_ratio"][:, place]
    for step, ratio in zip(recording.steps[1:-1], ratios[1:-1], strict=True):
        moved = np.linalg.norm(walk.weights[step] - walk.weights[step - 1]) / np.linalg.norm(walk.weights[step])
        assert ratio == pytest.approx(moved, rel=1e-3), step
    assert np.isnan(ratios[[0, -1]]).all()


def test_memory_is_bounded():
    recorder = Recorder(toy((2,)), 1, ANY)
    model = trained("gan", 0, data_shape=(2,))
    recorder.on_start(model, None, 0)
    for step in range(1, 300):
        recorder.on_step(step, {})
        assert len(recorder._rows) <= 64
    steps = recorder.recording().steps
    assert steps.tolist() == [0, 1, 2, 4, *range(8, 300, 8)]
    assert recorder.state_dict()["every"] == 8


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves by hand."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


@pytest.mark.parametrize(("cost", "step_time"), [(0.1, 0.1), (2.0, 0.5), (0.01, 0.1)])
def test_time_is_bounded(clock, cost, step_time):
    """If recording costs as much as a step, or several, it is as rare as 5% demands; else it is on schedule."""
    recorder = Recorder(toy(), 4)
    recorder.on_start(small("gan"), None, 0)
    observer = recorder._observer

    def slow():
        clock.now += cost
        return observer()

    slow.missing = observer.missing
    recorder._observer, shares = slow, []
    for step in range(1, 801):
        clock.now += step_time
        recorder.on_step(step, {})
        shares.append(recorder._budget.spent / (step * step_time))
    assert clock.now == pytest.approx(800 * step_time + recorder._budget.spent)
    assert recorder._budget.trained == pytest.approx(800 * step_time)
    if cost < step_time:
        assert len(recorder.recording().steps) >= 32 and shares[-1] < 0.05
    else:
        kept = budget.RESERVE * cost / (800 * step_time)  # is left for the end
        assert 0.04 < shares[-1] + kept <= 0.05 + 1e-9 or recorder._budget.spent <= 0.5
        assert max(share for i, share in enumerate(shares) if i * step_time > 60) <= 0.05
    assert 0 in recorder.recording().steps


def test_the_first_half_second_is_an_advance(clock):
    spender = Budget(0.05)
    with spender.spending():
        clock.now += 100  # before start(): what loads then is not counted
    spender.start()
    allowed = []
    for _ in range(8):
        allowed.append(spender.allows_more())
        if allowed[-1]:
            with spender.spending():
                clock.now += 0.2
        clock.now += 0.1
    assert allowed == [True, True] + [False] * 6
    clock.now += 12.1  # enough for another, but not for the last one and the file
    assert not spender.allows_more()
    clock.now += 8
    assert spender.allows_more()


def test_the_share_is_printed(tmp_path, viz, capsys):
    run("gan", 4, Recorder(toy(), 2, ANY), out=tmp_path)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("recorded")]
    assert line.startswith(f"recorded 4 steps in {tmp_path / 'recording.safetensors'}, 0.0 MB: that took ")
    assert line.endswith("% of the training time")
    run("gan", 4, Recorder(toy(), 2, ANY))
    assert "recorded 4 steps: that took" in capsys.readouterr().out


def test_no_share_is_printed_if_nothing_was_left_to_train(tmp_path, viz, capsys):
    for resume in (False, True):
        capsys.readouterr()
        run("gan", 4, Recorder(toy(), 2, ANY), out=tmp_path, resume=resume)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("recorded")]
    assert line == f"recorded 4 steps in {tmp_path / 'recording.safetensors'}, 0.0 MB"


# The file


@ALL
def test_what_is_in_the_file(name, tmp_path, viz):
    recorder = Recorder(data_for(name), 2, ANY)
    model = run(name, 4, recorder, out=tmp_path)
    recording = Recording.load(tmp_path)
    assert_equal_arrays(recording.arrays, recorder.recording().arrays)
    facts, T, L = recording.facts, 4, len(recording.facts["layers"])
    assert (facts["model"], facts["data"], facts["data_shape"]) == (name, "toy", list(shape_for(name, IMAGE)))
    assert facts["config"] == json.loads(json.dumps(recorder._facts["config"]))
    ends = facts["value_range"]
    assert (None if ends is None else tuple(ends)) == model.value_range and facts["shown"] == 16
    rows = [f"{layer['network']}.{layer['name']} {layer['title']}" for layer in facts["layers"]]
    others = ("_mean.", "pool_")  # which don't learn
    assert rows == [row for row, _, _ in model.summary_rows()[1:-3] if not any(other in row for other in others)]
    assert all(layer["shape"] for layer in facts["layers"])
    if name in SAMPLING:
        assert recording["samples"].shape == (T, 16, *shape_for(name, IMAGE))
        assert recording["samples"].dtype == (np.int32 if name in SENTENCES else np.uint8)
    for signal in ("activation_norm", "activation_zeros", "gradient_norm", "gradient_zeros", "weight_norm"):
        assert recording[signal].shape == (T, L) and recording[signal].dtype == np.float32
    assert np.isfinite(recording["gradient_norm"]).all()
    assert {x.dtype.name for x in recording.arrays.values()} <= {
        *("float32", "float16", "uint8", "int8", "int32", "int64")
    }


def test_a_default_run_is_small():
    """A GAN of digits and a DCGAN keep 64 steps in about 2 MB."""
    for name in ("gan", "dcgan"):
        recorder = Recorder(tg.data.load("digits"), 16, ANY)
        recorder.on_start(small(name, data_shape=(28, 28, 1)), None, 0)
        row = sum(x.nbytes for x in recorder._rows[0].values())
        assert 64 * row < 2.5e6


def test_a_kill_while_writing_leaves_the_old_file(tmp_path, viz, monkeypatch):
    recorder = Recorder(toy(), 2, ANY)
    run("gan", 4, recorder, out=tmp_path)
    before = (tmp_path / "recording.safetensors").read_bytes()
    recorder._record(5)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError, match=r"recording\.safetensors: No space left"):
        recorder._write()
    assert (tmp_path / "recording.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_run_whose_recording_is_lost_goes_on(tmp_path, viz, capsys, damage):
    run("gan", 4, Recorder(toy(), 2, ANY), out=tmp_path)
    path = tmp_path / "recording.safetensors"
    content = path.read_bytes()
    path.unlink()
    if damage == "torn":
        path.write_bytes(content[:1000])
    run("gan", 8, Recorder(toy(), 2, ANY), out=tmp_path, resume=True)
    assert "the recording begins again: " in capsys.readouterr().out
    assert Recording.load(tmp_path).steps.tolist() == [6, 8]


def test_a_recording_of_a_newer_tinygen_is_left_alone(tmp_path, viz, monkeypatch):
    run("gan", 4, Recorder(toy(), 2, ANY), out=tmp_path)
    monkeypatch.setattr("tinygen.train.checkpoint.FORMAT", 7)
    Recording.load(tmp_path).save(tmp_path / "recording.safetensors")
    monkeypatch.undo()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"recording.safetensors: written by a newer tinygen"):
        run("gan", 8, Recorder(toy(), 2, ANY), out=tmp_path, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_that_was_not_recorded_before(tmp_path, viz, capsys):
    run("gan", 4, out=tmp_path)
    with pytest.raises(RunError, match=r"there is no recording; train with `tinygen train MODEL --record EVERY`"):
        Recording.load(tmp_path)
    run("gan", 8, Recorder(toy(), 2, ANY), out=tmp_path, resume=True)
    assert Recording.load(tmp_path).steps.tolist() == [6, 8]
    assert "Recorder was not part of this run before" in capsys.readouterr().out


def test_a_file_that_is_no_recording(tmp_path, viz):
    run("gan", 2, out=tmp_path)
    with pytest.raises(RunError, match="a tinygen file, but not a recording"):
        Recording.load(tmp_path / "checkpoints" / "step_000002.safetensors")


def test_what_it_refuses():
    with pytest.raises(ConfigError, match="Recorder: every is 0"):
        Recorder(toy(), 0)


# Few bytes


def test_eight_bits():
    x = (
        np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
        * np.float32([1, 1e-20, 0, 1e5, 1])[:, None, None]
    )
    q, scale = eight_bits(x)
    assert q.dtype == np.int8 and scale.shape == (5,) and scale[2] == 0 and not q[2].any()
    error = np.abs(q * scale[:, None, None] - x)
    assert (error <= 0.5001 * scale[:, None, None]).all()
    assert np.abs(q).reshape(5, -1).max(axis=1).tolist() == [127, 127, 0, 127, 127]


def test_images_as_bytes():
    x = np.float32([-1.0, 1.0, 0.0, 2.0, -3.0])
    assert image_bytes(x, (-1.0, 1.0)).tolist() == [0, 255, 128, 255, 0]
    assert image_bytes(x, None).dtype == np.float16


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_not_a_number_is_kept_as_nothing():
    q, scale = eight_bits(np.full((2, 3), np.nan, np.float32))
    assert not q.any() and np.isnan(scale).all()
