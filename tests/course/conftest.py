"""The masters, found once, and a submission's way through the grader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from course.found import ALL

from tinygen.course.grade import Verdict, grade
from tinygen.course.masters import Master, seed_of
from tinygen.course.pieces import Question


@pytest.fixture(scope="session")
def tape() -> Master:
    """The master of piece 1."""
    return ALL[0]


@pytest.fixture(scope="session")
def questions(tape: Master) -> Sequence[Question]:
    """Three of its questions: two that call backward, one that asks for the order alone."""
    names = "a straight tape", "two ways that meet", "the order of a random tape"
    found = {question.name: question for question in tape.questions(seed_of("tests", "anna"), "anna")}
    return [replace(found[name], seconds=2.0) for name in names]


@pytest.fixture
def graded(tape: Master, questions: Sequence[Question]):
    """The verdicts on a source, of a check that calls backward and of one that does not, by the check's name."""

    def grade_source(source: str, **options: object) -> dict[str, Verdict]:
        return {v.name: v for v in grade(tape.run_as(source), questions[1:], **options)}  # type: ignore[arg-type]

    return grade_source
