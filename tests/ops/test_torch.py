"""Each op that PyTorch has: values and first-order gradients in float64 agree to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
from ops.table import OPS, TWINS

import tinygen as tg
from tinygen.selfcheck import CASES
from tinygen.tensor import Tensor

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


DIFFERENT = {
    "var (0,3) axis=1": "PyTorch warns",
    "std (0,3) axis=1": "PyTorch warns",
    "batch_norm (5,) (5,) (5,)": "PyTorch refuses a batch of one",
    "prelu (0,3) (3,)": "PyTorch refuses an empty batch",
    "pad (0,3) ((0,0),(1,1)) wrap": "PyTorch refuses an empty batch",
    "pixel_shuffle (0,2,2,9) 3": "the gradient of no images has another shape there",
    "pixel_unshuffle (0,3,3,1) 3": "the gradient of no images has another shape there",
}
WITH_GRADIENT = [case for case in CASES if case.name in TWINS and OPS[case.name].kept is not None]
WANTED = [case for case in WITH_GRADIENT if repr(case) not in DIFFERENT]


def test_what_is_left_out_is_a_case():
    assert DIFFERENT.keys() <= {repr(case) for case in WITH_GRADIENT}


@pytest.mark.parametrize("case", WANTED, ids=repr)
def test_values_and_gradients(case):
    arrays = case.arrays()
    ours = [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]
    theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = case.function()(*ours)
    options = {
        "dim" if case.name in ("concatenate", "stack") and k == "axis" else k: v for k, v in case.options.items()
    }
    expected = TWINS[case.name](*case.arguments(theirs), **options)
    ys, expected = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (y, expected))
    gys = [np.random.default_rng(1).standard_normal(y.shape) for y in ys]
    xs = [x for x in ours if isinstance(x, Tensor)]
    total = [tg.grad(y, xs, gy, retain_graph=True, unused="zeros") for y, gy in zip(ys, gys, strict=True)]
    gs = torch.autograd.grad(
        expected, [x for x in theirs if x.requires_grad], [torch.tensor(gy) for gy in gys], allow_unused=True
    )
    for found, right in zip(ys, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), right.detach().numpy(), rtol=1e-12, atol=1e-13)
    for i, (x, right) in enumerate(zip(xs, gs, strict=True)):
        g = np.sum([each[i].numpy() for each in total], axis=0)
        right = np.zeros(x.shape) if right is None else right.numpy()
        np.testing.assert_allclose(g, right, rtol=1e-12, atol=1e-13)
