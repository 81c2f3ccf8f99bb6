"""Layered layout: edges lead to the right, boxes keep their distance, lines cross no more than they must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygen.graph.layout import GAP_X, GAP_Y, _spaced, layout


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 12))
    sizes = {i: (draw(st.floats(5, 200)), draw(st.floats(5, 80))) for i in range(n)}
    pairs = [(u, v) for v in range(n) for u in range(v)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return sizes, edges


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_boxes_keep_their_distance_and_edges_lead_right(graph):
    sizes, edges = graph
    placed = layout(sizes, edges)
    for u, (w, h) in sizes.items():
        x, y = placed.middles[u]
        assert x - w / 2 >= -1e-6 and x + w / 2 <= placed.width + 1e-6
        assert y - h / 2 >= -1e-6 and y + h / 2 <= placed.height + 1e-6
        for v, (w2, h2) in sizes.items():
            x2, y2 = placed.middles[v]
            assert u == v or abs(x - x2) >= (w + w2) / 2 + GAP_X - 1e-6 or abs(y - y2) >= (h + h2) / 2 + GAP_Y - 1e-6
    for u, v in edges:
        route = placed.routes[u, v]
        assert route[0] == pytest.approx((placed.middles[u][0] + sizes[u][0] / 2, placed.middles[u][1]))
        assert route[-1] == pytest.approx((placed.middles[v][0] - sizes[v][0] / 2, placed.middles[v][1]))
        assert all(np.diff([x for x, _ in route]) >= 0)


def test_a_chain_is_straight():
    placed = layout(dict.fromkeys("abcd", (30, 20)), ["ab", "bc", "cd"])
    assert {y for _, y in placed.middles.values()} == {10.0}


def test_crossed_lines_are_uncrossed():
    placed = layout(dict.fromkeys("abxy", (30, 20)), ["ay", "bx"])
    (_, a), (_, b), (_, x), (_, y) = (placed.middles[name] for name in "abxy")
    assert (a < b) == (y < x)


def test_what_only_leaves_lead_to_stands_next_to_its_reader():
    placed = layout(dict.fromkeys("wabcd", (30, 20)), ["ab", "bc", "cd", "wd"])
    assert placed.middles["w"][0] == placed.middles["c"][0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8))
def test_spacing_is_the_nearest_in_least_squares(wanted):
    """No small move that keeps order and distance comes nearer to what is wanted."""
    layer = list(range(len(wanted)))
    heights = dict.fromkeys(layer, 10.0)
    y = np.array(list(_spaced(layer, dict(enumerate(wanted)), heights).values()))
    assert (np.diff(y) >= 10 + GAP_Y - 1e-6).all()
    best, rng = ((y - wanted) ** 2).sum(), np.random.default_rng(0)
    for _ in range(50):
        other = y + rng.normal(size=len(y))
        if (np.diff(other) >= 10 + GAP_Y).all():
            assert ((other - wanted) ** 2).sum() >= best - 1e-6


def test_nothing_has_no_size():
    assert layout({}, [])[2:] == (0, 0)
