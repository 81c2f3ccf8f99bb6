"""The second leaderboard and the study of data augmentation, at a tiny scale."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinygen as tg

EXAMPLES = Path(__file__).parents[1] / "examples"


def script(name):
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def systems(monkeypatch):
    module = script("systems")
    narrow = "srgan --steps 2 --batch 4 --set warmup=1 channels=4 blocks=1 d_channels=4"
    bars = module.Bar("psnr", ">=", 5), module.Bar("psnr", ">=", 99), module.share("restored_accuracy")
    monkeypatch.setattr(module, "SYSTEMS", {"tiny": module.System(narrow, bars)})
    return module


def test_a_system_is_trained_and_measured_once_and_shown_with_its_bars(systems, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    assert "tiny-0: " in systems.measured("tiny", 0, tmp_path)
    assert systems.measured("tiny", 0, tmp_path).endswith("finished")
    systems.report(["tiny"], [0, 1], tmp_path)
    text = (tmp_path / "systems.md").read_text()
    assert "`tinygen train srgan --steps 2" in text and "1 seeds" in text
    assert "| >= 5.00, met by 1 of 1 |" in text and "| >= 99.00, met by 0 of 1 |" in text
    (result,) = json.loads((tmp_path / "systems.json").read_text())
    assert f"| psnr | {result['scores']['psnr']['value']:.2f} ± 0.00 |" in text
    assert f"| {result['scores']['psnr']['plain']:.2f} |" in text and " %" in text
    Image.open(tmp_path / "tiny.png").load()


def test_a_command_that_fails_says_what_it_printed(systems, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    with pytest.raises(RuntimeError, match="there is no model 'nothing'"):
        systems.tinygen("train", "nothing")


def test_the_commands_are_of_models_that_there_are():
    for system in script("systems").SYSTEMS.values():
        assert system.train.split()[0] in tg.models.MODELS
        assert all(bar.score in tg.metrics.evaluate.__globals__["ABOUT"] for bar in system.bars)


def test_few_digits_alone_and_with_generated_ones(monkeypatch):
    module = script("augmentation")
    for name, value in (("steps", 2), ("CLASSIFIER_STEPS", 15), ("GENERATED", 60)):
        monkeypatch.setattr(module, name, value)
    digits = tg.data.load("digits")
    seen = []
    train = module.train_classifier

    def note(x, labels, *rest, **options):
        seen.append((len(x), options["augment"] is not None))
        assert x.min() >= 0 and x.max() <= 1 and np.bincount(labels, minlength=10).min() >= 0
        return train(x, labels, *rest, **options)

    monkeypatch.setattr(module, "train_classifier", note)
    row = module.measured(50, 0, digits)
    assert seen == [(50, False), (50, True), (120, False), (120, True)]
    assert (row["size"], row["seed"], row["steps"]) == (50, 0, 2)
    assert all(0.1 < row[way] < 0.9 for way in module.WAYS)
