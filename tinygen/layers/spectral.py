"""A layer limited to the slope 1: its weight is divided by its largest singular value."""

from __future__ import annotations

import threading
from typing import Any

from .. import init, ops
from ..backend import Array
from ..checks import whole
from ..random import Generator
from ..tensor import Tensor
from .conv import ConvTranspose
from .module import Buffer, Module

_weight_lock = threading.RLock()


class SpectralNorm(Module):
    """A layer with the weight w / σ(w) instead of its w: Miyato et al. 2018, algorithm 1.

    σ(w) = uᵀ W v ≈ the largest singular value of W, which is w as a matrix of C_out rows. Each pass in training mode
    brings u and v nearer to its singular vectors by `iterations` steps of the power method, v ← Wᵀu / ‖Wᵀu‖ and
    u ← Wv / ‖Wv‖; in eval mode they stay. Gradients go through W, not through u and v. rng: draws the first u.
    Raises TypeError for a layer without a weight w, ValueError for iterations below 1.

    >>> dense = tg.layers.SpectralNorm(tg.layers.Dense(3, 2), iterations=20)
    >>> y = dense(np.eye(3, dtype=np.float32)) - dense(np.zeros((3, 3), np.float32))  # w / σ(w)
    >>> round(float(np.linalg.norm(y.numpy(), 2)), 3)
    1.0
    """

    def __init__(self, layer: Module, iterations: int = 1, rng: Generator | None = None):
        w = getattr(layer, "w", None)
        if not isinstance(layer, Module) or not isinstance(w, Tensor) or w.ndim < 2:
            raise TypeError(f"SpectralNorm: {layer!r} has no weight w; wrap a layer with one, such as Dense or Conv")
        self.normed, self.iterations = layer, whole("SpectralNorm", "iterations", iterations, 1)
        matrix = self._matrix(w.data)
        self.u = Buffer(_unit(init.normal(matrix.shape[1:], rng, w.dtype, std=1.0)))
        self.v = Buffer(_unit(matrix @ self.u.data))

    def forward(self, *inputs: Any) -> Tensor:
        with _weight_lock:  # one thread at a time: each puts another w into the layer for the length of the call
            return self._forward(*inputs)

    def _forward(self, *inputs: Any) -> Tensor:
        w = vars(self.normed)["w"]
        if self.training:
            self._iterate(self._matrix(w.data))
        # copies: the next pass may come before this one's backward
        sigma = ops.sum(ops.matmul(self.v.data.copy(), self._matrix(w)) * self.u.data.copy())
        vars(self.normed)["w"] = w / sigma
        try:
            return self.normed(*inputs)
        finally:
            vars(self.normed)["w"] = w

    def _iterate(self, matrix: Array) -> None:
        """Bring u and v nearer to the first singular vectors."""
        u = self.u.data
        for _ in range(self.iterations):
            v = _unit(matrix @ u)
            u = _unit(v @ matrix)
        self.u.assign(u)
        self.v.assign(v)

    def _matrix(self, w: Any) -> Any:
        """Wᵀ: (everything else, C_out)."""
        if isinstance(self.normed, ConvTranspose):
            w = ops.swapaxes(w, -1, -2)  # its kernel has C_out before C_in
        return ops.reshape(w, (-1, w.shape[-1]))

    def _options(self) -> str:
        return "" if self.iterations == 1 else f"iterations={self.iterations}"


def _unit(x: Array) -> Array:
    """x / ‖x‖, and 0 for 0."""
    return x / ops.maximum(ops.sqrt(ops.sum(x * x)), 1e-12)
