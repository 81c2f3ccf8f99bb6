"""The random graph of a seed."""

from __future__ import annotations

from campaigns.graphs import Draw, Graph, Unfit
from ops.table import TABLE

DRAWN = [op for op in TABLE if op.draw]


def draw(seed: int) -> Graph:
    """The graph of a seed: some leaves, and a few ops, of which one is the op whose turn it is."""
    d = Draw(seed)
    for _ in range(d.rng.integers(1, 4)):
        d.leaf()
    size = 3 if d.dtype == "float16" else int(d.rng.integers(2, 9))
    for i in [*d.rng.choice(len(DRAWN), size), seed % len(DRAWN)]:
        before = len(d.values)
        try:
            DRAWN[i].draw(d, DRAWN[i].name)
        except Unfit:
            del d.values[before:], d.graph.nodes[before:]
    return d.graph
