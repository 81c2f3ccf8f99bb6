"""WGAN-GP's penalty of every peer that is installed: its value, and its gradient by D's weights, are tinygen's."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygen as tg
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS
from tinygen.models.penalties import slopes

Found = tuple[Any, Any]  # the penalty, and its gradient by w


def by_tinygen(x: Any, w: Any, v: Any) -> Found:
    w = tg.tensor(w, requires_grad=True)
    n = slopes(lambda x: score(x @ w, v), x)
    value = tg.ops.mean((n - 1) * (n - 1))
    return value.item(), tg.grad(value, [w])[0].numpy()


def by_torch(x: Any, w: Any, v: Any, **how: Any) -> Found:
    import torch

    from benchmarks.peers.pytorch import penalty

    x, w, v = torch.from_numpy(x), torch.from_numpy(w).requires_grad_(), torch.from_numpy(v)
    value = penalty(lambda x: score(x @ w, v), x.clone(), **how)
    return value.item(), torch.autograd.grad(value, w)[0].numpy()


def by_torch_compile(x: Any, w: Any, v: Any) -> Found:
    from benchmarks.peers.pytorch import compiled_gradient

    return by_torch(x, w, v, input_gradient=compiled_gradient)


def by_jax(x: Any, w: Any, v: Any) -> Found:
    import jax

    from benchmarks.peers.jax import penalty

    return jax.value_and_grad(lambda w: penalty(lambda x: score(x @ w, v), x))(w)


def by_keras(x: Any, w: Any, v: Any) -> Found:
    import tensorflow as tf

    from benchmarks.peers.keras import penalty

    x, w, v = tf.constant(x), tf.Variable(w), tf.constant(v)
    with tf.GradientTape() as tape:
        value = penalty(lambda x: score(x @ w, v), x)
    return value.numpy(), tape.gradient(value, w).numpy()


def by_tinygrad(x: Any, w: Any, v: Any) -> Found:
    from tinygrad import Tensor

    from benchmarks.peers.tinygrad import penalty

    x, w, v = Tensor(x), Tensor(w), Tensor(v)
    value = penalty(lambda x: score(x @ w, v), x)
    return value.item(), value.gradient(w)[0].numpy()


def by_autograd(x: Any, w: Any, v: Any) -> Found:
    from autograd import value_and_grad

    from benchmarks.peers.autograd import penalty

    return value_and_grad(lambda w: penalty(lambda x: score(x @ w, v), x))(w)


def by_dezero(x: Any, w: Any, v: Any) -> Found:
    from benchmarks.peers.dezero import F, dezero, penalty

    w = dezero.Variable(w)
    value = penalty(lambda x: F.matmul(F.matmul(x, w) * F.matmul(x, w), v), x)
    w.cleargrad()
    value.backward()
    return value.data, w.grad.data


def score(h: Any, v: Any) -> Any:
    """A D that is not linear in x, of operators that all libraries have."""
    return (h * h) @ v


OTHERS: dict[str, Callable[..., Found]] = {
    "torch": by_torch,
    "torch-compile": by_torch_compile,
    "tf-graph": by_keras,
    "jax": by_jax,
    "tinygrad": by_tinygrad,
    "autograd": by_autograd,
    "dezero": by_dezero,
}
ROUGH = ("jax", "dezero")  # their float64 is float32
HERE = [
    pytest.param(name, marks=[pytest.mark.oracle] if PEERS[name].file == "pytorch" else [])
    for name in OTHERS
    if all(map(importlib.util.find_spec, PEERS[name].packages)) and all(map(shutil.which, PEERS[name].programs))
]


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_penalty_is_that_of_tinygen(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w, v = (rng.standard_normal(shape).astype(dtype) for shape in ((5, 7), (7, 4), (4, 1)))
    (value, gw), (expected, expected_gw) = OTHERS[name](x, w, v), by_tinygen(x, w, v)
    rtol = 1e-12 if dtype == "float64" and name not in ROUGH else 1e-5
    np.testing.assert_allclose(value, expected, rtol=rtol)
    np.testing.assert_allclose(gw, expected_gw, rtol=rtol, atol=rtol * np.abs(expected_gw).max())


def test_every_peer_of_the_workload_is_compared() -> None:
    files = {PEERS[name].file for name in OTHERS} | {"tinygen"}
    assert files == {e.file for e in PEERS.values() if not e.refuses(WORKLOADS["wgangp_64"], "cpu")}
