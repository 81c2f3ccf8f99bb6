"""`tinygen export`: the file, what the command says of it, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.small import data_for, small

import tinygen as tg
from tinygen.cli import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of three models."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("gan", "cgan", "vae"):
        tg.fit(small(name), data_for(name), steps=1, out=folder / name, progress=False)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with these runs and nothing else, in which the command works."""
    for run in trained.iterdir():
        (tmp_path / run.name).symlink_to(run)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("gan G.onnx", "G of gan, z (N, 3) -> x (N, 1, 3, 2): G.onnx"),
        ("cgan G.onnx", "G_mean of cgan, z (N, 3), label (N) -> x (N, 1, 3, 2): G.onnx"),
        ("gan D.onnx --network D --layout NHWC", "D of gan, x (N, 3, 2, 1) -> score (N, 1): D.onnx"),
        ("vae e.ONNX --network encoder", "encoder of vae, x (N, 1, 3, 2) -> y (N, 6): e.ONNX"),
    ],
)
def test_a_network_is_written(runs: Path, capsys: Any, line: str, said: str) -> None:
    onnx = pytest.importorskip("onnx")
    assert main(["export", *line.split()]) == 0 and capsys.readouterr().out == f"{said}\n"
    model, (run, file) = onnx.load(line.split()[1]), line.split()[:2]
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (facts["model"], facts["network"]) == (run, said.split()[0])
    assert tg.export.read_onnx(file).inputs == tuple(x.name for x in model.graph.input)


@pytest.mark.oracle
def test_the_file_draws_what_the_run_draws(runs: Path) -> None:
    pytest.importorskip("onnx")
    model, z = tg.load("gan"), tg.Generator(0).normal((5, 3))
    assert main(["export", "gan", "G.onnx"]) == 0
    np.testing.assert_allclose(tg.export.read_onnx("G.onnx")(z).numpy(), model.draw(z), atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gan G.pt", "G.pt: the network is an ONNX file, so its name must end in .onnx"),
        ("gan G.onnx --network H", "gan has no network 'H'; its networks are G, D"),
        ("gan below/G.onnx", "can't write below/G.onnx"),
        ("nowhere G.onnx", "nowhere: there is no run"),
        ("gan", "required: FILE"),
        ("gan G.onnx --layout CHW", "'CHW' is none of NCHW, NHWC"),
    ],
)
def test_what_is_wrong_gets_one_line(runs: Path, capsys: Any, line: str, words: str) -> None:
    pytest.importorskip("onnx")
    assert main(["export", *line.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tinygen: error: ") and words in error and error.count("\n") == 1
    assert not [*runs.rglob("*.onnx")]


def test_a_missing_package_gets_one_line(runs: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygen.checks.installed", lambda package: package != "onnx")
    assert main(["export", "gan", "G.onnx"]) == 2
    assert capsys.readouterr().err == "tinygen: error: tinygen export needs onnx: pip install onnx\n"
