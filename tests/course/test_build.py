"""The autograder for Gradescope, run as Gradescope runs it; and a class graded from a folder."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
import zipfile

import jsonschema
import pytest
from course.found import ALL, FOLDER
from course.test_results import SCHEMA

from tinygen.course.build import build
from tinygen.course.pieces import own_variant, with_variant


@pytest.fixture
def root(tmp_path, tape):
    """The folder /autograder with the contents of the zip file, and this Python in the place of what setup.sh makes."""
    build([tape], "a secret of the course", tmp_path / "autograder.zip")
    root = tmp_path / "autograder"
    for folder in ("source", "submission", "results", "venv/bin"):
        (root / folder).mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        archive.extractall(root / "source")
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111
    python = root / "venv" / "bin" / "python"  # no link: through one, Python would not find this environment's packages
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    (root / "submission_metadata.json").write_text(json.dumps({"id": 1, "users": [{"id": 42, "name": "Anna"}]}))
    return root


def run_autograder(root):
    script = root / "source" / "run_autograder"
    env = os.environ | {"AUTOGRADER": str(root)}
    return subprocess.run(["bash", str(script)], env=env, capture_output=True, text=True)


def test_the_zip_file_grades(root, tape):
    (root / "submission" / "tape.py").write_text(tape.source.replace("parent.grad += ", "parent.grad = "))
    done = run_autograder(root)
    assert done.returncode == 0, done.stderr
    made = json.loads((root / "results" / "results.json").read_text())
    jsonschema.validate(made, SCHEMA)
    assert made["score"] == 2.5
    (told,) = {test["output"] for test in made["tests"] if test["status"] == "failed"}
    assert "must be added up" in told
    assert "seed" in done.stdout and "seed" not in json.dumps(made), "the seed is for the teacher"


def test_an_empty_submission_has_a_result(root):
    done = run_autograder(root)
    assert done.returncode == 0, done.stderr
    made = json.loads((root / "results" / "results.json").read_text())
    jsonschema.validate(made, SCHEMA)
    assert made["score"] == 0


def test_the_zip_file_is_the_same_for_the_same_course(tmp_path, tape):
    for name in "ab":
        build([tape], "a secret of the course", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_setup_is_a_script_that_bash_reads(root):
    for script in ("setup.sh", "run_autograder"):
        assert subprocess.run(["bash", "-n", str(root / "source" / script)]).returncode == 0


def test_a_class_becomes_a_table(tmp_path, campaign):
    """Thirty students, each with a file of their own; a few of them by default."""
    handed_in = {}
    for i in range(30 if campaign else 2):
        master, student = ALL[i % len(ALL)] if campaign else ALL[0], f"student{i:02}"
        variant = own_variant(student, master.name, master.variants)
        sources = [("right", with_variant(master.source, variant))]
        sources += [(mistake.name, master.changed(mistake, variant)) for mistake in master.mistakes]
        sources += [("stub", master.stub())]
        name, source = sources[(i // len(ALL) * 5 + i) % len(sources) if campaign else i]
        handed_in[student] = master, name
        folder = tmp_path / "class" / student / "upload"
        folder.mkdir(parents=True)
        (folder / f"{master.name}.py").write_text(source)
        for extra, data in master.hand_in(student).items() if name != "stub" else ():
            (folder / extra).write_bytes(data)
    (tmp_path / "class" / "zz.zip").write_text("no zip file")
    code = "import sys; from tinygen.cli import main; sys.exit(main())"
    args = ["course", "grade", "class", "--masters", str(FOLDER), "--secret", "s", "--out", "grades.csv"]
    env = os.environ | {"PYTHONPATH": str(FOLDER.parents[1])}
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "grades.csv").read_text()
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(table))}
    assert set(rows) == {*handed_in, "zz"} and rows["zz"]["total"] == "0"
    for student, (master, name) in handed_in.items():
        lost = {mistake.name: mistake.fails for mistake in master.mistakes}.get(name, [])
        points = 0 if name == "stub" else sum(check.points for check in master.checks if check.name not in lost)
        assert float(rows[student]["total"]) == points, (student, name)
        if lost:
            assert name in rows[student]["mistakes"]
