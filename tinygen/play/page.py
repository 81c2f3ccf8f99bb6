"""play(): the page, put together from page.html, parts of the report, and the style and scripts of this folder."""

from __future__ import annotations

import os
from pathlib import Path

from .. import files
from .. import report as report_package
from ..errors import ConfigError
from ..losses import GAN_LOSSES
from ..report.embed import to_script
from ..version import __version__

HERE, REPORT = Path(__file__).parent, Path(report_package.__file__).parent
PLANE = ("dom", "theme", "images", "plane", "game", "turns", "losses")  # parts of the report, as those below
SHARED = (*PLANE, "announce", "described", "clock", "views", "chart")
OWN = ("tape", "networks", "games", "data", "lab", "curves", "picture", "player", "words", "controls", "drag", "layout")


def play(out: str | os.PathLike[str] = "play.html") -> Path:
    """Write the page on which a GAN learns live, and return its path.

    Raises ConfigError unless the name ends in .html or .htm, RunError if it can't be written.
    """
    target = Path(out)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {target}: the lab is a web page, so its name must end in .html")
    files.check_place(target)
    with files.writing(target), files.replace_file(target) as temporary:
        temporary.write_text(page(), encoding="utf-8")
    return target


def page() -> str:
    """The HTML of the page, all of it."""
    losses = {name: loss.describe() for name, loss in GAN_LOSSES.items()}
    style = _read(REPORT / "style.css") + _read(HERE / "play.css")
    contents = {"STYLE": style, "SCRIPT": script(), "DATA": to_script({"tinygen": __version__, "losses": losses})}
    text = _read(HERE / "page.html")
    for name, part in contents.items():
        text = text.replace(f"{{{{{name}}}}}", part)
    return text


def script() -> str:
    """The JavaScript of the page; it does nothing until start() is called."""
    shared = [REPORT / "parts" / f"{name}.js" for name in SHARED]
    own = [HERE / f"{name}.js" for name in (*OWN, "main")]
    return "\n".join(map(_read, (*shared, *own)))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
