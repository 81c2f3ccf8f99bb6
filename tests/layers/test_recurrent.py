"""Recurrent cells: sizes, initial weights, and what they refuse; their values are PyTorch's, see test_layers_oracle."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import layers as L
from tinygen.random import Generator

CELLS = pytest.mark.parametrize("kind, gates", [(L.GRUCell, 3), (L.LSTMCell, 4)])


@CELLS
def test_parameters_and_their_first_values(kind, gates):
    cell = kind(3, 16, rng=Generator(0))
    shapes = {name: p.shape for name, p in cell.named_parameters()}
    assert shapes == {"w_x": (3, gates * 16), "w_h": (16, gates * 16), "b_x": (gates * 16,), "b_h": (gates * 16,)}
    values = np.concatenate([p.numpy().ravel() for p in cell.parameters()])
    assert np.abs(values).max() <= 0.25 and values.std() == pytest.approx(0.25 / 3**0.5, rel=0.1)  # ±1/√16
    assert repr(cell) == f"{kind.__name__}(3, 16)"
    assert list(kind(3, 2, bias=False).state_dict()) == ["w_x", "w_h"]
    assert repr(kind(3, 2, bias=False)) == f"{kind.__name__}(3, 2, bias=False)"


@CELLS
def test_what_a_cell_refuses(kind, gates):
    cell, x = kind(3, 2), np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match=rf"{kind.__name__}: x is \(4, 2\), but its last axis must be 3"):
        cell(x[:, :2])
    wanted = r"h is \(5, 2\), but for x of \(4, 3\) it must be \(4, 2\)"
    with pytest.raises(ValueError, match=rf"{kind.__name__}: {wanted}"):
        cell(x, np.zeros((5, 2), np.float32))
    for sizes in ((0, 2), (3, 0), (3, 1.5)):
        with pytest.raises(ValueError, match=rf"{kind.__name__}: (in_)?features is .*, but it must be an int of at"):
            kind(*sizes)
    if kind is L.LSTMCell:
        with pytest.raises(ValueError, match=r"LSTMCell: c is \(4, 3\)"):
            cell(x, np.zeros((4, 2), np.float32), np.zeros((4, 3), np.float32))


def test_a_gru_keeps_its_state_where_its_gate_is_shut():
    """With z = 1 the new state is the old one, with z = 0 it is n = tanh(...)."""
    cell, h = L.GRUCell(1, 1, rng=Generator(0)), np.array([[0.7]], np.float32)
    for bias, expected in ((30.0, 0.7), (-30.0, np.tanh(0.5))):
        for p in cell.parameters():
            p.assign(np.zeros(p.shape))
        cell.b_x.assign(np.array([0.0, bias, 0.5]))
        assert cell(np.zeros((1, 1), np.float32), h).item() == pytest.approx(expected, rel=1e-6)
