"""A submission's result, and its forms for those who read it: people, Gradescope, PrairieLearn, otter, nbgrader."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..files import replace_file, writing
from .grade import Verdict, points


@dataclass(frozen=True)
class Result:
    """One student's piece, graded."""

    student: str
    piece: str
    seed: int
    verdicts: list[Verdict] = field(default_factory=list)
    prediction: str = ""  # what the student predicted, and how the work went; for the teacher to read
    log: str = ""

    @property
    def points(self) -> float:
        """The sum of the points."""
        return points(self.verdicts)

    @property
    def of(self) -> float:
        """How many there were to get."""
        return round(sum(verdict.of for verdict in self.verdicts), 2)

    @property
    def subtotal(self) -> str:
        """The points of the public checks, as a sentence."""
        public = [verdict for verdict in self.verdicts if verdict.public]
        return f"Public checks: {points(public):g} of {sum(verdict.of for verdict in public):g} points."


def text(result: Result) -> str:
    """Lines for a person: a check each, with what to mend."""
    if not result.verdicts:
        return NOTHING
    width = max(len(verdict.name) for verdict in result.verdicts)
    lines = [f"{result.piece}: {result.points:g} of {result.of:g} points"]
    for v in result.verdicts:
        mark = "ok" if v.points == v.of else "--" if not v.points else "~ "
        lines.append(f"  {mark}  {v.name:{width}}  {v.points:g} of {v.of:g}" + (f"  {v.message}" if v.message else ""))
    return "\n".join(lines)


def gradescope(results: Sequence[Result]) -> dict[str, Any]:
    """results.json of Gradescope's autograder: https://gradescope-autograders.readthedocs.io/en/latest/specs

    Hidden checks show after the due date; until then a student sees the subtotal of the public ones.
    """
    tests = [
        {
            "name": f"{result.piece}: {verdict.name}",
            "score": verdict.points,
            "max_score": verdict.of,
            "status": "passed" if verdict.points == verdict.of else "failed",
            "output": verdict.message or "right",
            "output_format": "text",
            "visibility": "visible" if verdict.public else "after_due_date",
        }
        for result in results
        for verdict in result.verdicts
    ]
    return {
        "score": round(sum(result.points for result in results), 2),
        "output": "\n".join(f"{result.piece}. {result.subtotal}" for result in results if result.verdicts) or NOTHING,
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def prairielearn(results: Sequence[Result]) -> dict[str, Any]:
    """results.json of PrairieLearn's external graders: https://docs.prairielearn.com/externalGrading

    It has no due date of its own, so hidden checks are there with their points alone.
    """
    verdicts = [verdict for result in results for verdict in result.verdicts]
    of = sum(verdict.of for verdict in verdicts)
    tests = [
        {
            "name": verdict.name,
            "points": verdict.points,
            "max_points": verdict.of,
            "message": (verdict.message or "right") if verdict.public else "",
        }
        for verdict in verdicts
    ]
    return {
        "gradable": bool(verdicts),
        "score": round(points(verdicts) / of, 4) if of else 0.0,
        "message": " ".join(result.subtotal for result in results if result.verdicts) or NOTHING,
        "tests": tests,
    }


NOTHING = "No file of a piece was handed in."


def table(results: Sequence[Result]) -> str:
    """CSV: a line a student, a column a piece, the total, and the mistakes that were named."""
    pieces = list(dict.fromkeys(result.piece for result in results if result.piece))
    rows = []
    for student, own in _by_student(results):
        by_piece = {result.piece: result for result in own}
        named = {f"{r.piece}: {v.mistake}" for r in own for v in r.verdicts if v.mistake}
        cells = [by_piece[piece].points if piece in by_piece else "" for piece in pieces]
        rows.append(
            [student, *cells, round(sum(result.points for result in own), 2), own[0].seed, "; ".join(sorted(named))]
        )
    return _csv([["student", *pieces, "total", "seed", "mistakes"], *rows])


def otter(results: Sequence[Result]) -> str:
    """CSV as `otter grade` writes it: a line a submission, a column a question, and the share of all points."""
    checks = list(dict.fromkeys((r.piece, v.name) for r in results for v in r.verdicts))
    rows = []
    for student, own in _by_student(results):
        scores = {(r.piece, v.name): v.points for r in own for v in r.verdicts}
        share = sum(r.points for r in own) / (sum(r.of for r in own) or 1)
        rows.append([f"{student}.zip", *(scores.get(check, 0) for check in checks), round(share, 4)])
    return _csv([["file", *(f"{piece}: {name}" for piece, name in checks), "percent_correct"], *rows])


def nbgrader(results: Sequence[Result]) -> str:
    """CSV with the columns of `nbgrader export`: a line for each assignment of each student."""
    names = "last_name first_name email"  # which only nbgrader's own data base knows
    header = f"assignment duedate timestamp student_id {names} raw_score late_submission_penalty score max_score"
    rows = [[r.piece, "", "", r.student, "", "", "", r.points, 0.0, r.points, r.of] for r in results if r.verdicts]
    return _csv([header.split(), *rows])


def _by_student(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    students = dict.fromkeys(result.student for result in results)
    return [(student, [result for result in results if result.student == student]) for student in students]


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV. A cell that a spreadsheet would take for a formula gets a quote before it."""
    stream = io.StringIO()
    safe = [
        ["'" + cell if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else cell for cell in row]
        for row in rows
    ]
    csv.writer(stream, lineterminator="\n").writerows(safe)
    return stream.getvalue()


FORMATS: dict[str, Callable[[Sequence[Result]], str]] = {
    "csv": table,
    "gradescope": lambda results: json.dumps(gradescope(results), indent=1) + "\n",
    "prairielearn": lambda results: json.dumps(prairielearn(results), indent=1) + "\n",
    "otter": otter,
    "nbgrader": nbgrader,
    "json": lambda results: json.dumps([asdict(result) for result in results], indent=1) + "\n",
}


def write(results: Sequence[Result], form: str, path: Path) -> None:
    """Write results in a form, in one step: a reader finds the old file or the new one. Raises RunError if it can't."""
    with writing(path), replace_file(path) as temporary:
        temporary.write_text(FORMATS[form](results), encoding="utf-8")
