"""Damaged files of every kind that the program reads: one line, no traceback, no hang, and nothing else is touched.

The command line runs in this process. Each damage is drawn from a seed and done to a fresh copy of good files.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from campaigns.damage import BYTES, JSON, PLACES, ROWS, SAFETENSORS, pick
from PIL import Image

from tinygen.cli import main
from tinygen.data import digits, mnist
from tinygen.train import RunDirectory

resource = pytest.importorskip("resource")
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does"),
]

SECONDS, MEGABYTES = 60, 1000  # a command may take
SMALL = "--set g_hidden=4 d_hidden=4 latent_dim=2 batch_norm=false"
LOOK = ["evaluate run/a -n 20 --out out.json", "sample run/a --out out.png", "report run/a --out out.html"]
RESUME = ["train gan --out run/a --resume", "train gan --out run/a --resume --steps 5"]
BEGIN = f"train gan --out new --init-from run/a --data ring8 --batch 8 --steps 1 {SMALL}"
COMPARE = ["report run/a run/b --out out.html"]


def training(data: str) -> list[str]:
    """A training that ends when its data have been read, for the batch is too large; and one that makes a step."""
    return [f"train gan --out new --batch {batch} --steps 1 {SMALL} --data {data}" for batch in (100_000, 2)]


class Kind(NamedTuple):
    """Where a kind of file lies, what can befall it, and the commands that read it, a quick one first."""

    where: str
    damages: dict[str, Callable]
    commands: list[str]


KINDS = [
    Kind("run/a/config.json", {**BYTES, **PLACES, **JSON}, [*LOOK, *RESUME, BEGIN]),
    Kind("run/a/metrics.jsonl", {**BYTES, **PLACES, **ROWS}, [LOOK[2], *RESUME]),
    Kind("run/a/events.jsonl", {**BYTES, **PLACES, **ROWS}, [LOOK[2], *RESUME]),
    Kind("run/a/checkpoints/step_000004.safetensors", {**BYTES, **PLACES, **SAFETENSORS}, [*LOOK, *RESUME, BEGIN]),
    Kind("run/a/recording.safetensors", {**BYTES, **PLACES, **SAFETENSORS}, [LOOK[2], *RESUME]),
    Kind("run/a/samples/step_000004.png", {**BYTES, **PLACES}, [LOOK[2], *RESUME]),
    Kind("run/b/config.json", {**PLACES, **JSON}, COMPARE),
    Kind("run/b/recording.safetensors", SAFETENSORS, COMPARE),
    *(
        Kind(f"photos/1.{suffix}", {**BYTES, **PLACES}, training("folder:photos --size 8"))
        for suffix in ("png", "jpg", "gif", "bmp", "tiff", "webp")
    ),
    Kind("cache/mnist/images.gz", {**BYTES, **PLACES}, training("mnist")),
    Kind("cache/mnist/labels", {**BYTES, **PLACES}, training("mnist")),
    Kind("digits10k.npz", {**BYTES, **PLACES}, training("digits")),
]


# Good files


def idx(values: np.ndarray) -> bytes:
    lengths = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return bytes([0, 0, 8, values.ndim]) + lengths + values.astype(np.uint8).tobytes()


def make_photos(folder: Path) -> None:
    folder.mkdir()
    for i in range(2):
        for suffix in ("png", "jpg", "gif", "bmp", "tiff", "webp"):
            pixels = np.random.default_rng(i).integers(0, 256, (9, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.{suffix}")


def make_mnist(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "images.gz").write_bytes(gzip.compress(idx(np.arange(8 * 28 * 28).reshape(8, 28, 28) % 256)))
    (folder / "labels").write_bytes(idx(np.arange(8)))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """Two runs, a folder of photographs, a cache and an archive, none of them damaged."""
    home = tmp_path_factory.mktemp("good")
    train = f"train gan --data ring8 --batch 8 --steps 4 --checkpoint-every 2 --log-every 1 --record 1 {SMALL} --out"
    assert main([*train.split(), str(home / "run/a")]) == 0
    RunDirectory(home / "run/a").append_event({"step": 2, "name": "samples alike", "text": "all alike"})
    shutil.copytree(home / "run/a", home / "run/b")
    make_photos(home / "photos")
    make_mnist(home / "cache" / "mnist")
    shutil.copy(Path(digits.__file__).with_name("digits10k.npz"), home)
    return home


# The contract


def everything(home: Path) -> dict[str, Any]:
    """What lies in a folder."""
    return {
        str(path.relative_to(home)): path.read_bytes() if path.is_file() and not path.is_symlink() else path.is_dir()
        for path in home.rglob("*")
    }


class Hangs(BaseException):
    """A command did not come to an end."""


def tried(command: str, capsys: pytest.CaptureFixture) -> SimpleNamespace:
    """Run a command, within its time and memory."""

    def alarm(*_: Any) -> None:
        raise Hangs(f"more than {SECONDS} seconds")

    handler, limits = signal.signal(signal.SIGALRM, alarm), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEGABYTES * 1_000_000, limits[1]))
    signal.alarm(SECONDS)
    try:
        code = main(command.split())
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, handler)
    captured = capsys.readouterr()
    return SimpleNamespace(code=code, said=captured.out + captured.err, errors=captured.err.count("tinygen: error: "))


def faults(result: SimpleNamespace) -> list[str]:
    return [
        *([f"exit code {result.code}"] if result.code not in (0, 2) else []),
        *([f"{result.errors} errors for exit code {result.code}"] if result.errors != (result.code == 2) else []),
        *(["a traceback"] if "Traceback" in result.said else []),
        *(["all memory"] if "not enough memory" in result.said else []),
        *(["a line of 2,000 characters"] if max(map(len, result.said.splitlines()), default=0) > 2000 else []),
    ]


@pytest.fixture
def home(good, tmp_path, monkeypatch) -> Path:
    """Where fresh copies of the good files come to lie: the current folder, the cache and the package's data."""
    home = tmp_path / "home"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digits, "__file__", str(home / "digits.py"))
    monkeypatch.setattr(mnist, "MNIST", ())
    monkeypatch.setattr(mnist, "MNIST_MIRRORS", ())
    monkeypatch.setenv("TINYGEN_CACHE", str(home / "cache"))
    return home


def renew(home: Path, good: Path) -> None:
    os.chdir(home.parent)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(good, home)
    os.chdir(home)


def publish(cache: Path) -> None:
    """Have the files in the cache be those that are published: what is damaged has the right checksum."""
    contents = {
        name: path.read_bytes() if (path := cache / name).is_file() else b"" for name in ("images.gz", "labels")
    }
    files = [(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()]
    mnist.MNIST = (*files, *files)


def one(seed: int, good: Path, home: Path, capsys: pytest.CaptureFixture, quick: bool) -> list[str]:
    """Damage one file and try one command; what it did wrong."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    name, command = pick(rng, sorted(kind.damages)), kind.commands[0] if quick else pick(rng, kind.commands)
    renew(home, good)
    kind.damages[name](rng, home / kind.where)
    publish(home / "cache" / "mnist")
    result, before = None, everything(home)
    try:
        result = tried(command, capsys)
        found = faults(result)
    except (Exception, Hangs) as error:
        found = [f"{type(error).__name__}: {error}"[:300]]
    went_on = "--resume" in command and (
        (result is not None and result.code == 0) or 5 in RunDirectory(home / "run/a").checkpoints()
    )
    mine = (kind.where, "out.", "new", "run/a/.lock", "cache/mnist/.lock", *(["run/a/"] if went_on else []))
    now = everything(home)
    found += [
        f"changed {path}" for path in {*before, *now} if before.get(path) != now.get(path) and not path.startswith(mine)
    ]
    if not any(step < 4 for step in RunDirectory(home / "run/a").checkpoints()):
        found.append("the older checkpoints are gone")
    return [f"seed {seed}: {kind.where}, {name}; `{command}`: {fault}" for fault in found]


def test_damaged_files(good, home, capsys, campaign):
    """The quick form damages each kind of file three times."""
    found = []
    for seed in range(1000 if campaign else 3 * len(KINDS)):
        found += one(seed, good, home, capsys, not campaign)
    assert not found, f"{len(found)} faults:\n" + "\n".join(found[:40])


def test_files_that_are_whole_are_read(good, home, capsys, campaign):
    """Else the campaign would prove nothing."""
    for command in dict.fromkeys(command for kind in KINDS for command in kind.commands[: None if campaign else 1]):
        renew(home, good)
        publish(home / "cache" / "mnist")
        result = tried(command, capsys)
        assert "batch" in result.said if "100000" in command else result.code == 0, (command, result.said)
