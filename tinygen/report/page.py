"""report(run): the page, put together from page.html, style.css, the JavaScript of parts/ and views/, and the runs."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

from .. import files
from ..errors import ConfigError
from ..version import __version__
from .embed import to_script
from .gather import gather

HERE = Path(__file__).parent
BUDGET = 7_500_000  # bytes of a page, of which the runs get equal shares


class Page(type(Path())):  # type: ignore[misc]
    """The path of a page, which a notebook shows in a frame of its own."""

    def _repr_html_(self) -> str:
        page, name = html.escape(self.read_text(encoding="utf-8")), html.escape(self.name)
        style = "width: 100%; height: 800px; border: 1px solid #8888"
        return f'<iframe title="{name}" style="{style}" sandbox="allow-scripts" srcdoc="{page}"></iframe>'


def report(
    run: str | os.PathLike[str],
    *more: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    model: Any = None,
) -> Page:
    """Write the page of a run, or of two side by side, and return its path (RUN/report.html, or `out`).

    A notebook shows the page that the path leads to.

    It holds the run's recording if there is one, else its curves and sample pictures, and says what it can't show.
    model: for a run of a model of your own, its class, or a model like the one that was trained, as `tinygen.load`
    takes it; for two runs a list of two, with None for a tinygen model.

    Raises RunError if there is no such run, it can't be read, or the page can't be written; ConfigError for more than
    two runs, another suffix or an invalid model.

    >>> ring = tg.data.load("ring8", train=100, test=100)
    >>> model = tg.models.GAN(tg.models.GANConfig(data_shape=(2,), g_hidden=(8,), d_hidden=(8,)))
    >>> history = tg.fit(model, ring, steps=2, out="runs/mine", progress=False)
    >>> tg.report.report("runs/mine").name
    'report.html'
    """
    if len(more) > 1:
        raise ConfigError(f"report: takes one run or two, but {1 + len(more)} were given")
    target = Path(out) if out is not None else Path(run, "report.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {target}: the report is a web page, so its name must end in .html")
    if out is not None:  # else it goes into the run, whose absence `gather` reports
        files.check_place(target)
    paths = (run, *more)
    runs = [
        gather(Path(path), BUDGET // len(paths), own) for path, own in zip(paths, _each(model, len(paths)), strict=True)
    ]
    page = fill(" and ".join(one["name"] for one in runs), to_script({"tinygen": __version__, "runs": runs}))
    with files.writing(target), files.replace_file(target) as temporary:
        temporary.write_bytes(page.encode("utf-8", "backslashreplace"))  # names of files may not be text
    return Page(target)


def _each(model: Any, runs: int) -> list[Any]:
    """The model given for each run, from one for all of them, or from a list."""
    models = list(model) if isinstance(model, (list, tuple)) else [model] * runs
    if len(models) != runs:
        raise ConfigError(f"report: model is a list of {len(models)}, but there are {runs} runs; give one for each")
    for own in models:
        if own is not None and not hasattr(own, "load_state_dict"):
            raise ConfigError(f"report: model is {own!r:.80}, but it must be a model or the class of one")
    return models


def fill(title: str, data: str) -> str:
    """page.html with its title, style, data and script in their places."""
    page = (HERE / "page.html").read_text(encoding="utf-8")
    contents = {"TITLE": html.escape(title), "STYLE": _read("style.css"), "SCRIPT": script(), "DATA": data}
    for name, text in contents.items():  # data last, so that nothing in them is replaced
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def script() -> str:
    """The JavaScript of the page as one module: what the views share, then each view, then what starts the page."""
    parts = [*sorted((HERE / "parts").glob("*.js")), *sorted((HERE / "views").glob("*.js")), HERE / "main.js"]
    return "\n".join(path.read_text(encoding="utf-8") for path in parts)


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
