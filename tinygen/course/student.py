"""What a student does with a piece: begin it, check it, draw its picture, hand it in."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ..errors import ConfigError, RunError
from ..files import replace_file, writing
from .grade import grade
from .pieces import Piece, pieces, text_of
from .results import Result

HANDOUT = "handout.md"


def begin(piece: Piece, folder: Path, student: str = "") -> list[Path]:
    """Write a piece's stub and handout into a new folder. Raises RunError if there is work in it already."""
    if piece.variants and not student:
        raise ConfigError(f"piece {piece.number} differs from student to student; give your id with --student")
    files = {f"{piece.name}.py": piece.stub_of(student), HANDOUT: piece.text(HANDOUT)} | piece.fixtures
    if (folder / f"{piece.name}.py").exists():
        raise RunError(f"{folder / piece.name}.py is there already; move it away, or choose another folder with --out")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with replace_file(folder / name) as temporary:
                temporary.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / name for name in files]


def own_piece(folder: Path) -> Piece:
    """The piece that a folder is about. Raises RunError if it has none, or several."""
    found = [piece for piece in pieces() if (folder / f"{piece.name}.py").is_file()]
    if len(found) != 1:
        which = "no piece" if not found else "several pieces: " + ", ".join(piece.name for piece in found)
        raise RunError(
            f"{folder}: there is {which} in this folder; begin one with tinygen course new N, and cd into it"
        )
    return found[0]


def check(folder: Path) -> Result:
    """The public checks on one's own file."""
    piece = own_piece(folder)
    source = text_of(folder / f"{piece.name}.py")
    verdicts = grade(piece.run_as(source), piece.public, trusted=True)
    return Result("", piece.name, 0, verdicts)


def draw(folder: Path) -> Sequence[Path]:
    """The piece's picture, made of one's own file, which runs here. Raises RunError if the file fails."""
    piece = own_piece(folder)
    own = load_module(piece.name, folder / f"{piece.name}.py")
    picture = load_module(f"{piece.name}_picture", piece.folder / "picture.py")
    try:
        return picture.draw(own, folder)
    except Exception as error:
        raise RunError(
            f"{piece.name}.py can't be drawn yet ({type(error).__name__}: {error}); see tinygen course check"
        ) from error


def pack(folder: Path, path: Path) -> list[str]:
    """Write what is to be handed in into a zip file; returns the names. Raises RunError if one is missing."""
    piece = own_piece(folder)
    names = [f"{piece.name}.py", *piece.files]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise RunError(f"{folder}: {', '.join(missing)} is missing; the handout says how to make it")
    with (
        writing(path),
        replace_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in names:
            archive.write(folder / name, name)
    return names


def load_module(name: str, path: Path) -> ModuleType:
    """Run a file as a module of this name. Raises RunError if it fails."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise RunError(f"{path}: {type(error).__name__}: {error}") from error
    return module
