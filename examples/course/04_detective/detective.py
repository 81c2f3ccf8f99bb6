"""# 4. The detective

**Goal.** Find out by numbers whether a gradient is right, and convict those that lie. About 3 hours, 6 points.

**What is given.** Ten suspects: primitives, each with the rule that it claims. Some rules lie. `weighed` makes of a
primitive a function f with one number as its result, and of its rule the claimed gradient of f.

**What you write.**

1. `numeric_gradient(f, x, h)`: the gradient of f at x by central differences.
2. `verdict(f, gradient, x, numeric_gradient)`: one of four words on the claimed `gradient(x)`. The first that holds
   is the verdict:
   - `"random"`: f gives another result when it is called again with the same x.
   - `"kink"`: for at least one number of x, the slopes of f to the left and to the right of it differ by more than a
     tenth of the largest slope. There is no derivative to compare with.
   - `"wrong"`: the claimed gradient is not that of f.
   - `"right"`: it is.

Part 2 is handed a `numeric_gradient`. When it is checked, it is the grader's own, so a mistake in part 1 costs points
in part 1 alone. Call it as `numeric_gradient(f, x, h)`, at the x that you were given.

**The mathematics.** Move one number xᵢ of x at a time, by s = h · max(1, |xᵢ|), and leave the others where they are:

    gᵢ = (f(x with xᵢ + s) - f(x with xᵢ - s)) / (2s)

Two errors pull at h. The curve costs about h² f'''/6; rounding costs about ε |f| / h, with ε = 2.2e-16 in float64 and
1.2e-7 in float32. Their sum is smallest near h = ∛ε: 6e-6 in float64, 5e-3 in float32 (Press et al., Numerical Recipes,
5.7). There, the error is about 1e-10 or 1e-5. The slope to the right is (f(x with xᵢ + s) - f(x)) / s, that to the left
(f(x) - f(x with xᵢ - s)) / s. In a smooth f they differ by about s f'', at a kink by the kink.

The error of a claim c, when g is the numeric gradient, is measured for all numbers together:

    error = maxᵢ |cᵢ - gᵢ| / maxᵢ |gᵢ|

Among the suspects, the error of an honest claim is at most 1e-8 where f computes in float64, and at most 1e-3 where f
computes in float32; that of a lie is at least 5e-4 or 3e-2. Choose your limits between.

**Shapes.** `x` is an array of any shape, and of any memory order: it may be a transpose. `f(x)` is one number, a float
or a NumPy scalar; if f computes in float32, its result is a `np.float32`. Gradients have the shape of x.

**Mind.** Compute differences in float64, also if x is float32. x must not be changed: what is moved up and down again
is not always the same number. A gradient of size 1e-7 can lie, and differences for one of size 1e6 are off by more
than 1e-5. A claim that is NaN is wrong, although no comparison with NaN is true.

**Predict first.** Which of the ten suspects lie, which have a kink at the zero of a table x, and which are random? Read
them, and write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` draws `detective.png`: the error of your numeric gradient of a tinygen op, by the
step h, and the ten suspects with the error of each claim and your verdict.
"""

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
    # BEGIN SOLUTION
    x = np.array(x, dtype=np.float64)
    g = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        there = x[i]
        s = h * max(1.0, abs(there))
        x[i] = there + s
        above = f(x)
        x[i] = there - s
        below = f(x)
        x[i] = there
        g[i] = (above - below) / (2 * s)
    return g
    # END SOLUTION


def verdict(f, gradient, x, numeric_gradient):
    """The first of "random", "kink", "wrong" and "right" that holds for the claimed gradient of f at x."""
    # BEGIN SOLUTION
    y = f(x)
    if f(x) != y:
        return "random"
    single = np.asarray(y).dtype == np.float32
    h, limit = (5e-3, 1e-2) if single else (6e-6, 1e-5)
    g = numeric_gradient(f, x, h)
    steepest = np.max(np.abs(g))
    for i in np.ndindex(x.shape):
        s = np.zeros(x.shape)
        s[i] = h * max(1.0, abs(x[i]))
        if abs(float(f(x + s)) - 2 * float(y) + float(f(x - s))) / s[i] > 0.1 * steepest:
            return "kink"
    error = np.max(np.abs(gradient(x) - g)) / steepest
    return "right" if error < limit else "wrong"
    # END SOLUTION
