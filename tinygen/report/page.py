"""report(run): the page, put together from page.html, style.css, the JavaScript of parts/ and views/, and the runs."""

from __future__ import annotations

import html
import os
from pathlib import Path

from .. import files
from ..errors import ConfigError
from ..version import __version__
from .embed import to_script
from .gather import gather

HERE = Path(__file__).parent
BUDGET = 7_500_000  # bytes of a page, of which the runs get equal shares


def report(
    run: str | os.PathLike[str], *more: str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> Path:
    """Write the page of a run, or of two side by side, and return its path (RUN/report.html, or `out`).

    It holds the run's recording if there is one, else its curves and sample pictures.  Raises RunError if there is no
    such run, it can't be read, or the page can't be written; ConfigError for more than two runs or for another suffix.
    """
    if len(more) > 1:
        raise ConfigError(f"report: takes one run or two, but {1 + len(more)} came")
    target = Path(out) if out is not None else Path(run, "report.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {target}: the report is a web page, so its name must end in .html")
    runs = [gather(Path(path), BUDGET // (1 + len(more))) for path in (run, *more)]
    page = fill(" and ".join(one["name"] for one in runs), to_script({"tinygen": __version__, "runs": runs}))
    with files.writing(target), files.replace_file(target) as temporary:
        temporary.write_bytes(page.encode("utf-8", "backslashreplace"))  # names of files may not be text
    return target


def fill(title: str, data: str) -> str:
    """page.html with its title, style, data and script in their places."""
    page = (HERE / "page.html").read_text(encoding="utf-8")
    contents = {"TITLE": html.escape(title), "STYLE": _read("style.css"), "SCRIPT": script(), "DATA": data}
    for name, text in contents.items():  # the data come last: nothing is looked for inside of them
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def script() -> str:
    """The JavaScript of the page as one module: first what the views share, then each view, then what starts it."""
    parts = [*sorted((HERE / "parts").glob("*.js")), *sorted((HERE / "views").glob("*.js")), HERE / "main.js"]
    return "\n".join(path.read_text(encoding="utf-8") for path in parts)


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
