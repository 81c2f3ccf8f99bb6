"""The run directory: what it refuses, what it keeps, and how it handles damage by a kill or a person."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygen.errors import ConfigError, RunError
from tinygen.train import RunDirectory, checkpoint, load
from tinygen.train.checkpoint import Snapshot, read_checkpoint

CONFIG = {"tinygen": "0", "model": "gan", "config": {"lr": 0.1, "hidden": [2, 3]}, "settings": {"batch": 8}, "steps": 9}


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints after steps 10 and 20."""
    run = RunDirectory(tmp_path / "deep" / "run")
    with run.locked(resume=False):
        for step in (10, 20):
            run.append_metrics({"step": step, "loss": 1 / 3})
            run.sample_file(step).write_bytes(b"")
            run.save(snapshot(step))
        run.write_config(CONFIG)
    return run


def snapshot(step):
    return Snapshot(step, {"w": np.full(3, float(step))}, {"step": step})


def test_the_names_of_the_files(run):
    files = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert files == {
        ".lock",
        "config.json",
        "metrics.jsonl",
        "samples/step_000010.png",
        "samples/step_000020.png",
        "checkpoints/step_000010.safetensors",
        "checkpoints/step_000020.safetensors",
    }
    assert (run.curves_file.name, run.film_file.name) == ("curves.png", "training.gif")


def test_steps_are_ordered_as_numbers_and_other_files_passed_over(run):
    for name in ("step_1000000.png", "step_abc.png", "step_000015.jpg", "notes.txt"):
        (run.path / "samples" / name).write_bytes(b"")
    assert list(run.samples()) == [10, 20, 1000000]


def test_a_run_that_is_there_is_not_begun_again(run):
    with pytest.raises(RunError, match=r"already holds a run: .*--resume .*--out"), run.locked(resume=False):
        pytest.fail("not reached")


@pytest.mark.parametrize("gone", [["config.json"], ["config.json", "metrics.jsonl"]])
def test_what_is_left_of_a_run_is_not_written_over(run, gone):
    for name in gone:
        (run.path / name).unlink()
    with pytest.raises(RunError, match="already holds a run"), run.locked(resume=False):
        pytest.fail("not reached")


def test_what_a_killed_beginning_left_is_in_nobodys_way(tmp_path):
    run = RunDirectory(tmp_path)
    with run.locked(resume=False):
        run.save(snapshot(0))
    leftovers = [tmp_path / ".config.json.part", tmp_path / "checkpoints" / ".step_000000.safetensors.part"]
    for path in leftovers:
        path.write_bytes(b"torn")
    with run.locked(resume=False):
        assert not any(path.exists() for path in leftovers)


def test_a_folder_with_other_files_may_become_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with RunDirectory(tmp_path).locked(resume=False):
        assert (tmp_path / "notes.txt").read_text() == "mine"


def test_there_must_be_a_run_to_resume(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with (
            pytest.raises(RunError, match=r"there is no run \(no config.json\)"),
            RunDirectory(path).locked(resume=True),
        ):
            pytest.fail("not reached")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["file", "file/below"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_file_where_the_directory_should_be(tmp_path, path, resume):
    (tmp_path / "file").write_bytes(b"")
    message = "there is no run" if resume else "a file is in the way; choose another directory with --out"
    with pytest.raises(RunError, match=message), RunDirectory(tmp_path / path).locked(resume):
        pytest.fail("not reached")


def test_a_directory_that_can_not_be_made(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match=r"Permission denied; .*--out"), RunDirectory(tmp_path / "x").locked(False):
        pytest.fail("not reached")


def test_one_run_at_a_time(run):
    program = "import sys; from tinygen.train import RunDirectory\nwith RunDirectory(sys.argv[1]).locked(True): pass"
    command = [sys.executable, "-c", program, str(run.path)]
    with run.locked(resume=True):
        with pytest.raises(RunError, match="another process is training there"), RunDirectory(run.path).locked(True):
            pytest.fail("not reached")
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert other.returncode == 1 and "another process is training there" in other.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "contents",
    [
        *(b"", b"{", b"[]", b'{"name": "a web page"}', b"\xff\xfe", b"[" * 50_000),
        *(json.dumps(CONFIG | change).encode() for change in ({"steps": "9"}, {"config": [1]}, {"format": "new"})),
    ],
)
def test_a_config_of_another_program(run, contents):
    run.config_file.write_bytes(contents)
    with pytest.raises(RunError, match=r"config.json (can't be read|is not a tinygen file)"):
        run.read_config()


def test_the_config_that_is_there_is_accepted_however_it_is_written(run):
    run.check(json.loads(json.dumps(CONFIG)))
    run.check({**CONFIG, "config": {"lr": 0.1, "hidden": (2, 3)}, "steps": 100})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "vae"}, "holds a run of 'gan', not of 'vae'"),
        ({"config": {"lr": 0.2, "hidden": [2, 3]}}, r"has lr=0\.1, but lr=0\.2 was given; resume with 0\.1, .* --out"),
        ({"config": {"lr": 0.1}}, r"has hidden=\[2, 3\], but hidden=None was given"),
        ({"settings": {"batch": 8, "data": "mnist"}}, "has data=None, but data='mnist' was given"),
    ],
)
def test_another_config_is_refused_with_the_difference(run, change, message):
    with pytest.raises(RunError, match=message):
        run.check({**CONFIG, **change})


def test_what_may_change_is_returned_and_the_rest_refused(run):
    lr = {**CONFIG, "config": {"lr": 0.2, "hidden": [2, 3]}}
    assert run.check(lr, {"lr", "batch"}) == {"lr": {"from": 0.1, "to": 0.2}}
    assert run.check(CONFIG, {"lr"}) == {}
    with pytest.raises(RunError, match="has lr="):
        run.check(lr, {"batch"})


def test_metrics_come_back_to_the_bit(run):
    assert run.read_metrics() == [{"step": 10, "loss": 1 / 3}, {"step": 20, "loss": 1 / 3}]


@pytest.mark.parametrize("torn", [b'{"step": 30, "lo', b"\x00\x00", b"12\n", b"null\n", b'{"loss": 1}\n'])
def test_a_torn_line_is_passed_over_and_then_gone(run, torn):
    whole = run.metrics_file.read_bytes()
    run.metrics_file.write_bytes(whole + torn)
    assert [row["step"] for row in run.rewind(20)] == [10, 20]
    assert run.metrics_file.read_bytes() == whole


def test_resuming_from_an_earlier_checkpoint_forgets_what_came_later(run):
    run.checkpoint_file(20).write_bytes(b"")
    assert [row["step"] for row in run.rewind(10)] == [10] == list(run.samples()) == list(run.checkpoints())
    assert [row["step"] for row in run.read_metrics()] == [10]
    assert run.checkpoint_file(20).with_name("step_000020.safetensors.damaged").exists()


def test_going_on_removes_what_a_kill_left_beyond_three_checkpoints(run):
    for step in (30, 40):
        checkpoint.save(run.checkpoint_file(step), {}, {"step": step})
    run.rewind(40)
    assert list(run.checkpoints()) == [20, 30, 40]


def test_metrics_are_on_the_disk_before_the_checkpoint_that_counts_on_them(run, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    run.save(snapshot(30))
    assert flushed == [path.stat().st_ino for path in (run.metrics_file, run.checkpoint_file(30))]


def test_the_newest_three_checkpoints_are_kept(run):
    for step in (30, 40, 1000000):
        run.save(snapshot(step))
    assert list(run.checkpoints()) == [30, 40, 1000000]
    assert run.newest().step == 1000000


@pytest.mark.parametrize("damage", [lambda whole: whole[:-3], lambda whole: b"", lambda whole: b"PK\x03\x04" * 9])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_line(run, capsys, damage):
    path = run.checkpoint_file(20)
    path.write_bytes(damage(path.read_bytes()))
    newest = run.newest()
    assert newest.step == 10 and newest.tensors["w"].tolist() == [10, 10, 10]
    assert newest.source == str(run.checkpoint_file(10))
    assert f"skipping {path}: truncated" in capsys.readouterr().out


def newer(path):
    """Make a checkpoint look as if the next tinygen had written it, in a format with more in it."""
    from safetensors.numpy import load_file, save_file

    save_file(load_file(path), path, {"tinygen": str(checkpoint.FORMAT + 1), "crc32": "of another kind"})


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_newer_checkpoint_is_neither_passed_over_nor_set_aside(run):
    newer(run.checkpoint_file(20))
    before = everything(run.path)
    for command in (run.newest, lambda: load(run.path), lambda: load(run.checkpoint_file(20))):
        with pytest.raises(RunError, match=r"000020.safetensors: written by a newer tinygen; install that version"):
            command()
    assert everything(run.path) == before


def test_a_newer_config_is_refused(run):
    run.config_file.write_text(json.dumps({**CONFIG, "format": checkpoint.FORMAT + 1, "settings": ["of", "a", "kind"]}))
    before = everything(run.path)
    for resume in (False, True):
        with pytest.raises(RunError, match=r"config.json: written by a newer tinygen"), run.locked(resume):
            pytest.fail("not reached")
    assert everything(run.path) == before


@pytest.mark.parametrize("error", [PermissionError, InterruptedError])
def test_a_checkpoint_that_the_system_does_not_let_us_read_is_not_damaged(run, monkeypatch, error):
    def refuse(path, *_, **__):
        raise error(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(RunError, match=r"000020.safetensors can't be read: Permission denied"):
        run.newest()


@pytest.mark.parametrize(
    "facts",
    [{}, {"step": "20"}, {"step": -1}, {"step": True}, {"step": 20, "generators": [1]}, {"step": 20, "model": 3}],
)
def test_a_sound_file_with_other_contents_is_passed_over(run, facts, capsys):
    checkpoint.save(run.checkpoint_file(20), {}, facts)
    assert run.newest().step == 10
    assert "000020.safetensors: damaged, or not the checkpoint of a run" in capsys.readouterr().out


def test_going_on_from_the_start_keeps_what_was_said_there(tmp_path):
    run = RunDirectory(tmp_path)
    with run.locked(resume=False):
        run.append_event({"step": 0, "name": "begun"})
        run.save(snapshot(0))
        run.append_metrics({"step": 1, "loss": 0.5})
    assert run.rewind(0) == [] and run.read_metrics() == [] and run.read_events() == [{"step": 0, "name": "begun"}]


def test_what_ended_before_its_first_step_may_begin_again(tmp_path):
    run = RunDirectory(tmp_path)
    for _ in range(2):
        with run.locked(resume=False):
            run.append_event({"step": 0})
            run.metrics_file.write_bytes(b'{"step": 1, "lo')
            run.save(snapshot(0))
            run.write_config(CONFIG)
    with run.locked(resume=False):
        assert not run.events_file.exists() and not run.metrics_file.exists()
        run.append_metrics({"step": 1, "loss": 0.5})
    with pytest.raises(RunError, match="already holds a run"), run.locked(resume=False):
        pytest.fail("not reached")
    run.metrics_file.unlink()
    run.config_file.write_text('{"name": "a web page"}')
    with pytest.raises(RunError, match="is not a tinygen file"), run.locked(resume=False):
        pytest.fail("not reached")


def test_no_checkpoint_that_can_be_read(run):
    run.checkpoint_file(20).write_bytes(b"")
    run.checkpoint_file(10).unlink()
    with pytest.raises(RunError, match="none of its 1 checkpoints can be read; begin again"):
        run.newest()
    run.checkpoint_file(20).unlink()
    with pytest.raises(RunError, match="its checkpoints are gone; begin again"):
        run.newest()


def test_a_full_disk_costs_no_checkpoint(run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match=r"step_000030.safetensors: No space left on device; free some space"):
        run.save(snapshot(30))
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {
        "step_000010.safetensors",
        "step_000020.safetensors",
    }
    assert read_checkpoint(run.checkpoint_file(20)).step == 20


@pytest.mark.parametrize("path", ["", 3, None, b"run"])
def test_what_is_no_path_is_no_run_directory(path):
    with pytest.raises(ConfigError, match=r"a run directory is .*, but it must be a path"):
        RunDirectory(path)
