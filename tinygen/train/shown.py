"""How a notebook shows a run: its last samples, its curves and its last numbers, as HTML that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ..rows import Rows

if TYPE_CHECKING:
    from .callbacks import History
    from .run import RunDirectory


def history_html(history: History) -> str:
    """A History as a table: each metric at the first and at the last step that has it."""
    return f"<div><p>{escape(repr(history))}</p>{_first_and_last(history.rows)}</div>"


def run_html(run: RunDirectory) -> str:
    """A run directory: its last sample picture, its curves so far, and a table of its metrics.

    Raises RunError if the directory holds no run.
    """
    run.read_config()
    rows, samples = run.read_metrics(), list(run.samples().values())
    pictures = pictures_html(samples[-1].read_bytes() if samples else None, rows)
    return f"<div><p>{escape(str(run.path))}</p>{pictures}{_first_and_last(rows)}</div>"


def pictures_html(samples: bytes | None, rows: Sequence[Any]) -> str:
    """A PNG of samples, if there is one, beside the curves of some rows, if there are any."""
    from .. import viz

    pictures = [] if samples is None else [("samples", samples)]
    if rows:
        curves = io.BytesIO()
        viz.curves(rows).savefig(curves, format="png")
        pictures.append(("curves", curves.getvalue()))
    images = (f"<img alt='{name}' style='max-width: 49%' src='{data_url(png)}'>" for name, png in pictures)
    return f"<div style='display: flex; gap: 2%; align-items: flex-start'>{''.join(images)}</div>"


def data_url(png: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _first_and_last(rows: Rows) -> str:
    def cells(tag: str, *texts: str) -> str:
        return "<tr>" + "".join(f"<{tag} style='text-align: right'>{escape(text)}</{tag}>" for text in texts) + "</tr>"

    lines = [cells("th", "", "first", "last")]
    for name in rows.names():
        values = [row[name] for row in rows if name in row]
        lines.append(cells("td", name, f"{values[0]:.4g}", f"{values[-1]:.4g}"))
    return f"<table>{''.join(lines)}</table>"
