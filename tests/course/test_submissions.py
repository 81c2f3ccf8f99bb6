"""What students hand in, whatever it is, is read without harm."""

from __future__ import annotations

import os
import zipfile

import pytest

from tinygen.course.submissions import LARGEST_FILE, MOST_FILES, submission, submissions
from tinygen.errors import RunError


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return path


def test_folders_and_zip_files_are_read_alike(tmp_path):
    (tmp_path / "own" / "upload").mkdir(parents=True)
    (tmp_path / "own" / "upload" / "tape.py").write_text("x = 1")
    read = [submission(tmp_path / "own", "a"), submission(zipped(tmp_path / "a.zip", upload__tape="x = 1"), "a")]
    assert [found.source("tape") for found in read] == ["x = 1", "x = 1"]
    assert [found.source("layer") for found in read] == [None, None]


def test_the_outermost_file_counts(tmp_path):
    assert submission(zipped(tmp_path / "a.zip", old__tape="old", tape="new"), "a").source("tape") == "new"


def test_links_and_large_files_are_left_out(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("of the teacher")
    os.symlink(tmp_path / "secret", tmp_path / "own" / "tape.py")
    (tmp_path / "own" / "layer.py").write_bytes(bytes(LARGEST_FILE + 1))
    assert submission(tmp_path / "own", "a").files == {}
    assert submission(zipped(tmp_path / "a.zip", tape=bytes(LARGEST_FILE + 1)), "a").files == {}


def test_a_zip_file_of_thousands_is_read_in_part(tmp_path):
    path = zipped(tmp_path / "a.zip", **{f"f{i}": "" for i in range(MOST_FILES + 50)})
    assert len(submission(path, "a").files) == MOST_FILES


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "missing"])
def test_a_damaged_upload_stops_nobody(damage, tmp_path):
    (tmp_path / "class").mkdir()
    path = zipped(tmp_path / "class" / "ben.zip", tape="x = 1\n" * 999)
    zipped(tmp_path / "class" / "anna.zip", tape="x = 1")
    data = path.read_bytes()
    middle = len(data) // 3
    path.write_bytes(
        {"cut": data[:middle], "text": b"no zip"}.get(damage, data[:middle] + b"\xff" * 9 + data[middle + 9 :])
    )
    if damage == "missing":
        path.unlink()
    with pytest.raises(RunError, match="expected a folder or a zip file"):
        submission(path, "ben")
    found = {own.student: own.source("tape") for own in submissions(tmp_path / "class")}
    assert found.pop("ben", None) is None and found == {"anna": "x = 1"}


def test_what_is_no_text_is_no_python(tmp_path):
    (tmp_path / "tape.py").write_bytes(b"\xff\x00x")
    assert "\0" not in submission(tmp_path, "a").source("tape")
