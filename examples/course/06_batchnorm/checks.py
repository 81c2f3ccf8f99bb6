"""The checks of piece 6. Three points of ten are public."""

import numpy as np

from tinygen.course import Check


def batch(rng, shape):
    """Channels of different means and widths, and gamma and beta."""
    C = shape[-1]
    x = rng.uniform(-1, 1, shape) * rng.uniform(0.5, 3, C) + rng.uniform(0.5, 2, C)
    return {"x": rounded(x), "gamma": rng.uniform(0.5, 2, C), "eps": rng.uniform(0.01, 0.1)}


def rounded(x):
    """To multiples of 1/16, whose sums are exact in any order, so that what ships is the same from any machine."""
    return np.round(x * 16) / 16


def forward(rng, shape=(8, 3)):
    return batch(rng, shape) | {"beta": rng.uniform(-2, 2, shape[-1])}


def far_from_zero(rng):
    given = forward(rng, (40, 3))
    given["x"] += rng.uniform(1e6, 2e6, 3)
    return given


def backward(rng, shape=(8, 3)):
    given = batch(rng, shape)
    axes = tuple(range(len(shape) - 1))
    gy = rounded(rng.uniform(-1.5, 2, shape))
    return given | {"gy": gy, "mu": given["x"].mean(axes), "var": given["x"].var(axes)}


def running(rng):
    means, variances = rng.uniform(-2, 2, (4, 3)), rng.uniform(0.5, 3, (4, 3))
    return {
        "mean": means[0],
        "var": variances[0],
        "batch_means": list(means[1:]),
        "batch_vars": list(variances[1:]),
        "momentum": rng.uniform(0.7, 0.9),
    }


def evaluated(rng):
    given = forward(rng, (2, 3, 4, 3))
    return given | {"mean": rng.uniform(-1, 1, 3), "var": rng.uniform(1, 3, 3)}


def both(rng):
    """Batches of different sizes, on different sides of 0."""
    return {"real": rng.uniform(0.5, 2, (6, 3)), "fake": rng.uniform(-6, -3, (4, 3))}


def both_grad(rng):
    return both(rng) | {"gy_real": rng.normal(0.5, 1, (6, 3)), "gy_fake": rng.normal(-0.5, 1, (4, 3))}


CHECKS = [
    Check("forward, rows", 1, "forward", forward, public=True),
    Check("backward, rows", 1, "backward", backward, public=True),
    Check("running statistics", 1, "running", running, public=True),
    Check("forward, images", 1, "forward", lambda rng: forward(rng, (2, 4, 5, 3))),
    Check("forward, far from 0", 1, "forward", far_from_zero),
    Check("backward, images", 2, "backward", lambda rng: backward(rng, (2, 4, 5, 3))),
    Check("evaluation", 1, "evaluated", evaluated),
    Check("real and fake", 1, "both", both),
    Check("gradients of real and fake", 1, "both_grad", both_grad),
]
