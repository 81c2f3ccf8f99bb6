"""The masters, as a teacher has them: a folder a piece with its solution, hidden checks and known mistakes.

examples/course/01_tape: tape.py, the master, whose lines between BEGIN SOLUTION and END SOLUTION are cut from the stub;
checks.py and mistakes.py. What is cut ships in the piece's own folder, beside its probes, picture and fixtures.
"""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, RunError
from .checks import Check, Mistake, Words
from .child import encode
from .grade import same
from .pieces import FOLDER, Known, Numbered, Piece, Question, drawn_from, own_variant, with_variant
from .process import Answer, File, Job, run

BEGIN, END, HERE = "# BEGIN SOLUTION", "# END SOLUTION", "...  # your code here"


class Master(Numbered):
    """A piece as its teacher has it."""

    @property
    def piece(self) -> Piece:
        """The same as students have it."""
        return Piece(FOLDER / self.folder.name)

    @cached_property
    def source(self) -> str:
        """The master with its solution."""
        return self.text(f"{self.name}.py")

    @cached_property
    def _checks(self) -> dict[str, Any]:
        return runpy.run_path(str(self.folder / "checks.py"))

    @cached_property
    def _mistakes(self) -> dict[str, Any]:
        return runpy.run_path(str(self.folder / "mistakes.py"))

    @property
    def checks(self) -> Sequence[Check]:
        return self._checks["CHECKS"]

    @property
    def modules(self) -> Sequence[str]:
        """What the piece's file may import besides NumPy."""
        return self._checks.get("MODULES", ())

    @property
    def files(self) -> Sequence[str]:
        """What a student hands in besides the piece's file."""
        return self._checks.get("FILES", ())

    def hand_in(self, student: str) -> dict[str, bytes]:
        """What the master hands in besides its file, as this student would: the bytes of each, by its name.

        A file NAME.npz that depends on the variant is there as NAME_choice.npz.
        """
        own = own_variant(student, self.name, self.variants).values()
        return {name: self._form_of(name, own).read_bytes() for name in self.files}

    def _form_of(self, name: str, variant: Iterable[str]) -> Path:
        path = self.folder / name
        forms = [path.with_stem(f"{path.stem}_{choice}") for choice in variant]
        return next((form for form in forms if form.exists()), path)

    @property
    def mistakes(self) -> Sequence[Mistake]:
        return self._mistakes["MISTAKES"]

    @property
    def words(self) -> Sequence[Words]:
        return self._mistakes["OTHER_WORDS"]

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @cached_property
    def variants(self) -> dict[str, list[str]]:
        """The constants that differ from student to student: NAME = "choice"  # VARIANT: choice, choice"""
        found = re.findall(r'^(\w+) = "\w+"  # VARIANT: (.+)$', self.source, flags=re.M)
        return {name: [choice.strip() for choice in choices.split(",")] for name, choices in found}

    def run_as(self, source: str) -> File:
        """A file in place of the master, to be run."""
        return File(self.name, source, self.piece.text("probes.py"), self.modules)

    def changed(self, change: Mistake | Words, variant: dict[str, str] | None = None) -> str:
        """The master with a mistake, or in other words. Raises ConfigError if a line to change isn't there once."""
        source = self.source
        for old, new in change.changes:
            if source.count(old) != 1:
                raise ConfigError(f"{self.folder}: {change.name}: {old!r} is in the master {source.count(old)} times")
            source = source.replace(old, new)
        return with_variant(source, variant or {})

    def questions(self, seed: int, student: str, hidden: bool = True) -> list[Question]:
        """The checks, with their inputs drawn, and the reference's answers to them.

        seed: of this student, see `seed_of`; what a hidden check draws depends on it and on the check's name alone.
        Public checks are the same for all.  student: whose variant is asked for.  hidden: whether hidden ones belong.
        """
        variant = own_variant(student, self.name, self.variants)
        chosen = [check for check in self.checks if check.public or hidden]
        inputs = [check.draw(np.random.default_rng(self._drawn(seed, check))) for check in chosen]
        jobs = [Job(check.probe, given, check.seconds) for check, given in zip(chosen, inputs, strict=True)]
        right = run(self.run_as(with_variant(self.source, variant)), jobs, trusted=True)
        for check, answer in zip(chosen, right, strict=True):
            if answer.error:
                raise RunError(f"{self.folder}: {check.name}: the reference failed: {answer.error} {answer.text}")
        known = _Lazy(self, jobs, variant)
        return [
            Question(
                check.name, check.points, check.public, check.probe, given, answer.value,
                known.of(i, answer, check.rtol), check.rtol, check.judge, check.seconds,
            )
            for i, (check, given, answer) in enumerate(zip(chosen, inputs, right, strict=True))
        ]  # fmt: skip

    def _drawn(self, seed: int, check: Check) -> int:
        return drawn_from("public" if check.public else str(seed), self.name, check.name)

    def stub(self) -> str:
        """The master without its solution, which runs, and whose text is in the handout."""
        lines, inside = [], False
        for line in _without_handout(self.source).splitlines():
            if line.strip() == BEGIN:
                lines.append(line.replace(BEGIN, HERE))
                inside = True
            elif line.strip() == END:
                inside = False
            elif not inside:
                lines.append(line)
        return "\n".join(lines) + "\n"

    def solution_lines(self) -> list[str]:
        """The lines of the solution that tell something: longer than a return of a name."""
        lines = [part.split(END)[0].splitlines() for part in self.source.split(BEGIN)[1:]]
        return [line.strip() for part in lines for line in part if len(line.strip()) > 20]

    def handout(self) -> str:
        """The master's docstring, a page of Markdown."""
        return (ast.get_docstring(ast.parse(self.source)) or "").strip() + "\n"

    def facts(self) -> dict[str, Any]:
        """What ships as piece.json."""
        handout = self.handout()
        return {
            "title": re.findall(r"^# \d+\. (.+)$", handout, flags=re.M)[0],
            "points": self.points,
            "hours": float(re.findall(r"About ([\d.]+) hours?", handout)[0]),
            "modules": list(self.modules),
            "files": list(self.files),
            "variants": self.variants,
            "checks": [_fact(question) for question in self.questions(0, "", hidden=False)],
        }

    def cuttings(self) -> dict[str, str]:
        """What is cut for the piece, by the name of the file."""
        return {
            "stub.py": self.stub(),
            "handout.md": self.handout(),
            "piece.json": json.dumps(self.facts(), indent=1) + "\n",
        }


class _Lazy:
    """The answers of the known mistakes, run when the first is asked for."""

    def __init__(self, master: Master, jobs: Sequence[Job], variant: dict[str, str]):
        self._master, self._jobs, self._variant = master, jobs, variant

    @cached_property
    def answers(self) -> list[tuple[Mistake, list[Answer]]]:
        """Each mistake with its answers."""
        master = self._master
        files = [(mistake, master.run_as(master.changed(mistake, self._variant))) for mistake in master.mistakes]
        return [(mistake, run(file, self._jobs, trusted=True)) for mistake, file in files]

    def of(self, i: int, right: Answer, rtol: float) -> Callable[[], list[Known]]:
        """What gives the mistakes whose answers to question i are wrong."""
        return lambda: [
            Known(mistake.name, mistake.says, answers[i])
            for mistake, answers in self.answers
            if not same(answers[i], right, rtol)
        ]


def _fact(question: Question) -> dict[str, Any]:
    def answer(known: Known) -> dict[str, Any]:
        return {"error": known.answer.error} if known.answer.error else {"value": encode(known.answer.value)}

    return {
        "name": question.name,
        "points": question.points,
        "probe": question.probe,
        "inputs": {name: encode(value) for name, value in question.inputs.items()},
        "right": encode(question.right),
        "rtol": question.rtol,
        "seconds": question.seconds,
        "known": [{"name": k.name, "says": k.says, "answer": answer(k)} for k in question.known()],
    }


def _without_handout(source: str) -> str:
    """The source whose docstring is its title and where to read on."""
    tree = ast.parse(source)
    docstring = ast.get_docstring(tree) or ""
    first, last = tree.body[0].lineno, tree.body[0].end_lineno or 1
    lines = source.splitlines()
    title = docstring.splitlines()[0].lstrip("# ")
    return "\n".join([*lines[: first - 1], f'"""{title}: read handout.md, then complete this file."""', *lines[last:]])


def seed_of(secret: str, student: str) -> int:
    """Where a student's draws begin. Whoever knows the secret can grade again with the same inputs."""
    return drawn_from(secret, student)


def masters(folder: str | Path) -> list[Master]:
    """The masters in a folder, in order. Raises RunError if there are none, or one is without one of its files."""
    found = [Master(path) for path in sorted(Path(folder).glob("[0-9][0-9]_*")) if path.is_dir()]
    if not found:
        raise RunError(
            f"{folder}: there are no masters here; they are in examples/course of tinygen's repository, not in the "
            "package: give their folder with --masters"
        )
    return found
