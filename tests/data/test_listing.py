"""Every picture file below a folder is found once; others, and those that can't be opened, are counted by reason."""

import os
import socket

import pytest
from PIL import Image

from tinygen.data import load
from tinygen.data.listing import find_pictures, shown
from tinygen.errors import DataError
from tinygen.train import RunDirectory


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (2, 2), value).save(path)


def names(root):
    return [file.relative_to(root).as_posix() for file in find_pictures(root)[0]]


def test_links_to_folders_are_followed_but_no_folder_is_read_twice(tmp_path):
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    picture(elsewhere / "a.png")
    picture(root / "z" / "b.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "a").symlink_to(root / "z")  # a folder goes by its own name, whichever comes first
    (root / "z" / "up").symlink_to(root)
    (root / "itself").symlink_to("itself")
    (elsewhere / "back").symlink_to(root)
    (root / "file.png").symlink_to(elsewhere / "a.png")
    assert names(root) == ["file.png", "linked/a.png", "z/b.png"]
    assert find_pictures(root)[2] == {"links to a folder already read": 3, "without a suffix": 1}
    assert "not read: 3 links to a folder already read" in str(load(f"folder:{root}"))


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    picture(tmp_path / "folder.png" / "a.png")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path must be short
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(here)
    reason = r"5 not a regular file: .* \(device.png, gone.png, loop.png, pipe.png, socket.png\)"
    with pytest.warns(UserWarning, match=reason):
        assert len(load(f"folder:{tmp_path}").train) == 1


def test_a_pipe_in_place_of_the_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is not a folder"):
        load(f"folder:{tmp_path / 'pipe'}")


def test_what_is_not_permitted_is_counted(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "closed/c.png"):
        picture(tmp_path / name)
    listdir, open_image = os.listdir, Image.open

    def no_listing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    def no_reading(file, *rest, **options):
        if str(file).endswith("b.png"):
            raise PermissionError(13, "Permission denied", file)
        return open_image(file, *rest, **options)

    monkeypatch.setattr(os, "listdir", no_listing)
    monkeypatch.setattr(Image, "open", no_reading)
    reason = r"1 folders that can't be listed \(closed\), 1 can't be read: Permission denied \(b.png\)$"
    with pytest.warns(UserWarning, match=reason):
        assert len(load(f"folder:{tmp_path}").train) == 1


def test_a_folder_that_can_not_be_listed_is_refused(tmp_path, monkeypatch):
    def no_listing(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", no_listing)
    with pytest.raises(DataError, match=r"can't be listed \(Permission denied\)"):
        load(f"folder:{tmp_path}")


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    for name in (".hidden.png", "._a.png", ".thumbnails/a.png", "a.png", "b/.DS_Store.png", "b/a.png"):
        picture(tmp_path / name)
    assert names(tmp_path) == ["a.png", "b/a.png"]


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"new\nline.png", "日本 語.png".encode(), b" .png", b"a\tb.png"])
def test_any_name_is_read_and_can_be_printed(tmp_path, name):
    broken = os.path.join(os.fsencode(tmp_path), name)
    with open(broken, "wb") as file:
        file.write(b"no picture")
    picture(tmp_path / "good.png")
    with pytest.warns(UserWarning, match="1 of 2") as warned:
        load(f"folder:{tmp_path}")
    text = str(warned[0].message)
    assert text.encode("utf-8") and "\n" not in text and shown(os.fsdecode(name)) in text


def test_a_folder_of_any_name_is_read(tmp_path):
    root = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xe9t\xe9"))
    os.mkdir(root)
    picture(tmp_path / root / "a.png")
    assert str(load(f"folder:{root}")).encode().startswith(f"folder:{tmp_path}/\\udce9t\\udce9".encode())


@pytest.mark.parametrize("path", ["a\0b", "~nobody-by-that-name/x", "x" * 5000])
def test_impossible_paths_are_refused_in_a_line(path):
    with pytest.raises(DataError, match=r"folder: .*write folder:PATH") as error:
        load(f"folder:{path}")
    assert "\n" not in str(error.value) and "\0" not in str(error.value)


def test_relative_paths_and_trailing_slashes(tmp_path, monkeypatch):
    picture(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    prints = {load(f"folder:{path}").fingerprint() for path in ("photos", "photos/", "./photos", "photos/../photos")}
    assert len(prints) == 1
    monkeypatch.chdir("photos")
    assert len(load("folder:.").train) == 1


def test_exchanged_images_change_the_fingerprint(tmp_path):
    for i in range(3):
        picture(tmp_path / f"{i}.png", 50 * i)
    before = load(f"folder:{tmp_path}").fingerprint()
    os.replace(tmp_path / "0.png", tmp_path / "x.png")
    os.replace(tmp_path / "1.png", tmp_path / "0.png")
    os.replace(tmp_path / "x.png", tmp_path / "1.png")
    assert load(f"folder:{tmp_path}").fingerprint() != before


def test_runs_in_the_folder_are_not_data(tmp_path):
    picture(tmp_path / "cats" / "a.png")
    before = load(f"folder:{tmp_path}").fingerprint()
    with RunDirectory(tmp_path / "runs" / "gan").locked(resume=False):
        picture(tmp_path / "runs" / "gan" / "samples" / "step_000000.png")
    data = load(f"folder:{tmp_path}")
    assert data.fingerprint() == before and data.notes == ("not read: 1 tinygen runs",)
    with pytest.raises(DataError, match="is a tinygen run; give the folder of its images"):
        load(f"folder:{tmp_path / 'runs' / 'gan'}")
