"""Points in the plane from known distributions, so that what a model has learnt can be measured."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset, Modes, own_stream

_turn = 2 * np.pi * np.arange(8) / 8
_steps = np.arange(-4.0, 5.0, 2.0)

# The mixtures on which PacGAN (Lin, Khetan, Fanti and Oh 2018) counts modes.
RING8 = Modes(np.stack([np.cos(_turn), np.sin(_turn)], axis=1), std=0.01)
GRID25 = Modes(np.stack(np.meshgrid(_steps, _steps, indexing="ij"), axis=-1).reshape(25, 2), std=0.05)


def load_ring8(train: int = 50_000, test: int = 5_000, seed: int = 0) -> Dataset:
    """8 Gaussians of standard deviation 0.01, evenly spaced on the unit circle, equally likely; labels say which."""
    return _mixture("ring8", RING8, train, test, seed)


def load_grid25(train: int = 50_000, test: int = 5_000, seed: int = 0) -> Dataset:
    """25 Gaussians of standard deviation 0.05 at {-4, -2, 0, 2, 4}², equally likely; labels say which."""
    return _mixture("grid25", GRID25, train, test, seed)


def load_swissroll(train: int = 50_000, test: int = 5_000, seed: int = 0) -> Dataset:
    """A spiral of one and a half turns: r (cos t, sin t) plus N(0, 0.01²), t = 1.5π(1 + 2u), u ~ U(0, 1), r = t / 4.5π.

    The Swiss roll seen from its end (Marsland 2014, Machine Learning, second edition, chapter 6), scaled to radius 1.
    """
    rng, n = own_stream("swissroll", train, test, seed), train + test
    t = 1.5 * np.pi * (1 + 2 * rng.uniform(n, dtype=np.float64))
    curve = np.stack([np.cos(t), np.sin(t)], axis=1) * (t / (4.5 * np.pi))[:, np.newaxis]
    points = (curve + rng.normal((n, 2), std=0.01, dtype=np.float64)).astype(np.float32)
    return Dataset("swissroll", points[:train], points[train:])


def _mixture(name: str, modes: Modes, train: int, test: int, seed: int) -> Dataset:
    rng, n = own_stream(name, train, test, seed), train + test
    labels = rng.integers(0, len(modes.centres), n)
    noise = rng.normal((n, 2), std=modes.std, dtype=np.float64)
    points = (modes.centres[labels] + noise).astype(np.float32)
    return Dataset(name, points[:train], points[train:], labels[:train], labels[train:], modes)
