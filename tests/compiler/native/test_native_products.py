"""Products of matrices by a BLAS and by loops, in all layouts, for teams of all sizes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native import products
from tinygen.compiler.native.products import add_product
from tinygen.compiler.native.team import Machine
from tinygen.compiler.shares import cut_product
from tinygen.kernels.openblas import blas

SIZES = [(33, 47, 21), (128, 70, 50), (20, 100, 130), (64, 1, 100), (5, 90, 300), (3, 2, 40), (40, 7, 9), (1, 1, 700),
         (50, 60, 1), (70, 3, 1), (1, 64, 80), (16, 24, 2000), (9, 9, 9)]  # fmt: skip

pytestmark = pytest.mark.skipif(blas() is None, reason="NumPy's BLAS can't be called by address here")


def whole(rows: int, columns: int, seed: int, dtype: str, turned: bool = False, pad: int = 0) -> Any:
    """A matrix of small whole numbers, whose products are exact; by columns in memory if turned."""
    numbers = np.random.default_rng(seed).integers(-4, 5, (rows, columns)).astype(dtype)
    room = np.zeros((columns, rows + pad) if turned else (rows, columns + pad), dtype)
    x = room[:, :rows].T if turned else room[:, :columns]
    x[...] = numbers
    return x


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(threads: int, dtype: str) -> None:
    machine, wanted = Machine(threads), []
    for (m, n, k), turned, adds in itertools.product(SIZES, itertools.product((0, 1), repeat=3), (False, True)):
        a, b = whole(m, k, 1, dtype, turned[0], 3), whole(k, n, 2, dtype, turned[1], 2)
        out = whole(m, n, 3, dtype, turned[2], 5)
        wanted.append((out, out.copy(), a @ b, adds))
        add_product(machine, out, a, b, adds)
    for times in (1, 2):
        machine.run()
        for out, before, product, adds in wanted:
            np.testing.assert_array_equal(out, before + times * product if adds else product)


def test_shares_are_the_product() -> None:
    for (m, n, k), threads in itertools.product(SIZES, (1, 2, 3, 5)):
        count = np.zeros((m, n))
        a, b = np.ones((m, k)), np.ones((k, n))
        for out, left, right in cut_product(threads, count, a, b):
            out += left @ right
        assert (count == k).all()


def test_no_products_to_sum() -> None:
    machine, out = Machine(1), np.ones((20, 30), np.float32)
    add_product(machine, out, np.empty((20, 0), np.float32), np.empty((0, 30), np.float32))
    machine.run()
    assert not out.any()


def test_the_library_has_its_threads_again_after_a_run() -> None:
    library: Any = blas()
    seen = []

    def watched() -> Any:
        restore = library.alone()
        seen.append("one")
        return lambda: (restore(), seen.append("all"))

    machine, out = Machine(1), np.empty((20, 30), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "blas", lambda: library._replace(alone=watched))
        add_product(machine, out, whole(20, 9, 1, "float32"), whole(9, 30, 2, "float32"))
        add_product(machine, out, whole(20, 9, 1, "float32"), whole(9, 30, 2, "float32"))
    machine.run()
    assert seen == ["one", "all"]


def test_what_can_not_be_multiplied_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, out = Machine(1), np.zeros((20, 30), np.float32)
    a, b = whole(20, 9, 1, "float32"), whole(9, 30, 2, "float32")
    with pytest.raises(
        ValueError, match=r"a product float32 \(20, 30\) can't be float32 \(20, 9\) @ float32 \(8, 30\)"
    ):
        add_product(machine, out, a, b[:8])
    with pytest.raises(ValueError, match=r"a matrix \(20, 9\) with strides \(72, 8\) has neither rows nor columns"):
        add_product(machine, out, np.zeros((20, 18), np.float32)[:, ::2], b)
    with pytest.raises(ValueError, match=r"no BLAS makes products of int64"):
        add_product(machine, out.astype(int), a.astype(int), b.astype(int))
    monkeypatch.setattr(products, "blas", lambda: None)
    with pytest.raises(ValueError, match=r"no BLAS can be called here"):
        add_product(machine, out, a, b)
