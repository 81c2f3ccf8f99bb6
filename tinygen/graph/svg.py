"""A Graph as SVG: boxes sized by their text, colours by network, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

from ..colours import COLOURS
from .boxes import Box, Edge
from .layout import GAP_X, layout

Routes: TypeAlias = dict[tuple[str, str], list[tuple[float, float]]]  # the points of each edge, by its ends

CHARACTER, TITLE_CHARACTER, LINE = 6.65, 7.25, 15.0  # pixels, in the monospaced fonts below
PADDING, MARGIN, ROUND = 10.0, 16.0, 16.0
LABEL_ROOM = 20.0  # for a network's name, above its boxes

# Text and lines take the colour of the page around them; fills let its background show through. In a file of its own,
# the picture follows the reader's choice of light or dark.
STYLE = """
.tinygen-graph { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.tinygen-graph:root { color-scheme: light dark; color: CanvasText; background: Canvas; }
.tinygen-graph text { fill: currentColor; text-anchor: middle; }
.tinygen-graph .title { font-size: 12px; font-weight: bold; }
.tinygen-graph g { --ink: color-mix(in srgb, var(--hue, currentColor) 70%, currentColor); }
.tinygen-graph .box { fill: var(--hue, currentColor); stroke: var(--ink); stroke-width: 1.3; fill-opacity: 0.1; }
.tinygen-graph .layer .box { fill-opacity: 0.22; }
.tinygen-graph .rule .box { stroke-dasharray: 5 3; }
.tinygen-graph .constant .box { stroke-dasharray: 1.5 3; fill: none; }
.tinygen-graph .frozen .box { fill-opacity: 0.06; stroke-dasharray: 1.5 3; }
.tinygen-graph .edge { fill: none; stroke: currentColor; stroke-opacity: 0.55; stroke-width: 1.2; }
.tinygen-graph .made { stroke-dasharray: 1.5 4; }
.tinygen-graph .head { fill: currentColor; fill-opacity: 0.75; }
.tinygen-graph .network { fill: none; stroke: var(--ink); stroke-opacity: 0.6; }
.tinygen-graph text.name { text-anchor: start; font-size: 13px; font-weight: bold; fill: var(--ink); }
"""


def place(boxes: Sequence[Box], edges: Sequence[Edge]) -> tuple[Routes, float, float]:
    """Give each box its size and place; returns the points of each edge, and the size of the picture."""
    for box in boxes:
        texts = [len(line) * CHARACTER for line in box.lines] + [len(box.title) * TITLE_CHARACTER]
        box.width = round(max(texts) + 2 * PADDING, 1)
        box.height = LINE * (1 + len(box.lines)) + PADDING
    widest = max((len(edge.label) for edge in edges), default=0)
    sizes = {box.id: (box.width, box.height) for box in boxes}
    placed = layout(sizes, [(e.source, e.target) for e in edges], max(GAP_X, 2 * (widest * CHARACTER + 8)))
    top = MARGIN + (LABEL_ROOM if any(box.network for box in boxes) else 0)
    for box in boxes:
        x, y = placed.middles[box.id]
        box.x, box.y = round(x + MARGIN, 1), round(y + top, 1)
    routes = {
        (str(u), str(v)): [(round(x + MARGIN, 1), round(y + top, 1)) for x, y in points]
        for (u, v), points in placed.routes.items()
    }
    return routes, round(placed.width + 2 * MARGIN, 1), round(placed.height + top + MARGIN, 1)


def draw(boxes: Sequence[Box], edges: Sequence[Edge], routes: Routes, size: tuple[float, float]) -> str:
    """The SVG of boxes whose places are known, and of the edges between them."""
    width, height = size
    networks = sorted({box.network for box in boxes if box.network})
    hues = {name: COLOURS[i % (len(COLOURS) - 1)] for i, name in enumerate(networks)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tinygen-graph" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<style>{STYLE}</style>",
        *(_network(name, hues[name], boxes) for name in networks),
        *(_edge(edge, routes[edge.source, edge.target]) for edge in edges),
        *(_box(box, hues.get(box.network)) for box in boxes),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _box(box: Box, hue: str | None) -> str:
    style = f' style="--hue: {hue}"' if hue else ""
    x, y = box.x - box.width / 2, box.y - box.height / 2
    round_ends = ROUND if box.kind in ("parameter", "input", "constant") else 5
    first = y + PADDING / 2 + 11.5
    lines = [f'<text class="title" x="{box.x:g}" y="{first:g}">{escape(box.title)}</text>']
    lines += [
        f'<text x="{box.x:g}" y="{first + LINE * (i + 1):g}">{escape(line)}</text>' for i, line in enumerate(box.lines)
    ]
    return (
        f'<g class="{box.kind}{" frozen" if box.frozen else ""}"{style}><title>{escape(_tooltip(box))}</title>'
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{box.width:g}" height="{box.height:g}" rx="{round_ends:g}"/>'
        f"{''.join(lines)}</g>"
    )


def _tooltip(box: Box) -> str:
    lines = [f"{box.title}  {box.path}".strip(), box.formula]
    lines += [f"{name} = {rule}" if name != "all" else rule for name, rule in box.rules.items()]
    lines += [f"{name}: {text}" for name, text in box.helpers.items()]
    lines += [f"{box.dtype} {box.shape}", "frozen: passes the gradient on but keeps none" if box.frozen else ""]
    lines += [str(place) for place in sorted(box.where, key=lambda place: place.is_ours)[:1]]
    return "\n".join(line for line in lines if line)


def _edge(edge: Edge, points: list[tuple[float, float]]) -> str:
    """A curve that is level at the boxes and at its bends, with a head."""
    (x, y), *rest = points
    path, inside = [f"M{x:g} {y:g}"], False
    for x1, y1 in rest:
        middle = (x + x1) / 2
        path.append(f"L{x1:g} {y1:g}" if inside else f"C{middle:g} {y:g} {middle:g} {y1:g} {x1:g} {y1:g}")
        (x, y), inside = (x1, y1), not inside
    head = f'<path class="head" d="M{x:g} {y:g}l-7 -3.5v7z"/>'
    label = _label(edge.label, *points[0], *points[1]) if edge.label else ""
    kind = "edge" if edge.argument else "edge made"
    return f'<path class="{kind}" d="{"".join(path)}"/>{head}{label}'


def _label(text: str, x0: float, y0: float, x1: float, y1: float) -> str:
    """The text of a label: above the middle of a curve, or beside it if it is steep there."""
    x, y, slope = (x0 + x1) / 2, (y0 + y1) / 2, (y1 - y0) / (x1 - x0)
    anchor, aside = ("middle", 0) if abs(slope) < 0.2 else ("end", -5) if slope < 0 else ("start", 5)
    return f'<text x="{x + aside:g}" y="{y - 4:g}" style="text-anchor: {anchor}">{escape(text)}</text>'


def _network(name: str, hue: str, boxes: Sequence[Box]) -> str:
    """A named frame around the boxes of a network, another around its rules', if no other box is in the way."""
    mine = [box for box in boxes if box.network == name]
    frames = []
    for run in ([box for box in mine if box.kind != "rule"], [box for box in mine if box.kind == "rule"]):
        others = [box for box in boxes if box not in run]
        if not run:
            continue
        left, right = min(b.x - b.width / 2 for b in run) - 8, max(b.x + b.width / 2 for b in run) + 8
        top, bottom = min(b.y - b.height / 2 for b in run) - 8, max(b.y + b.height / 2 for b in run) + 8
        label = left + 2, left + 2 + len(name) * 8
        rows = [y for y in (top, bottom + 16) if not any(_overlap(b, *label, y - 16, y) for b in others)]
        if rows and not any(_overlap(box, left, right, top, bottom) for box in others):
            frames.append(
                f'<g style="--hue: {hue}"><rect class="network" x="{left:g}" y="{top:g}" width="{right - left:g}" '
                f'height="{bottom - top:g}" rx="9"/><text class="name" x="{left + 2:g}" y="{rows[0] - 5:g}">'
                f"{escape(name)}</text></g>"
            )
    return "".join(frames)


def _overlap(box: Box, left: float, right: float, top: float, bottom: float) -> bool:
    across, down = box.width / 2, box.height / 2
    return left < box.x + across and box.x - across < right and top < box.y + down and box.y - down < bottom
