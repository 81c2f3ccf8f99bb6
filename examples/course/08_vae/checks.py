"""The checks of piece 8. Three of the ten points are public."""

import numpy as np

from tinygen.course import Check


def codes(rng, N, L):
    """The encoder's results: clouds of all widths, none of width 1, so that each share of a gradient shows."""
    return {"mu": rng.normal(0, 1.5, (N, L)), "logvar": rng.choice([-1, 1], (N, L)) * rng.uniform(0.4, 1.6, (N, L))}


def samples(N, L):
    return lambda rng: codes(rng, N, L) | {"numbers": rng.normal(size=N * L)}


def images(rng, N, P, size):
    """Grey pixels, and scores that are about that size."""
    return {"x": rng.uniform(0.1, 0.9, (N, P)), "y": rng.choice([-1, 1], (N, P)) * size * rng.uniform(0.5, 1.5, (N, P))}


def gradients(rng, N, L, gz, beta):
    return codes(rng, N, L) | {"gz": gz * rng.normal(size=(N, L)), "eps": rng.normal(size=(N, L)), "beta": beta}


CHECKS = [
    Check("a sample", 1, "sample", samples(3, 2), public=True),
    Check("KL", 1, "kl", lambda rng: codes(rng, 4, 3), public=True),
    Check("the reconstruction", 1, "reconstruction", lambda rng: images(rng, 3, 5, 2), public=True),
    Check("a sample of a larger batch", 0.5, "sample", samples(7, 5)),
    Check("KL of a larger batch", 0.5, "kl", lambda rng: codes(rng, 6, 9)),
    Check("scores of 1,000", 1, "reconstruction", lambda rng: images(rng, 4, 6, 1000)),
    Check("the reconstruction's gradient", 1, "reconstruction_backward", lambda rng: images(rng, 5, 7, 2)),
    Check("the gradient through z", 1.5, "backward", lambda rng: gradients(rng, 6, 4, 1.0, 0.0)),
    Check("the gradient through KL", 1.5, "backward", lambda rng: gradients(rng, 5, 3, 0.0, float(rng.uniform(1, 3)))),
    Check(
        "both ways at once", 1, "backward", lambda rng: gradients(rng, 4, 5, 1.0, float(np.exp(rng.uniform(0.5, 1))))
    ),
]
