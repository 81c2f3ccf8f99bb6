"""For libraries without layers or optimisers: initial weights, and Adam in place on NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers import BatchNorm, Conv, ConvT, Dense
from ..workloads import Network, Workload


def initial(net: Network, seed: int = 0) -> list[list[np.ndarray]]:
    """For each layer that learns, in order: w and b (if it has one), or gamma and beta."""
    rng, made = np.random.default_rng(seed), []
    for layer in net.layers:
        match layer:
            case Dense(n_in, n_out, bias):
                shape, fan, n = (n_in, n_out), n_in, n_out * bias
            case Conv(c_in, c_out, k, _, bias) | ConvT(c_in, c_out, k, _, bias):
                shape, fan, n = (k, k, c_in, c_out), k * k * c_in, c_out * bias
            case BatchNorm(features):
                made.append([np.ones(features, np.float32), np.zeros(features, np.float32)])
                continue
            case _:
                continue
        w = (rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32)
        made.append([w, np.zeros(n, np.float32)] if n else [w])
    return made


class Adam:
    """Kingma and Ba 2015, algorithm 1, with a single temporary array."""

    def __init__(self, params: list[np.ndarray], w: Workload):
        self.params, self.w, self.t = params, w, 0
        self.state = [(np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in params]

    def step(self, grads: list[Any]) -> None:
        w, self.t = self.w, self.t + 1
        size, correction = w.lr / (1 - w.beta1**self.t), (1 - w.beta2**self.t) ** -0.5
        for p, g, (m, v, tmp) in zip(self.params, grads, self.state, strict=True):
            m *= w.beta1
            m += np.multiply(g, 1 - w.beta1, out=tmp)
            v *= w.beta2
            np.multiply(g, g, out=tmp)
            tmp *= 1 - w.beta2
            v += tmp
            np.sqrt(v, out=tmp)
            tmp *= correction
            tmp += w.eps
            np.divide(m, tmp, out=tmp)
            tmp *= size
            p -= tmp
