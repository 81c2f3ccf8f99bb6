"""The checks of piece 5. Three points of eight are public."""

import numpy as np

from tinygen.course import Check


def numbers(rng, shape):
    """Numbers of both signs, none of them near 0."""
    x = rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape)
    x.flat[:2] = np.abs(x.flat[0]), -np.abs(x.flat[1])
    return x


def training(rng, shapes, steps, kind, **settings):
    return {
        "kind": kind,
        "settings": settings,
        "params": [numbers(rng, shape) for shape in shapes],
        "grads": [[numbers(rng, shape) for shape in shapes] for _ in range(steps)],
    }


def momentum(rng):
    return training(rng, [(3, 2), (4,)], 3, "Momentum", lr=rng.uniform(0.1, 0.3), m=rng.uniform(0.5, 0.9))


def changing_rate(rng):
    rates = [0.2, 0.1, 0.4, 0.05] * rng.uniform(0.5, 1, 4)
    return training(rng, [(2, 3)], 4, "Momentum", m=rng.uniform(0.5, 0.9)) | {"rates": rates.tolist()}


def adam(rng, shapes=((3, 2), (4,)), steps=5):
    betas = {"beta1": rng.uniform(0.4, 0.7), "beta2": rng.uniform(0.95, 0.99)}
    return training(rng, shapes, steps, "Adam", lr=rng.uniform(0.1, 0.3), **betas)


def public(rng, shapes, steps):
    """With betas whose powers are exact, so that what ships is the same from any machine."""
    return training(rng, shapes, steps, "Adam", lr=rng.uniform(0.1, 0.3), beta1=0.5, beta2=15 / 16)


def small_gradients(rng):
    """Gradients about as large as eps, and some that are 0."""
    given = adam(rng, [(5, 3)], 1)
    given["settings"]["eps"] = rng.uniform(1e-3, 2e-3)
    given["grads"][0][0] *= 1e-3
    given["grads"][0][0][2] = 0
    return given


CHECKS = [
    Check("momentum", 1, "steps", momentum, public=True),
    Check("Adam, the first step", 1, "steps", lambda rng: public(rng, [(3, 2)], 1), public=True),
    Check("Adam, five steps", 1, "steps", lambda rng: public(rng, [(3, 2), (4,)], 5), public=True),
    Check("momentum, a rate that changes", 1, "changing_rate", changing_rate),
    Check("momentum, the caller's arrays", 1, "arrays", momentum),
    Check("Adam, small gradients", 1, "steps", small_gradients),
    Check("Adam, D's and G's in turn", 1, "in_turn", lambda rng: adam(rng, [(4, 3), (5,)], 6)),
    Check("Adam, the caller's arrays", 1, "arrays", adam),
]
