"""The pieces as they ship: stub, handout, probes, picture and public checks, all cut from the masters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import ConfigError, RunError
from .child import decode
from .process import Answer, File

FOLDER = Path(__file__).parent / "pieces"


@dataclass(frozen=True)
class Known:
    """A known mistake's answer to a question, by which it is recognised."""

    name: str
    says: str
    answer: Answer


@dataclass(frozen=True)
class Question:
    """A check with its inputs drawn and its answers known."""

    name: str
    points: float
    public: bool
    probe: str
    inputs: dict[str, Any]
    right: Any
    known: Callable[[], Sequence[Known]]  # computed when an answer is wrong
    rtol: float = 1e-7
    judge: Callable[[Any, Any], tuple[float, str]] | None = None
    seconds: float = 10.0


@dataclass(frozen=True)
class Numbered:
    """What has a folder named by its number and name, as 01_tape."""

    folder: Path

    @property
    def number(self) -> int:
        """Its place in the course."""
        return int(self.folder.name.partition("_")[0])

    @property
    def name(self) -> str:
        """What its file and its module are called."""
        return self.folder.name.partition("_")[2]

    def text(self, file: str) -> str:
        """The text of one of its files. Raises RunError if it can't be read."""
        return text_of(self.folder / file)


class Piece(Numbered):
    """A piece as students have it, in a folder of this package.

    Of its files, probes.py, picture.py and fixtures/ are written by hand; stub.py, handout.md and piece.json are cut
    from its master.
    """

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What piece.json says: title, points, hours, modules, files, variants, and the public checks."""
        return json.loads(self.text("piece.json"))

    @property
    def title(self) -> str:
        return self.facts["title"]

    @property
    def points(self) -> float:
        return self.facts["points"]

    @property
    def files(self) -> list[str]:
        """What a student hands in, besides the piece's own file."""
        return self.facts["files"]

    @property
    def fixtures(self) -> dict[str, bytes]:
        """Further files that a student gets."""
        return {file.name: file.read_bytes() for file in sorted((self.folder / "fixtures").glob("*"))}

    def run_as(self, source: str) -> File:
        """One's own file, to be run."""
        return File(self.name, source, self.text("probes.py"), self.facts["modules"], shows=True)

    def stub_of(self, student: str) -> str:
        """The stub with the student's own variant."""
        return with_variant(self.text("stub.py"), own_variant(student, self.name, self.variants))

    @property
    def variants(self) -> dict[str, list[str]]:
        """The constants of the stub that differ from student to student, each with its choices."""
        return self.facts["variants"]

    @cached_property
    def public(self) -> list[Question]:
        """The public checks, with the inputs and answers that ship."""
        return [_question(fact) for fact in self.facts["checks"]]


def _question(fact: dict[str, Any]) -> Question:
    known = [Known(k["name"], k["says"], answer_of(k["answer"])) for k in fact["known"]]
    return Question(
        fact["name"], fact["points"], True, fact["probe"], {k: decode(v) for k, v in fact["inputs"].items()},
        decode(fact["right"]), lambda: known, fact["rtol"], None, fact["seconds"],
    )  # fmt: skip


def answer_of(fact: dict[str, Any]) -> Answer:
    """An Answer from its form in piece.json."""
    return Answer(error=fact["error"]) if "error" in fact else Answer(decode(fact["value"]))


def text_of(path: Path) -> str:
    """The text of a file. Raises RunError if it is missing, or no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: can't be read as text ({error})") from error


def with_variant(source: str, variant: dict[str, str]) -> str:
    """A stub or a master whose constants are the student's."""
    lines = source.splitlines(keepends=True)
    for name, choice in variant.items():
        (place,) = [i for i, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[place] = f'{name} = "{choice}"  # yours\n'
    return "".join(lines)


def own_variant(student: str, piece: str, variants: dict[str, list[str]]) -> dict[str, str]:
    """A student's own choice of each constant; always the same one."""
    return {name: choices[drawn_from(student, piece, name) % len(choices)] for name, choices in variants.items()}


def drawn_from(*words: str) -> int:
    """A number of 64 bits that depends on words alone."""
    return int.from_bytes(sha256("|".join(words).encode()).digest()[:8], "big")


def pieces() -> list[Piece]:
    """All of them, in order."""
    return [Piece(folder) for folder in sorted(FOLDER.iterdir()) if (folder / "piece.json").is_file()]


def piece(which: str) -> Piece:
    """The piece of a number or a name. Raises ConfigError if there is none."""
    for candidate in pieces():
        if which.strip() in (str(candidate.number), candidate.name, candidate.folder.name):
            return candidate
    names = ", ".join(f"{p.number} ({p.name})" for p in pieces())
    raise ConfigError(f"there is no piece {which!r}; the course has {names}")
