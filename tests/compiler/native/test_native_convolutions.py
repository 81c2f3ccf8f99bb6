"""Convolutions of compiled steps against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native.blas import blas
from tinygen.compiler.native.convolutions import add_conv2d, add_conv2d_weight_grad, add_conv_transpose2d
from tinygen.compiler.native.team import Machine
from tinygen.kernels import conv, reference_conv

pytestmark = pytest.mark.skipif(blas() is None, reason="NumPy's BLAS can't be called by address here")

CASES = [  # images, size, channels, kernel, stride, padding
    (5, (7, 8), (6, 9), (3, 3), (1, 1), ((1, 1), (1, 1))),
    (4, (9, 7), (5, 8), (5, 4), (2, 2), ((2, 1), (1, 2))),
    (16, (8, 8), (16, 10), (5, 5), (2, 2), ((2, 2), (2, 2))),
    (3, (6, 5), (8, 4), (2, 3), (3, 2), ((0, 0), (0, 0))),
    (2, (4, 4), (7, 3), (4, 4), (1, 1), ((0, 0), (0, 0))),
    (2, (3, 3), (7, 3), (4, 4), (1, 1), ((3, 3), (4, 4))),
    (3, (9, 9), (1, 8), (5, 5), (2, 2), ((2, 2), (2, 2))),
    (2, (6, 7), (3, 5), (3, 3), (1, 1), ((1, 1), (1, 1))),
    (1, (5, 5), (16, 2), (1, 1), (2, 2), ((0, 0), (0, 0))),
]


def image(n: int, size: tuple[int, int], channels: int, seed: int, dtype: str) -> Any:
    """Whole numbers, (N, H, W, C), that lie as H, N, W, C."""
    shape = size[0], n, size[1], channels
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype).swapaxes(0, 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("many", [1, 64])  # images for which each row has products of its own
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolutions(monkeypatch: pytest.MonkeyPatch, case: Any, many: int, threads: int, dtype: str) -> None:
    monkeypatch.setattr(conv, "_MANY", many)
    n, size, (c, co), kernel, stride, padding = case
    out = reference_conv.output_size(size, kernel, stride, padding)
    x, gy = image(n, size, c, 1, dtype), image(n, out, co, 2, dtype)
    w = np.random.default_rng(3).integers(-3, 4, (*kernel, c, co)).astype(dtype)
    y, gx, gw = image(n, out, co, 4, dtype), image(n, size, c, 5, dtype), np.full_like(w, np.nan)
    machine = Machine(threads)
    with machine.at_once():  # each waits for its own jobs all the same
        add_conv2d(machine, y, x, w, stride, padding)
        add_conv_transpose2d(machine, gx, gy, w, stride, padding)
        add_conv2d_weight_grad(machine, gw, x, gy, stride, padding)
    for _ in range(2):
        machine.run()
        np.testing.assert_array_equal(y, reference_conv.conv2d(x, w, stride, padding))
        np.testing.assert_array_equal(gx, reference_conv.conv_transpose2d(gy, w, stride, padding, size))
        np.testing.assert_array_equal(gw, reference_conv.conv2d_weight_grad(x, gy, kernel, stride, padding))
        x *= -2


def test_other_layouts_are_refused() -> None:
    x, w = np.zeros((2, 4, 4, 8), np.float32), np.zeros((3, 3, 8, 8), np.float32)
    with pytest.raises(ValueError, match=r"images that lie as H, N, W, C, and contiguous kernels"):
        add_conv2d(Machine(1), x, x, w, (1, 1), ((1, 1), (1, 1)))
