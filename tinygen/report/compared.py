"""The page of a comparison: its table, the curves of its groups, and the last samples of each run."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..settings import format_value
from ..train import RunDirectory
from ..train.shown import data_url
from ..version import __version__
from ..viz.bands import bands

if TYPE_CHECKING:
    from .comparison import Comparison, Group, Run

HERE = Path(__file__).parent
SIDE = 320  # pixels of the longer side of a run's samples
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title} · tinygen</title>
<style>
{style}</style>
<script>
const dark = matchMedia("(prefers-color-scheme: dark)");
const apply = () => {{ document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; }};
dark.addEventListener("change", apply);
apply();
</script>
</head>
<body class="compared">
<main>
<h1>{title}</h1>
{body}<p class="quiet small">tinygen {version}</p>
</main>
</body>
</html>
"""


def page(comparison: Comparison, folder: Path) -> str:
    """The page as HTML; its links to the pages of runs start from `folder`."""
    style = (HERE / "style.css").read_text(encoding="utf-8")
    title = f"{len(comparison.runs):,} run{'s' * (len(comparison.runs) != 1)} compared"
    body = "".join([_table(comparison.table()), _curves(comparison.groups), _samples(comparison.groups, folder)])
    return PAGE.format(title=title, style=style, body=body, version=__version__)


def _table(rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str], first: str, tag: str) -> str:
        cells = "".join(f"<{tag}>{html.escape(cell)}</{tag[:2]}>" for cell in row[1:])
        return f"<tr><{first}>{html.escape(row[0])}</th>{cells}</tr>\n"

    head, *others = rows
    body = "".join(line(row, 'th scope="row"', "td") for row in others)
    top = line(head, 'th scope="col"', 'th scope="col"')
    about = (
        "Each row: the mean over its runs, which differ in their seed alone, ± their standard deviation. "
        "Runs that were not evaluated are judged by the mean of the last tenth of their curves."
    )
    return (
        f'<p class="quiet">{about}</p>\n<div class="scroll panel"><table><thead>{top}</thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _curves(groups: Sequence[Group]) -> str:
    picture = io.BytesIO()
    rows = [[RunDirectory(run.path).read_metrics() for run in group.runs] for group in groups]
    bands(dict(zip(labels(groups), rows, strict=True))).savefig(picture, format="png")
    alt = "The curve of each metric by step, for each row of the table"
    return (
        "<h2>Curves</h2>\n<p>The mean over the runs of a row, in a band of a standard deviation to either side.</p>"
        f'\n<div class="scroll"><img class="curves" alt="{alt}" src="{data_url(picture.getvalue())}"></div>\n'
    )


def _samples(groups: Sequence[Group], folder: Path) -> str:
    named = zip(labels(groups), groups, strict=True)
    rows = [f"<h3>{html.escape(name)}</h3>\n{_row(group, folder)}" for name, group in named]
    return f"<h2>Samples</h2>\n<p>The last that each run drew while it learnt.</p>\n{''.join(rows)}"


def _row(group: Group, folder: Path) -> str:
    return f'<div class="samples">{"".join(_run(run, folder) for run in group.runs)}</div>\n'


def _run(run: Run, folder: Path) -> str:
    name = html.escape(run.path.name if run.seed is None else f"seed {run.seed}")
    report, picture = run.path / "report.html", _picture(run)
    if report.exists():
        link = quote(os.path.relpath(report, folder).replace(os.sep, "/"))
        name = f'<a href="{link}">{name}: what happened inside</a>'
    image = f'<img alt="samples of {html.escape(run.path.name)}" src="{picture}">' if picture else ""
    return f"<figure>{image}<figcaption>{name}</figcaption></figure>"


def _picture(run: Run) -> str:
    """The last sample picture of a run, made smaller, as an address; "" if there is none that can be read."""
    from PIL import Image

    pictures = list(RunDirectory(run.path).samples().values())
    try:
        with Image.open(pictures[-1]) as image:
            small, out = image.convert("RGB"), io.BytesIO()
    except (IndexError, OSError):
        return ""
    small.thumbnail((SIDE, SIDE))
    small.save(out, format="PNG", optimize=True)
    return data_url(out.getvalue())


def labels(groups: Sequence[Group]) -> list[str]:
    """What tells each group from the others, in words; of a single one, its model."""
    differing = [key for key in groups[0].values if len({str(group.values[key]) for group in groups}) > 1]
    return [", ".join(_said(key, group.values[key]) for key in differing or ["model"]) for group in groups]


def _said(key: str, value: Any) -> str:
    return value if key == "model" else f"{key}={format_value(value)}"
