"""How a notebook shows a Tensor and a Module: small tables, on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from ..backend import to_host
from ..colours import COLOURS
from ..layers.module import Module
from ..tensor import Tensor
from . import ruletext

MOST_CELLS = 64  # up to this many values are written out, more are drawn
MOST_ACROSS = 32  # rows and columns of a drawing
PIXEL = 8
CELL = "text-align: right; padding: 1px 6px"


def tensor_html(t: Tensor) -> str:
    """Shape, dtype and device, the op that made it, its gradient, and its values: orange above 0, blue below."""
    node = t.node
    if node is None:
        made = "constant"
    elif node.plan is None:
        made = "leaf, requires grad"
    else:
        made = f"{node.plan.op.title}: {ruletext.formula(node.plan.op)}"
    facts = [("shape", str(t.shape)), ("dtype", f"{t.dtype} on {t.device}"), ("made by", made)]
    if t.name:
        facts.insert(0, ("name", t.name))
    if t.grad is not None:
        norm = float(np.linalg.norm(to_host(t.grad.data).astype(float)))
        facts.append(("grad", f"{t.grad.item():.5g}" if t.size == 1 else f"norm {norm:.5g}"))
    lines = "".join(f"<tr><th style='text-align: left'>{k}</th><td>{escape(v)}</td></tr>" for k, v in facts)
    return f"<div>{_values(t)}<table>{lines}</table></div>"


def module_html(module: Module) -> str:
    """The summary as a table: layers and their parameters, and the sums."""
    head, *rows = module.summary_rows()
    return f"<table>{_row(head, 'th')}{''.join(_row(row, 'td') for row in rows)}</table>"


def _row(cells: Iterable[str], tag: str) -> str:
    sides = ("left", "left", "right")
    return "".join(
        [
            "<tr>",
            *(
                f"<{tag} style='text-align: {side}'>{escape(cell)}</{tag}>"
                for cell, side in zip(cells, sides, strict=True)
            ),
            "</tr>",
        ]
    )


def _values(t: Tensor) -> str:
    """A plane of the values: all of them, or the first channel of an image; no more than fit."""
    x = t.data
    while x.ndim > 2:
        x = x[..., 0] if x.ndim == 4 else x[0]
    if x.size == 0:
        return ""
    values = to_host(x.reshape(-1, x.shape[-1] if x.ndim else 1)[:MOST_ACROSS, :MOST_ACROSS])
    whole = values.size == t.size
    floats = values.astype(float)
    finite = np.abs(floats[np.isfinite(floats)])
    largest = float(finite.max()) if finite.size else 0.0
    if whole and values.size <= MOST_CELLS and values.shape[1] <= 12:
        return f"<table>{''.join(_value_row(row, largest) for row in values)}</table>"
    part = "" if whole else f"{values.shape[0]} × {values.shape[1]} of {t.size:,} values; "
    return _drawing(floats, largest, part)


def _value_row(row: Sequence[float], largest: float) -> str:
    cells = (
        f"<td style='{CELL}; background: {colour}{round(140 * share):02x}'>{value:.4g}</td>"
        for value, (colour, share) in ((value, _shade(float(value), largest)) for value in row)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _drawing(values: np.ndarray, largest: float, part: str) -> str:
    height, width = values.shape
    shades = [(y, x, *_shade(values[y, x], largest)) for y in range(height) for x in range(width)]
    squares = "".join(
        f"<rect x='{x}' y='{y}' width='1' height='1' fill='{colour}' fill-opacity='{share:.2f}'/>"
        for y, x, colour, share in shades
        if share
    )
    return (
        f"<svg width='{width * PIXEL}' height='{height * PIXEL}' viewBox='0 0 {width} {height}' "
        f"shape-rendering='crispEdges' style='border: 1px solid currentColor'>{squares}</svg>"
        f"<div>{part}orange above 0, blue below, full at ±{largest:.4g}</div>"
    )


def _shade(value: float, largest: float) -> tuple[str, float]:
    """A colour and how much of it; inf and NaN are magenta."""
    if not np.isfinite(value):
        return "#FF00FF", 1.0
    return COLOURS[1] if value > 0 else COLOURS[0], min(abs(value) / (largest or 1.0), 1.0)
