"""Grading: each question is put to the student's file in a process of its own, and judged here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from .compare import difference
from .pieces import Question
from .process import Answer, File, Job, run

NOT_RUN = "not run: the time for this submission was used up"


@dataclass(frozen=True)
class Verdict:
    """What a question brought: the points, and what to tell the student."""

    name: str
    points: float
    of: float
    public: bool
    message: str = ""
    mistake: str = ""  # the known one that explains it


def grade(
    file: File,
    questions: Sequence[Question],
    extra: dict[str, Any] | None = None,
    budget: float = 600.0,
    trusted: bool = False,
    after_each: Callable[[list[Verdict]], None] | None = None,
) -> list[Verdict]:
    """Put the questions to a file.

    extra: inputs that come with the submission, such as a checkpoint.  budget: seconds for all questions.
    trusted: one's own file, which runs with one's own rights.  after_each: gets all verdicts after each question, so
    that what is known is kept whatever happens next; those not yet put have no points.
    """
    deadline = monotonic() + budget
    verdicts = [Verdict(q.name, 0.0, q.points, q.public, NOT_RUN) for q in questions]
    answers: dict[int, Answer] = {}
    for i, question in enumerate(questions):
        left = deadline - monotonic()
        if left <= 0:
            break
        given = {name: value for name, value in (extra or {}).items() if name in question.inputs}
        job = Job(question.probe, question.inputs | given, min(question.seconds, left))
        (answers[i],) = run(file, [job], trusted)
        verdicts[i] = _judged(replace(question, seconds=job.seconds), answers[i])
        if after_each:
            after_each(list(verdicts))
    return _named(verdicts, questions, answers)


def _judged(question: Question, answer: Answer) -> Verdict:
    verdict = Verdict(question.name, 0.0, question.points, question.public)
    if answer.error:
        return replace(verdict, message=_failure(answer, question))
    if question.judge is None:
        message = difference(answer.value, question.right, question.rtol)
        return replace(verdict, points=0.0 if message else question.points, message=message)
    try:
        share, message = question.judge(answer.value, question.right)
    except Exception:  # the answer is a stranger's: whatever it is, it is no answer
        share, message = 0.0, "your answer has another form than the handout asks for"
    return replace(verdict, points=question.points * min(max(float(share), 0.0), 1.0), message=message)


def _failure(answer: Answer, question: Question) -> str:
    """Why there is no answer. The text of an exception may tell inputs, so that of a hidden check is not shown."""
    if answer.error == "timeout":
        return f"it took more than {question.seconds:g} seconds"
    if answer.error == "killed":
        return "its process ended before it answered: out of memory or time, a crash, or os._exit"
    if answer.error == "nonsense":
        return "it wrote to the channel of the answers"
    where = f" at line {answer.line}" if answer.line else ""
    text = f": {answer.text}" if question.public and answer.text else ""
    return f"your code raised {answer.error}{where}{text}"


def _named(verdicts: list[Verdict], questions: Sequence[Question], answers: dict[int, Answer]) -> list[Verdict]:
    """The verdicts with known mistakes named: of those that answer alike, the one that explains most of them."""
    wrong = [i for i in answers if verdicts[i].points < verdicts[i].of]
    alike = {i: [k for k in questions[i].known() if same(answers[i], k.answer, questions[i].rtol)] for i in wrong}
    explains = Counter(known.name for found in alike.values() for known in found)
    for i, found in alike.items():
        if found:
            best = max(found, key=lambda known: explains[known.name])  # the first of the best
            verdicts[i] = replace(verdicts[i], message=best.says, mistake=best.name)
    return verdicts


def same(answer: Answer, known: Answer, rtol: float) -> bool:
    """Whether two answers are alike: the same numbers, or the same failure."""
    if answer.error or known.error:
        return answer.error == known.error
    return not difference(answer.value, known.value, rtol)


def points(verdicts: Iterable[Verdict]) -> float:
    """Their sum, to hundredths."""
    return round(sum(verdict.points for verdict in verdicts), 2)
