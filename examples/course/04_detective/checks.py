"""The checks of piece 4. A third of the points are public."""

import numpy as np

from tinygen.course import Check


def central(rng):
    """Whole 64ths, one of them 0, and a step of 1/8: exact numbers, the same on any machine."""
    x = signs(rng, (2, 3)) * rng.integers(16, 64, (2, 3)) / 64
    x[rng.integers(2), rng.integers(3)] = 0
    return {"a": rng.integers(64, 128, (2, 3)) / 64, "x": x, "h": 0.125}


def all_sizes(rng):
    sizes = rng.permutation([1.0, 1e3, 1e6, 1.0, 1e3, 1e6]).reshape(2, 3)
    x = signs(rng, (2, 3)) * rng.uniform(1.2, 2, (2, 3)) * sizes
    return {"a": rng.uniform(1, 2, (2, 3)), "x": x, "sizes": sizes, "h": 0.05}


def small(rows, columns):
    """Numbers below 1."""
    shape = rows, columns
    return lambda rng: {"a": rng.uniform(1, 2, shape), "x": signs(rng, shape) * rng.uniform(0.2, 0.9, shape)}


def signs(rng, shape):
    """As many 1 as -1, or one more."""
    return rng.permutation(np.resize([1, -1], int(np.prod(shape)))).reshape(shape)


def ten(rng):
    """A table with a 0 in it, weights, and the true slopes, rounded so that they are the same on any machine."""
    x = signs(rng, (3, 4)) * (2 * rng.integers(8, 48, (3, 4)) + 1) / 64  # never -1, where a lie is infinite
    x[1, 2] = 0.0
    u = signs(rng, (3, 4)) * rng.integers(32, 96, (3, 4)) / 64
    s = 1 / (1 + np.exp(-x))
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    slopes = {
        "tanh": u * (1 - np.tanh(x) ** 2),
        "sine": u * np.cos(x),
        "relu": u * (np.sign(x) + 1) / 2,  # half of it at 0, as central differences have it
        "sigmoid": u * s * (1 - s),
        "softplus": u * s,
        "softsign": u / (1 + np.abs(x)) ** 2,
        "softmax": p * (u - (u * p).sum(axis=1, keepdims=True)),
        "dropout": u * 1e5,  # differences of two random numbers, divided by a small h
        "float32 exp": u * np.exp(x),
        "cumsum": np.cumsum(u[:, ::-1], axis=1)[:, ::-1],
    }
    numeric = {name: np.round(slope, 10) for name, slope in slopes.items()}
    return {"x": x, "u": u, "numeric": numeric, "rough": {"float32 exp": np.round(u * np.exp(x) * 1.1, 10)}}


def suspects(*kinds):
    """Suspects of some kinds, in an order of their own: a verdict depends on what is seen, not on the place."""

    def draw(rng):
        return {"suspects": [drawn(rng, **kinds[i]) for i in rng.permutation(len(kinds))]}

    return draw


def drawn(rng, lie="none", size=0.0, zero=False, **more):
    """One suspect. size: how large the lie is, up to a factor of 1.5.  zero: whether a slope is 0."""
    shape = (2, 4) if more.get("single") else (3, 4)
    place = int(rng.integers(shape[0] * 4))
    x = rng.uniform(0.3, 1.2, shape)
    function = "square" if zero else str(rng.choice(["tanh", "sin", "exp", "arctan"]))
    if not more.get("single"):
        x *= signs(rng, shape)
    if zero:
        x.ravel()[place] = 0.0
    u = signs(rng, shape) * rng.uniform(0.6, 1.4, shape)
    size = size * float(rng.uniform(1, 1.5))
    return {"function": function, "x": x, "u": u, "lie": lie, "size": size, "place": place, **more}


HONEST, LIE = {}, {"lie": "factor", "size": 0.05}

CHECKS = [
    Check("central differences", 1, "slopes", central, public=True),
    Check("small and large x", 0.5, "slopes_of_all_sizes", all_sizes),
    Check("a transpose, and float32", 0.5, "slopes_in_memory", small(2, 3)),
    Check("x stays as it is", 0.5, "untouched", small(8, 8)),
    Check("the ten suspects", 1, "ten", ten, public=True),
    Check(
        "new lies",
        1,
        "verdicts",
        suspects(
            HONEST,
            HONEST,
            {"lie": "sign"},
            {"lie": "order"},
            {"lie": "factor", "size": 1e-3},
            {"lie": "left", "size": 0.1},
            {"lie": "one", "size": 2e-3},
            {"lie": "one", "size": -2e-3},
            {"lie": "nan"},
        ),
    ),
    Check(
        "kinks and dice",
        0.5,
        "verdicts",
        suspects(HONEST, HONEST, {"kink": True}, {"kink": True}, {"random": True}, {"random": True}),
    ),
    Check(
        "small and large gradients",
        0.5,
        "verdicts",
        suspects({"zero": True}, {"scale": 1e-7}, {"scale": 1e-7} | LIE, {"scale": 1e6}, {"scale": 1e6} | LIE, HONEST),
    ),
    Check(
        "float32",
        0.5,
        "verdicts",
        suspects({"single": True}, {"single": True}, {"single": True} | LIE, {"lie": "factor", "size": 1e-3}, HONEST),
    ),
]
