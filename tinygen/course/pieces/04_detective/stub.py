"""4. The detective: read handout.md, then complete this file."""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


RNG = np.random.default_rng(0)


def kept(x):
    """A fresh mask at each call."""
    return RNG.random(x.shape) < 0.5


# Ten primitives: what they compute for a table x, and the rule that each claims for its gradient.
SUSPECTS = {
    "tanh": (np.tanh, lambda gy, x: gy * (1 - np.tanh(x) ** 2)),
    "sine": (np.sin, lambda gy, x: -gy * np.cos(x)),
    "relu": (lambda x: np.maximum(x, 0), lambda gy, x: gy * (x > 0)),
    "sigmoid": (sigmoid, lambda gy, x: gy * x * (1 - x)),
    "softplus": (lambda x: np.log(1 + np.exp(x)), lambda gy, x: gy / (1 + 2.7**-x)),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda gy, x: gy / (1 + x) ** 2),
    "softmax": (softmax, lambda gy, x: gy * softmax(x) * (1 - softmax(x))),
    "dropout": (lambda x: 2 * x * kept(x), lambda gy, x: 2 * gy * kept(x)),
    "float32 exp": (lambda x: np.exp(x.astype(np.float32)), lambda gy, x: gy * np.exp(x)),
    "cumsum": (lambda x: np.cumsum(x, axis=1), lambda gy, x: np.cumsum(gy[:, ::-1], axis=1)[:, ::-1]),
}


def weighed(forward, rule, u):
    """f and its claimed gradient: f(x) = Σ u · forward(x), in the dtype of forward(x), and rule(u, x)."""

    def f(x):
        y = forward(x)
        return np.sum(u.astype(y.dtype) * y)

    return f, lambda x: rule(u, x)


def numeric_gradient(f, x, h=6e-6):
    """The gradient of f at x by central differences, each number of x moved by h · max(1, |x|)."""
    ...  # your code here


def verdict(f, gradient, x, numeric_gradient):
    """The first of "random", "kink", "wrong" and "right" that holds for the claimed gradient of f at x."""
    ...  # your code here
