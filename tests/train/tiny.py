"""The smallest model that `fit` can train: linear regression by hand, on NumPy, with a generator of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygen.models import Model
from tinygen.random import Generator
from tinygen.tensor import Tensor


@dataclass(frozen=True)
class Config:
    data_shape: tuple[int, ...] = (4, 4, 1)
    lr: float = 0.1
    size: int = 16


class Tiny(Model):
    """w follows the mean of noisy batches. From step `fails_at` on the loss is NaN."""

    name = "tiny"
    value_range = (-1.0, 1.0)
    defaults = {"data": "digits", "steps": 40, "batch": 8}  # noqa: RUF012
    Config = Config

    def __init__(self, config=None, seed=0):
        super().__init__(config or Config(), seed)
        self.noise = Generator(seed, "tiny")
        self.w = np.zeros(self.config.size, np.float32)
        self.m = np.zeros((2, self.config.size), np.float32)
        self.count = np.zeros((), np.int64)

    def train_step(self, batch):
        x = batch.reshape(len(batch), -1)[:, : self.config.size]
        gradient = self.w - x.mean(axis=0) + self.noise.normal(self.w.shape, std=0.1)
        self.m[0] = 0.9 * self.m[0] + gradient
        self.w = self.w - np.float32(self.config.lr) * self.m[0]
        self.count = self.count + 1
        return {"loss": Tensor(np.square(gradient).mean()[...]), "acc": Tensor(np.asarray(0.5, np.float32))}

    def preview(self, batch, n, rng):
        return rng.uniform((n, *self.config.data_shape), -1, 1) + self.w.mean()

    def state_dict(self):
        return {"w": self.w, "m": self.m.T, "count": self.count}

    def load_state_dict(self, state):
        for name in ("w", "m", "count"):
            if name not in state:
                raise KeyError(f"load_state_dict: {name} is missing")
        if state["w"].shape != self.w.shape:
            raise ValueError(f"load_state_dict: w has shape {state['w'].shape}, but the model's has {self.w.shape}")
        self.w, self.m, self.count = state["w"].copy(), state["m"].T.copy(), state["count"].copy()

    def generators(self):
        return {"noise": self.noise}


class Stream:
    """A loader whose batches follow from its position, which is its state."""

    def __init__(self, shape=(4, 4, 1), batch=8):
        self.shape, self.batch, self.state = shape, batch, {"position": 0}

    def next_batch(self):
        position = self.state["position"]
        self.state = {"position": position + 1}
        return Generator(position, "stream").uniform((self.batch, *self.shape), -1, 1)
