"""Steps for tests, each with what it changes, and a comparison of the eager ones with compiled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygen as tg
from tinygen import compile, layers, ops
from tinygen.compiler import Compiled
from tinygen.optim import Adam, Optimizer
from tinygen.random import Generator

DATA = np.random.default_rng(0).normal(size=(20, 5, 3)).astype(np.float32)


def network(*between: layers.Module, seed: int = 0) -> layers.Sequential:
    """A small network, with layers of the caller's own in it."""
    rng = Generator(seed, "network")
    return layers.Sequential(layers.Dense(3, 4, rng=rng), *between, layers.Tanh(), layers.Dense(4, 1, rng=rng))


class Trainer:
    """A network and its optimiser in an object of the user's own."""

    def __init__(self, *between: layers.Module, optimizer: Callable[[Any], Optimizer] | None = None):
        self.net = network(*between)
        self.opt = Adam(self.net.parameters(), 0.01) if optimizer is None else optimizer(self.net.parameters())

    def step(self, x: Any) -> Any:
        y = self.net(x)
        loss = ops.mean(y * y)
        self.opt.step(tg.grad(loss, self.net.parameters()))
        return loss


def arrays_in(nest: Any) -> list[Any]:
    """The arrays in a nest, copied, and what else is in it; scalars as arrays, as compiled steps return them."""
    if isinstance(nest, dict):
        return arrays_in([*nest.values()])
    if isinstance(nest, (tuple, list)):
        return [a for part in nest for a in arrays_in(part)]
    array = getattr(nest, "array", nest)
    return [np.array(array) if isinstance(array, (np.ndarray, np.generic)) else nest]


def assert_alike(made: Any, expected: Any, where: str) -> None:
    for y, z in zip(arrays_in(made), arrays_in(expected), strict=True):
        assert type(y) is type(z), where
        if isinstance(y, np.ndarray):
            assert (y.shape, y.dtype) == (z.shape, z.dtype), where
            np.testing.assert_allclose(y, z, 1e-5, 1e-6, err_msg=where)
        else:
            assert y == z, where


def tensors_of(owner: Any) -> Any:
    """What a Trainer or a network changes."""
    return [t for _, t in getattr(owner, "net", owner).named_tensors()]


def follow(
    make: Callable[[], tuple[Callable[..., Any], Any]],
    batches: Sequence[tuple[Any, ...]] = tuple((x,) for x in DATA[:6]),
    change: Callable[[int, Any], Any] | None = None,
    state: Callable[[Any], Any] = tensors_of,
    back_end: str = "numpy",
) -> Compiled:
    """Take the same steps eagerly and compiled, and compare what they return, raise, and leave in the state.

    make() gives a step and its owner.  change(k, owner) is called before step k.
    """
    tg.seed(0)
    step, owner = make()
    tg.seed(0)
    function, twin = make()
    compiled = compile(function, back_end)
    for k, arguments in enumerate(batches):
        if change is not None:
            change(k, owner)
            change(k, twin)
        given = [[a.copy("K") if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2)]
        assert_alike(_outcome(compiled, given[1], k), _outcome(step, given[0], k), f"step {k} returns")
        assert_alike(given[1], given[0], f"step {k} writes into its batch")
        assert_alike(state(twin), state(owner), f"step {k} leaves")
    return compiled


def _outcome(step: Callable[..., Any], arguments: list[Any], k: int) -> Any:
    """What a step returns or raises; NumPy's own stream is the same for both."""
    np.random.seed(k)  # noqa: NPY002
    try:
        return step(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)
