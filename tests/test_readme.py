"""The README's commands and its Python, run in their order, in one directory, as they are written.

Trainings end after a few steps, and the data that a reader would bring are made here: that is all that differs.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygen.checks import installed
from tinygen.errors import PackageError

ROOT = Path(__file__).parents[1]
READMES = sorted(ROOT.glob("README*.md"))
STATUS = {"tinygen course check tape": 1}  # nothing is written in the file yet, and a script must see that
STEPS = 4  # of a training that doesn't say how many
TINYGEN = f"""#!{sys.executable}
import sys
from tinygen.cli import main

if sys.argv[1:2] in (["train"], ["sweep"]):
    at = sys.argv.index("--steps") if "--steps" in sys.argv else None
    steps = {STEPS} if at is None else {STEPS} + int(sys.argv[at + 1]) // 1000
    sys.argv[at or len(sys.argv) : None if at is None else at + 2] = ["--steps", str(steps)]
sys.exit(main())
"""


def blocks(readme: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", readme.read_text(encoding="utf-8"), flags=re.M | re.S)


def commands(readme: Path) -> list[str]:
    """The lines of its shell blocks, without comments; of those that set up an environment, what they run in it."""
    lines = [
        shlex.join(shlex.split(line, comments=True)) for block in blocks(readme, "sh") for line in block.splitlines()
    ]
    lines = [line.replace("'&&'", "&&").replace(".venv/bin/", "") for line in lines]
    assert lines[0].startswith("python3 -m venv") and lines[1].endswith("-m pytest -n 2") and "activate" in lines[2]
    return [lines[0].rpartition(" && ")[2], *lines[3:]]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A directory with a reader's photos, and a `tinygen` whose trainings are short."""
    from PIL import Image

    rng = np.random.default_rng(0)

    def photo(path: str, mode: str = "RGB") -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        size = (40, 36, 3) if mode == "RGB" else (40, 36)
        Image.fromarray(rng.integers(256, size=size, dtype=np.uint8), mode).save(tmp_path / path)

    for folder in ("photos", "animals/cats", "animals/dogs", "horses", "zebras"):
        for i in range(160):
            photo(f"{folder}/{i}.png")
    photo("photo.png")
    photo("hole.png", "L")
    command = tmp_path / "bin" / "tinygen"
    command.parent.mkdir()
    command.write_text(TINYGEN)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.more
@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are for a POSIX shell")
def test_the_commands_work_in_their_order_in_one_directory(desk):
    for line in commands(ROOT / "README.md"):
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=300, cwd=desk)
        assert done.returncode == STATUS.get(line, 0), f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_the_python_can_be_pasted_block_after_block(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(ROOT / "README.md", "python"):
        short = re.sub(r"range\(5000\)", f"range({STEPS})", block)
        try:
            exec(re.sub(r"steps=\d+", f"steps={STEPS}", short), names)
        except PackageError:
            assert "tg.export" in block and not installed("onnx"), "what needs an extra says so"
    assert {"tanh", "G", "D", "step", "OwnGAN", "model"} <= names.keys()
    assert (tmp_path / "runs" / "mine" / "config.json").exists()


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_language_has_the_same_commands_and_the_same_python(readme):
    english = ROOT / "README.md"
    assert commands(readme) == commands(english)
    without = [re.sub(r"\s*#.*", "", block) for block in blocks(readme, "python")]
    assert without == [re.sub(r"\s*#.*", "", block) for block in blocks(english, "python")]


def sections(readme: Path) -> list[tuple[int, list[str], list[str]]]:
    """Of each section: how deep its heading is, its pictures and links in any order, and the numbers of its prose."""
    found = []
    prose = re.sub(r"^```.*?^```", "", readme.read_text(encoding="utf-8"), flags=re.M | re.S)
    prose = re.sub(r"^\[.*README.*\n", "", prose, count=1, flags=re.M)  # the line that leads to the other language
    for marks, text in re.findall(r"^(#+) (.*?)(?=^#|\Z)", prose, flags=re.M | re.S):
        links = re.findall(r"!?\[(?:!\[[^]]*\]|[^]])*\](\([^#)]+\))", text)
        numbers = re.findall(r"(?<![\w.-])\.?\d[\d,.]*(?<![,.])(?:e-\d+)?", re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text))
        found.append((len(marks), sorted(links), sorted(numbers)))
    return found


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_language_has_the_same_pictures_links_and_numbers(readme):
    assert sections(readme) == sections(ROOT / "README.md")


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_links_within_a_readme_lead_to_a_heading(readme):
    text = readme.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)", text, flags=re.M)}
    assert {"speed", "速度"} & headings and set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_a_picture_and_a_link_come_before_the_first_command():
    head, _, _ = (ROOT / "README.md").read_text(encoding="utf-8").partition("```sh")
    assert "![" in head and re.search(r"(?<!!)\[[^]]+\]\((?!README)", head)
