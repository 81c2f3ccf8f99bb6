"""Runs of a few steps of small models, recorded, for the report to show."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tinygen.data import load
from tinygen.inside import Recorder
from tinygen.models import MODELS
from tinygen.random import Generator
from tinygen.settings import from_data
from tinygen.train import fit
from tinygen.train.batches import loader_for

STEPS = 8
DENSE = {"latent_dim": 4, "g_hidden": (12, 8), "d_hidden": (10, 6)}
RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {  # by name: the model, its data and its settings
    "gan": ("gan", "digits", DENSE),
    "dcgan": ("dcgan", "digits", {"latent_dim": 4, "g_channels": (4, 3, 2), "d_channels": (3, 4)}),
    "vae": ("vae", "digits", {"latent_dim": 3, "hidden": (12,)}),
    "wgangp": ("wgangp", "digits", {**DENSE, "d_steps": 2}),
    "ring8": ("gan", "ring8", {**DENSE, "batch_norm": False}),
    "acgan": ("acgan", "digits", DENSE),
    "pacgan": ("pacgan", "grid25", {**DENSE, "pack": 3}),
    "points": ("vae", "ring8", {"latent_dim": 2, "hidden": (12,)}),
    "srgan": ("srgan", "digits", {"channels": 3, "blocks": 1, "d_channels": (2, 3), "warmup": 4}),
    "vaegan": ("vaegan", "digits", {"latent_dim": 2, "e_channels": (2,), "g_channels": (3, 2), "d_channels": (2, 3)}),
}


def each_run(names: Iterable[str], *few: str, argument: str = "name") -> pytest.MarkDecorator:
    """A test of each run by its name: of a few by default, of all with --more."""
    cases = [name if name in few else pytest.param(name, marks=pytest.mark.more) for name in names]
    return pytest.mark.parametrize(argument, cases)


def make(name: str, out: Path) -> Path:
    """Train one of RUNS into a directory."""
    kind, data, settings = RUNS[name]
    dataset, model_class = load(data), MODELS[kind]
    model = model_class(model_class.Config(**{**from_data(model_class.Config, dataset), **settings}), 0)
    loader = loader_for(model, dataset.train, 9, Generator(0, "loader", "cpu"), dataset.labels)
    options = {"log_every": 2, "sample_every": 4, "checkpoint_every": STEPS}
    about, recorder = {"data": data, "size": None, "batch": 9}, Recorder(dataset, every=2, share=1e6)
    fit(model, loader, STEPS, out=out, dataset=dataset, settings=about, callbacks=[recorder], **options)
    return out


def copy(run: Path, out: Path, *without: str) -> Path:
    """A run once more, without its checkpoints and what else is named."""
    return Path(shutil.copytree(run, out, ignore=shutil.ignore_patterns("checkpoints", "report.html", *without)))
