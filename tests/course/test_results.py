"""The forms of results, against what those who read them publish."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest

from tinygen.cli import course as cli
from tinygen.course import results
from tinygen.course.grade import Verdict
from tinygen.course.results import Result

SCHEMA = json.loads((Path(__file__).parent / "gradescope.schema.json").read_text())


@pytest.fixture
def graded():
    """Two students: one with a mistake, one who handed in nothing."""
    verdicts = [
        Verdict("a", 1.0, 1.0, True),
        Verdict("b", 0.0, 2.0, True, "add them up", "= for +="),
        Verdict("c", 2.5, 5.0, False, "half"),
    ]
    return [Result("anna", "tape", 7, verdicts), Result("=ben()", "", 8)]


def test_gradescope_reads_it(graded):
    made = json.loads(results.FORMATS["gradescope"](graded[:1]))
    jsonschema.validate(made, SCHEMA)
    assert made["score"] == 3.5
    assert made["output"].startswith("tape. Public checks: 1 of 3 points.")
    shown = [(test["visibility"], test["status"]) for test in made["tests"]]
    assert shown == [("visible", "passed"), ("visible", "failed"), ("after_due_date", "failed")]


def test_gradescope_reads_an_empty_one(graded):
    made = json.loads(results.FORMATS["gradescope"](graded[1:]))
    jsonschema.validate(made, SCHEMA)
    assert made["score"] == 0 and "No file of a piece" in made["output"]


@pytest.mark.parametrize("wrong", [{"score": "3"}, {"tests": [{}]}, {"score": 1, "visibility": "later"}, {}])
def test_the_schema_refuses_what_gradescope_would(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_prairielearn_reads_it(graded):
    made = json.loads(results.FORMATS["prairielearn"](graded[:1]))
    assert made["gradable"] is True and made["score"] == round(3.5 / 8, 4)
    assert [(t["name"], t["points"], t["max_points"]) for t in made["tests"]] == [
        ("a", 1, 1),
        ("b", 0, 2),
        ("c", 2.5, 5),
    ]
    assert [t["message"] for t in made["tests"]] == ["right", "add them up", ""]


def test_the_command_line_knows_every_form():
    assert set(cli.FORMATS) == set(results.FORMATS)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_class_is_a_table(graded):
    anna, ben = rows(results.FORMATS["csv"](graded))
    assert anna == {"student": "anna", "tape": "3.5", "total": "3.5", "seed": "7", "mistakes": "tape: = for +="}
    assert ben["student"] == "'=ben()", "a spreadsheet takes = for a formula"
    assert (ben["tape"], ben["total"]) == ("", "0")


def test_nbgrader_and_otter_have_their_columns(graded):
    (anna,) = rows(results.FORMATS["nbgrader"](graded))
    assert list(anna)[3] == "student_id" and list(anna)[-4:] == [
        "raw_score",
        "late_submission_penalty",
        "score",
        "max_score",
    ]
    assert (anna["assignment"], anna["score"], anna["max_score"]) == ("tape", "3.5", "8.0")
    anna, ben = rows(results.FORMATS["otter"](graded))
    assert (anna["tape: c"], anna["percent_correct"], ben["percent_correct"]) == ("2.5", "0.4375", "0.0")


def test_text_is_for_people(graded):
    lines = results.text(graded[0]).splitlines()
    assert lines[0] == "tape: 3.5 of 8 points"
    assert lines[2].split() == ["--", "b", "0", "of", "2", "add", "them", "up"]
    assert results.text(graded[1]) == "No file of a piece was handed in."
