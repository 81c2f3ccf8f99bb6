"""Writing: whole files, or the old ones and an error that says what to do, wherever the disk runs full."""

import errno
import os
from pathlib import Path

import pytest

from tinygen.errors import RunError
from tinygen.train import disk


def raising(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("point", [(Path, "write_bytes"), (os, "fsync"), (os, "replace")], ids=lambda p: p[1])
@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, point, there):
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"old")
    monkeypatch.setattr(*point, raising(errno.ENOSPC))
    with pytest.raises(RunError, match=r"can't write .*file: No space left on device; free some space, .* --resume"):
        disk.write(path, b"new")
    monkeypatch.undo()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"old"] if there else [])


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Permission denied; choose a writable directory with --out"),
        (errno.EROFS, "Read-only file system; choose a writable directory with --out"),
        (errno.EDQUOT, "Disk quota exceeded; free some space, then try again, with --resume if"),
        (errno.EISDIR, "Is a directory; a folder is in the way; choose another directory with --out"),
        (errno.ENAMETOOLONG, "File name too long; choose another directory with --out"),
        (errno.ENOTDIR, "Not a directory; a file is in the way"),
        (errno.EIO, "Input/output error; choose another directory with --out"),
    ],
)
def test_the_cause_and_what_to_do(tmp_path, number, advice):
    with pytest.raises(RunError, match=rf"can't write {tmp_path}: {advice}") as caught, disk.writing(tmp_path):
        raising(number)()
    assert caught.value.__cause__.errno == number


def test_a_real_full_device():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(RunError, match="/dev/full: No space left"):
        disk.append(Path("/dev/full"), "a line")


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="a file is in the way"):
        disk.write(tmp_path / "file" / "below", b"")


def test_lines_are_appended_whole(tmp_path):
    path = tmp_path / "lines"
    disk.flush(path)  # a missing file is no error
    disk.append(path, "one")
    disk.append(path, "zwei: ä")
    disk.flush(path)
    assert path.read_bytes() == "one\nzwei: ä\n".encode()


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    kept = [tmp_path / "a.part", tmp_path / ".hidden", tmp_path / "deep" / "b"]
    (tmp_path / "deep").mkdir()
    for path in [*kept, tmp_path / ".a.png.part", tmp_path / "deep" / ".b.safetensors.part"]:
        path.write_bytes(b"")
    disk.remove_leftovers(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
