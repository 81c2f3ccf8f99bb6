"""The options of a run, one entry each: all that follows from the table follows it."""

from __future__ import annotations

import inspect
import json

import pytest

from tinygen.cli import main
from tinygen.cli.train import FORMS
from tinygen.inside import Recorder
from tinygen.options import COURSE, DEFAULTS, INTERVALS, OPTIONS, SETTINGS
from tinygen.train import RunDirectory, fit


def test_fit_and_the_recorder_have_the_defaults_of_the_command_line():
    theirs = {name: p.default for name, p in inspect.signature(fit).parameters.items() if name.endswith("_every")}
    assert theirs == {name: DEFAULTS[name] for name in ("log_every", "sample_every", "checkpoint_every")}
    assert inspect.signature(fit).parameters["compile"].default == DEFAULTS["compile"]
    assert inspect.signature(Recorder).parameters["every"].default == DEFAULTS["record"]


def test_every_option_has_a_default_that_a_config_json_may_hold():
    for option in OPTIONS:
        assert option.default is None or option.kind.test(option.default), option.name
    assert SETTINGS.keys() == {*DEFAULTS, "classes", "local_batch_norm"}


def test_the_help_tells_every_option_with_its_default(capsys):
    main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        about = option.help.replace("{default}", str(option.default))
        assert f"--{option.name.replace('_', '-')} " in shown and about in shown


OTHERS = {"batch": 3, "seed": 5, "device": "cuda", "record": 7, "compile": "on"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("options") / "run"
    assert main(["train", "memory", "--steps", "1", "--set", "hidden=2", "--record", "none", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("option", [*COURSE, *INTERVALS], ids=lambda option: option.name)
def test_what_may_change_is_what_a_resumed_run_takes(option, run, capsys):
    value = OTHERS.get(option.name, 9)
    assert option.kind.test(value) and (option.kind in FORMS)
    begun = f"train memory --resume --out {run} --{option.name.replace('_', '-')}".split()
    code, said = main([*begun, str(value)]), capsys.readouterr().err
    assert code == (0 if option.may_change else 2)
    assert option.may_change or f"--{option.name}: the run in {run} has " in said


def test_a_damaged_option_is_named(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    for option in OPTIONS:
        config["settings"] = {option.name: {}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(Exception, match=f"settings.{option.name} is {{}}, but it must be {option.kind.words}"):
            RunDirectory(tmp_path).read_settings()
