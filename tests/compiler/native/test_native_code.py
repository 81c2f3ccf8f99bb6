"""Machine code on disk: compiled once, and no worse off for a broken cache."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native import code
from tinygen.compiler.native.ir import Module
from tinygen.compiler.native.values import INT
from tinygen.files import code_dir


def text_with(number: int) -> str:
    """A function that writes a number to where its first argument points."""
    module = Module()
    f = module.function("job", "place")
    f.store(f.constant(number, INT), f.parameters[0])
    return str(module)


def written(number: int) -> int:
    place = np.zeros(1, np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_int64)(code.address_of(text_with(number)))(place.ctypes.data)
    return int(place[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cache that is empty, and a process that has compiled nothing yet."""
    monkeypatch.setenv("TINYGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(code, "_addresses", {})
    monkeypatch.setattr(code, "work", code.Work())
    return tmp_path / "cache" / "code"


def test_what_is_compiled_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [written(1001), written(1001), written(1002)] == [1001, 1001, 1002]
    assert (code.work.compiled, code.work.found) == (2, 0)
    assert code.work.seconds > 0
    assert len(list(folder.iterdir())) == 2
    script = f"""import sys; sys.path[:0] = {[str(Path(code.__file__).parents[3]), str(Path(__file__).parent)]}
from test_native_code import *
assert written(1001) == 1001
print(code.work.compiled, code.work.found)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, timeout=60)
    assert (done.stdout, done.stderr) == ("0 1\n", "")


@pytest.mark.parametrize("damage", [b"", b"x" * 1000, None])
def test_a_damaged_file_is_compiled_again(folder: Path, damage: bytes | None) -> None:
    number = 2000 + len(damage or b"")
    assert written(number) == number
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if damage is None else damage)
    code._addresses.clear()
    with pytest.MonkeyPatch.context() as patch:  # the function of this name is loaded already: compile, don't load
        patch.setattr(code, "_load", lambda name, binary: 0)
        code.address_of(text_with(number))
    assert code.work.compiled == 2
    assert file.read_bytes() == whole


@pytest.mark.parametrize("where", ["/dev/null/folder", ""])
def test_no_folder_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("TINYGEN_CACHE", where)
    monkeypatch.setenv("XDG_CACHE_HOME", where and "/dev/null")
    monkeypatch.setattr(Path, "home", lambda: Path("/dev/null"))
    number = 3000 + len(where)
    assert written(number) == number
    assert code.work.compiled == 1


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    folder.parent.write_text("a file is in the way")
    assert written(3100) == 3100


def test_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    monkeypatch.delenv("TINYGEN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert code_dir() == Path("/home/ada/.cache/tinygen/code")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert code_dir() == Path("/caches/tinygen/code")
    monkeypatch.setenv("TINYGEN_CACHE", "/own")
    assert code_dir() == Path("/own/code")


def test_the_code_can_be_looked_at() -> None:
    assert "ret" in code.assembly(text_with(1))
