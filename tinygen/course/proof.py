"""The proof that a piece can be trusted: stubs get nothing, right answers all, and each mistake what it should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

from .checks import Mistake
from .grade import Verdict, grade, points
from .masters import Master, seed_of
from .pieces import own_variant, with_variant
from .submissions import as_inputs

STUB = "the stub"
STUDENTS = "anna", "ben", "cora", "dan", "eva", "finn"  # inputs and variants differ from one to the next


@dataclass(frozen=True)
class Proven:
    """One file that was graded: what it was, its points of how many, and what is wrong with that ("" if nothing is)."""

    piece: str
    file: str
    points: float
    of: float
    fault: str = ""


def prove(master: Master, students: Sequence[str] = STUDENTS[:1]) -> Iterator[Proven]:
    """Grade the stub, the solution, its other words and every mistake, as a stranger's file is graded."""
    for student in students:
        questions = master.questions(seed_of("proof", student), student)
        variant = own_variant(student, master.name, master.variants)
        sources: list[tuple[str, str, Mistake | None]] = [
            (STUB, master.stub(), None),
            ("the solution", with_variant(master.source, variant), None),
            *((f"in other words: {words.name}", master.changed(words, variant), None) for words in master.words),
            *((f"mistake: {mistake.name}", master.changed(mistake, variant), mistake) for mistake in master.mistakes),
        ]
        questions[0].known()  # all mistakes are run once, before threads ask for them
        with ThreadPoolExecutor(cpu_count()) as pool:
            extra = as_inputs(master.hand_in(student))
            runs = [
                pool.submit(grade, master.run_as(text), questions, None if name == STUB else extra)
                for name, text, _ in sources
            ]
            for (name, _, mistake), run in zip(sources, runs, strict=True):
                verdicts = run.result()
                yield Proven(master.name, name, points(verdicts), master.points, _fault(name, mistake, verdicts))


def _fault(name: str, mistake: Mistake | None, verdicts: list[Verdict]) -> str:
    """What is wrong with how a file was graded."""
    lost = {verdict.name for verdict in verdicts if verdict.points < verdict.of}
    if name == STUB:
        return f"gets points for {_listed({v.name for v in verdicts if v.points})}" if points(verdicts) else ""
    if mistake is None:
        return "; ".join(f"{verdict.name}: {verdict.message}" for verdict in verdicts if verdict.name in lost)
    if lost != set(mistake.fails):
        return f"loses {_listed(lost - set(mistake.fails))}, keeps {_listed(set(mistake.fails) - lost)}"
    unnamed = {verdict.name for verdict in verdicts if verdict.name in lost and verdict.mistake != mistake.name}
    return f"not named in {_listed(unnamed)}" if unnamed else ""


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
