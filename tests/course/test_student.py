"""What a student does, from the command line."""

from __future__ import annotations

import zipfile

import pytest
from course.found import ALL

from tinygen.cli import main
from tinygen.course import pieces


@pytest.fixture
def own(tmp_path, monkeypatch, capsys):
    """The folder of piece 1, begun."""
    monkeypatch.chdir(tmp_path)
    assert main(["course", "new", "1"]) == 0
    assert "complete tape/tape.py" in capsys.readouterr().out
    return tmp_path / "tape"


def test_a_piece_is_begun_with_a_stub_and_a_handout(own, capsys):
    assert {file.name for file in own.iterdir()} == {"tape.py", "handout.md"}
    (own / "tape.py").write_text("mine")
    assert main(["course", "new", "tape"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (own / "tape.py").read_text() == "mine"


def test_the_stub_has_no_points_and_the_solution_all(own, tape, capsys):
    assert main(["course", "check", "tape"]) == 1
    assert "tape: 0 of 3 points" in capsys.readouterr().out
    (own / "tape.py").write_text(tape.source)
    assert main(["course", "check", "tape"]) == 0
    assert "tape: 3 of 3 points" in (out := capsys.readouterr().out)
    assert "The other 5 points are for hidden checks" in out


def test_a_mistake_is_named_without_the_masters(own, tape, capsys):
    (own / "tape.py").write_text(tape.source.replace("parent.grad += ", "parent.grad = "))
    assert main(["course", "check", "tape"]) == 1
    assert "its shares must be added up" in capsys.readouterr().out


def test_the_picture_is_of_the_own_file(own, tape, capsys):
    (own / "tape.py").write_text(tape.source)
    assert main(["course", "run", "tape"]) == 0
    assert "tape.svg" in capsys.readouterr().out
    assert "gradient" in (own / "tape.svg").read_text()


def test_a_file_that_fails_is_told(own, capsys):
    (own / "tape.py").write_text("1 / 0")
    assert main(["course", "run", "tape"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert main(["course", "check", "tape"]) == 1
    assert "raised ZeroDivisionError at line 1: division by zero" in capsys.readouterr().out
    (own / "tape.py").write_text("def f(:")
    assert main(["course", "check", "tape"]) == 1
    assert "raised SyntaxError at line 1" in capsys.readouterr().out
    (own / "tape.py").write_bytes(b"\xff\xfe")
    assert main(["course", "check", "tape"]) == 2
    assert "can't be read as text" in capsys.readouterr().err


def test_what_a_file_prints_is_shown(tape, tmp_path, capfd):
    (tmp_path / "tape.py").write_text(tape.source + "print('here I am')\n")
    assert main(["course", "check", str(tmp_path)]) == 0
    assert capfd.readouterr().err.count("here I am") == 3, "one for each check"


def test_what_is_handed_in_is_a_zip_file(own, capsys):
    assert main(["course", "pack", "tape"]) == 0
    assert zipfile.ZipFile(own.parent / "tape.zip").namelist() == ["tape.py"]
    assert main(["course", "pack", "."]) == 2
    assert "no piece in this folder" in capsys.readouterr().err


@pytest.mark.parametrize("master", ALL, ids=[master.name for master in ALL])
def test_no_line_of_a_solution_is_in_a_students_folder(master, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["course", "new", master.name, "--student", "anna", "--out", "own"]) == 0
    text = "\n".join(file.read_text(errors="replace") for file in (tmp_path / "own").iterdir())
    assert not set(master.solution_lines()) & {line.strip() for line in text.splitlines()}


def test_the_list_has_every_piece(capsys):
    assert main(["course", "list"]) == 0
    out = capsys.readouterr().out
    assert all(piece.name in out and piece.title in out for piece in pieces.pieces())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["new", "99"], "there is no piece '99'"),
        (["check", "nowhere"], "no piece in this folder"),
        (["grade", "nowhere", "--secret", "s"], "expected a folder"),
        (["grade", "."], "--secret"),
        (["proof", "--masters", "."], "no masters here"),
        (["build", "--masters", ".", "--secret", "s"], "no masters here"),
        ([], "ACTION"),
    ],
)
def test_bad_usage_is_one_line(args, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["course", *args]) == 2
    err = capsys.readouterr().err
    assert told in err and len(err.splitlines()) == 1
