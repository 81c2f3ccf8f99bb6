"""The checkpoint of piece 12: what is handed in is a stranger's file, and worth the modes that it reaches."""

from __future__ import annotations

import io

import numpy as np
import pytest
from course.found import ALL

from tinygen.course.grade import grade
from tinygen.course.masters import seed_of
from tinygen.course.pieces import own_variant, with_variant
from tinygen.course.student import load_module
from tinygen.course.submissions import as_inputs

(MASTER,) = [master for master in ALL if master.name == "collapse"]
CHECK = "the modes of your checkpoint"
STUDENTS = {own_variant(name, "collapse", MASTER.variants)["MIXTURE"]: name for name in map(str, range(30))}


def probes():
    return load_module("collapse_probes", MASTER.piece.folder / "probes.py")


@pytest.fixture(scope="module")
def shapes():
    return probes().SHAPES


def verdict(mixture: str, data: bytes):
    """The verdict on a checkpoint handed in by a student of a mixture, beside the solution's file."""
    student = STUDENTS[mixture]
    (question,) = [q for q in MASTER.questions(seed_of("tests", student), student) if q.name == CHECK]
    file = MASTER.run_as(with_variant(MASTER.source, {"MIXTURE": mixture}))
    return grade(file, [question], as_inputs({"mended.npz": data}))[0]


def npz(arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_every_mixture_has_students_and_a_record():
    assert set(STUDENTS) == set(MASTER.variants["MIXTURE"])
    for mixture in STUDENTS:
        assert (MASTER.piece.folder / "fixtures" / f"runs_{mixture}.json").stat().st_size < 60_000


@pytest.mark.parametrize("mixture", STUDENTS)
def test_the_solutions_checkpoint_has_all_points_on_its_own_mixture_alone(mixture):
    assert verdict(mixture, MASTER.hand_in(STUDENTS[mixture])["mended.npz"]).points == 1.5
    other = next(own for own in STUDENTS if own != mixture)
    lost = verdict(mixture, MASTER.hand_in(STUDENTS[other])["mended.npz"])
    assert lost.points < 1.5 and "of the 8 modes of your mixture" in lost.message


def bad_checkpoints(shapes):
    zeros = {name: np.zeros(shape) for name, shape in shapes.items()}
    yield "is missing", b""
    yield "can't be read", b"no zip file"
    yield "can't be read", npz(zeros)[:-200]
    yield "can't be read", npz(zeros | {"w1": np.array([{}], object)})
    yield "100 kB", bytes(200_000)
    yield "100 kB", npz(zeros | {"more": np.zeros(20_000)})
    yield "32", npz({name: array for name, array in zeros.items() if name != "b2"})
    yield "32", npz(zeros | {"w2": np.zeros((32, 31))})
    yield "floats", npz(zeros | {"b3": np.zeros(2, int)})
    yield "floats", npz(zeros | {"b3": np.zeros(2, complex)})
    yield "NaNs", npz(zeros | {"b3": np.full(2, np.nan)})
    yield "0 of the 8 modes", npz(zeros | {"b3": np.array([9.0, 9.0])})
    yield "0 of the 8 modes", npz(zeros | {"w3": np.full((32, 2), 1e308), "b2": np.full(32, 1e308)})


def test_a_bad_checkpoint_has_no_points_and_a_reason(shapes):
    checks = load_module("collapse_checks", MASTER.folder / "checks.py")
    collapse = load_module("collapse", MASTER.folder / "collapse.py")
    z = np.random.default_rng(0).normal(size=(2000, 2))
    right = probes().checkpoint(collapse, np.zeros(0, np.uint8), z)
    for reason, data in bad_checkpoints(shapes):
        answer = probes().checkpoint(collapse, np.frombuffer(data, np.uint8), z)
        share, told = checks.judge_checkpoint(answer, right)
        assert share == 0 and reason in told, (reason, told)


def test_a_missing_checkpoint_loses_its_own_points_alone():
    student = STUDENTS["ring"]
    questions = MASTER.questions(seed_of("tests", student), student)
    verdicts = grade(MASTER.run_as(with_variant(MASTER.source, {"MIXTURE": "ring"})), questions, {})
    assert [v.name for v in verdicts if v.points < v.of] == [CHECK]


def test_a_file_that_lies_about_z_and_the_mixture_gains_nothing():
    """The grader uses its own z and its own centres; only the arrays come from the student's process."""
    liar = "\nreal_centres = centres\ndef centres():\n    return 0 * real_centres()\nSTD = 100.0\n"
    student = STUDENTS["ring"]
    (question,) = [q for q in MASTER.questions(seed_of("tests", student), student) if q.name == CHECK]
    zeros = npz({name: np.zeros(shape) for name, shape in probes().SHAPES.items()})
    assert grade(MASTER.run_as(MASTER.stub() + liar), [question], as_inputs({"mended.npz": zeros}))[0].points == 0
