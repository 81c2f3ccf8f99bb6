"""Einstein's sums are NumPy's, for whatever letters."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import gradcheck, ops
from tinygen.backend import array_module

RNG = np.random.default_rng(0)
SUMS = [
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (2, 2, 2)),
    ("iijj->ij", (2, 2, 3, 3)),
    ("ijij->", (2, 3, 2, 3)),
    ("iji", (2, 3, 2)),
    ("ba", (2, 3)),
    ("ij->", (2, 3)),
    ("->", ()),
    ("...", (2, 3)),
    ("...->...", (2, 3)),
    ("...ii->...i", (2, 3, 3)),
    ("i...j->j...", (2, 3, 4)),
    (" i j -> j i ", (2, 3)),
    ("i->i", (0,)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,ji", (2, 3), (3, 2)),
    ("i,i", (3,), (3,)),
    ("i,j", (2,), (3,)),
    ("...,...", (2, 3), (3,)),
    ("...i,...i->...", (2, 1, 3), (4, 3)),
    ("...ij,jk...->ik...", (2, 3, 2), (2, 2, 1)),
    ("ii,ij->j", (2, 2), (2, 3)),
    ("ik,kk->ik", (2, 3), (3, 3)),
    ("ij,kl->", (2, 3), (4, 2)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("abc,cd,def->fab", (2, 3, 2), (2, 3), (3, 2, 4)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)),
    ("a,b,ab", (2,), (3,), (2, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 2), (2, 3)),
]


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in SUMS], ids=[s for s, *_ in SUMS])
def test_numpys_sums(subscripts, shapes, backend):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    y = ops.einsum(subscripts, *map(backend.asarray, arrays))
    expected = np.asarray(np.einsum(subscripts, *arrays))
    assert y.shape == expected.shape and array_module(y) is backend.xp
    np.testing.assert_allclose(backend.to_host(y), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in SUMS], ids=[s for s, *_ in SUMS])
def test_gradients(subscripts, shapes):
    gradcheck(lambda *xs: ops.einsum(subscripts, *xs), [RNG.normal(size=shape) for shape in shapes], 2)


def test_more_axes_than_an_alphabet_has_letters_left():
    x = RNG.normal(size=(2, 3, 2))
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert np.array_equal(ops.einsum("Z...->...Z", x), np.einsum("Z...->...Z", x))
    many = x.reshape((2, 3, 2) + (1,) * 40)
    assert np.array_equal(ops.einsum(f"{letters[:43]}->{letters[:43][::-1]}", many), many.transpose())
