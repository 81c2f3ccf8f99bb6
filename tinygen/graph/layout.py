"""Where the boxes of a graph go: in layers from left to right, after Sugiyama et al. 1981.

1. Each box goes as many layers to the right as the longest way to it is long; a leaf goes next to its first reader.
2. An edge over several layers is cut by a bend in each.
3. Boxes and bends of a layer are sorted by the mean place of their neighbours, layer by layer, there and back.
4. Each box moves as near to the mean height of its neighbours as order and distance allow.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Item: TypeAlias = Any  # the name of a box, or a bend: (source, target, layer)

SWEEPS = 12
GAP_X, GAP_Y, BEND = 34.0, 16.0, 6.0  # pixels: between layers, between boxes, the height of a bend


class Layout(NamedTuple):
    """The middle of each box, and the points of each edge: out of a box, through its bends, into a box."""

    middles: dict[Item, tuple[float, float]]
    routes: dict[tuple[Item, Item], list[tuple[float, float]]]
    width: float
    height: float


def layout(sizes: Mapping[Item, tuple[float, float]], edges: Sequence[tuple[Item, Item]], gap: float = GAP_X) -> Layout:
    """Places for boxes of (width, height). sizes: in an order in which no edge leads back.  gap: least space between
    layers."""
    rank = _ranks(list(sizes), edges)
    chains = {(u, v): [u, *((u, v, r) for r in range(rank[u] + 1, rank[v])), v] for u, v in edges}
    layers: list[list[Item]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for item in sizes:
        layers[rank[item]].append(item)
    for chain in chains.values():
        for bend in chain[1:-1]:
            layers[bend[2]].append(bend)
    before: dict[Item, list[Item]] = defaultdict(list)
    after: dict[Item, list[Item]] = defaultdict(list)
    for chain in chains.values():
        for u, v in itertools.pairwise(chain):
            before[v].append(u)
            after[u].append(v)
    layers = _order(layers, before, after)
    heights = {item: sizes[item][1] if item in sizes else BEND for layer in layers for item in layer}
    y = _heights(layers, before, after, heights)
    x, widths, right = {}, {}, 0.0
    for layer in layers:
        width = max((sizes[item][0] for item in layer if item in sizes), default=0.0)
        for item in layer:
            x[item], widths[item] = right + width / 2, sizes[item][0] if item in sizes else width
        right += width + gap
    top = min((y[item] - heights[item] / 2 for item in y), default=0.0)
    bottom = max((y[item] + heights[item] / 2 for item in y), default=0.0)
    middles = {item: (x[item], y[item] - top) for item in y}
    routes = {edge: _route(chain, middles, widths) for edge, chain in chains.items()}
    return Layout({item: middles[item] for item in sizes}, routes, max(right - gap, 0.0), bottom - top)


def _ranks(items: Sequence[Item], edges: Sequence[tuple[Item, Item]]) -> dict[Item, int]:
    before, after = defaultdict(list), defaultdict(list)
    for u, v in edges:
        before[v].append(u)
        after[u].append(v)
    rank: dict[Item, int] = {}
    for v in items:
        rank[v] = max((rank[u] + 1 for u in before[v]), default=0)
    for v in reversed(items):  # to the right, if that shortens more edges than it lengthens
        if sum(bool(before[u]) for u in before[v]) < len(after[v]):
            rank[v] = min(rank[w] for w in after[v]) - 1
    lowest = min(rank.values(), default=0)
    return {v: r - lowest for v, r in rank.items()}


def _order(layers: list[list[Item]], before: Mapping[Item, list[Item]], after: Mapping[Item, list[Item]]) -> Any:
    """The layers in the order with the fewest crossing edges among those tried."""
    best, fewest = layers, _crossings(layers, after)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        neighbours, place = (before if down else after), dict[Item, float]()
        new = []
        for layer in layers if down else reversed(layers):
            now = {item: float(i) for i, item in enumerate(layer)}
            means = {v: _mean([place[u] for u in neighbours.get(v, ())], now[v]) for v in layer}
            ordered = sorted(layer, key=means.__getitem__)
            place.update({item: float(i) for i, item in enumerate(ordered)})
            new.append(ordered)
        layers = new if down else new[::-1]
        crossings = _crossings(layers, after)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: list[list[Item]], after: Mapping[Item, list[Item]]) -> int:
    count = 0
    for layer, following in itertools.pairwise(layers):
        place = {item: i for i, item in enumerate(following)}
        ends: list[int] = []
        for u in layer:
            new = [place[v] for v in after.get(u, ())]
            count += sum(end > mine for mine in new for end in ends)
            ends += new
    return count


def _heights(
    layers: list[list[Item]],
    before: Mapping[Item, list[Item]],
    after: Mapping[Item, list[Item]],
    heights: Mapping[Item, float],
) -> dict[Item, float]:
    """The middle of each item, from repeated moves towards its neighbours: the left ones, the right ones, both."""
    y: dict[Item, float] = {}
    for layer in layers:
        y.update(_spaced(layer, dict.fromkeys(layer, 0.0), heights))
    for near, order in (((before,), 1), ((after,), -1)) * 2 + (((before, after), 1), ((before, after), -1)):
        for layer in layers[::order]:
            wanted = {v: _mean([y[u] for side in near for u in side.get(v, ())], y[v]) for v in layer}
            y.update(_spaced(layer, wanted, heights))
    return y


def _spaced(layer: Sequence[Item], wanted: Mapping[Item, float], heights: Mapping[Item, float]) -> dict[Item, float]:
    """The least-squares nearest heights to those wanted that keep order and distance (pool adjacent violators)."""
    offset, offsets = 0.0, []
    for u, v in zip([None, *layer], layer, strict=False):
        offset += 0.0 if u is None else (heights[u] + heights[v]) / 2 + GAP_Y
        offsets.append(offset)
    pools: list[list[float]] = []  # each with the sum of its wanted heights and their number
    for v, offset in zip(layer, offsets, strict=True):
        pools.append([wanted[v] - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, n = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += n
    starts = [total / n for total, n in pools for _ in range(int(n))]
    return {v: start + offset for v, start, offset in zip(layer, starts, offsets, strict=True)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _route(
    chain: Sequence[Item], middles: Mapping[Item, tuple[float, float]], widths: Mapping[Item, float]
) -> list[tuple[float, float]]:
    points = []
    for i, item in enumerate(chain):
        (x, y), half = middles[item], widths[item] / 2
        points += [(x - half, y)] * (i > 0) + [(x + half, y)] * (i < len(chain) - 1)
    return points
