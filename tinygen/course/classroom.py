"""Grading what a student handed in: pieces found, questions drawn, results kept as they come."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace

from .grade import Verdict, grade
from .masters import Master, seed_of
from .results import Result
from .submissions import Submission

LONGEST_WORDS = 10_000  # characters of a prediction or a log


def grade_submission(
    masters: Sequence[Master],
    submission: Submission,
    secret: str,
    budget: float = 600.0,
    keep: Callable[[list[Result]], None] = lambda results: None,
) -> list[Result]:
    """The results of one submission, a piece each that was handed in; if none was, one without points.

    budget: seconds for each piece.  keep: gets what is known after each check.
    """
    seed = seed_of(secret, submission.student)
    results: list[Result] = []
    for master in masters:
        source = submission.source(master.name)
        if source is None:
            continue
        words = [_constant(source, name) for name in ("PREDICTION", "LOG")]
        results.append(Result(submission.student, master.name, seed, [], *words))

        def keep_verdicts(verdicts: list[Verdict]) -> None:
            results[-1] = replace(results[-1], verdicts=verdicts)
            keep(results)

        questions = master.questions(seed, submission.student)
        extra = submission.extra(master.files)
        keep_verdicts(grade(master.run_as(source), questions, extra, budget, after_each=keep_verdicts))
    return results or [Result(submission.student, "", seed)]


def _constant(source: str, name: str) -> str:
    """The text that a file assigns to a name, read without running it."""
    try:
        for line in ast.parse(source).body:
            if isinstance(line, ast.Assign) and [getattr(t, "id", "") for t in line.targets] == [name]:
                value = ast.literal_eval(line.value)
                return value[:LONGEST_WORDS] if isinstance(value, str) else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return ""
