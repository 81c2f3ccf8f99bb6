"""The checks of piece 3. A third of the points are public."""

import numpy as np

from tinygen.course import Check


def layer(n, i, j):
    """A dense layer with a batch of n examples, i inputs and j outputs. No gradient is near 0."""
    return lambda rng: {"x": exact(rng, (n, i)), "w": exact(rng, (i, j)), "b": exact(rng, (j,))}


def backward(n, i, j):
    """What its gradients are computed from."""
    return lambda rng: {"gy": exact(rng, (n, j)), "x": exact(rng, (n, i)), "w": exact(rng, (i, j))}


def exact(rng, shape):
    """Whole 64ths from 0.5 to 2, whose sums and products are exact: what ships is the same on any machine."""
    return rng.integers(32, 128, shape) / 64


def near(rng):
    """Both sides of 0, none at it: (3, 4)."""
    return {"x": rng.permutation([-1, 1] * 6).reshape(3, 4) * rng.uniform(0.3, 2, (3, 4))}


def far(rng):
    """Some of it near 0, the rest at ±1000: (3, 4)."""
    x = near(rng)["x"]
    x[1:] = rng.permutation([-1000, 1000] * 4).reshape(2, 4) * rng.uniform(0.9, 1.1, (2, 4))
    return {"x": x}


def gradient(rng):
    return far(rng) | {"gy": rng.uniform(0.5, 2, (3, 4))}


def logits(rng):
    """Four examples and five classes, some of them unlikely."""
    return {"logits": rng.permuted(np.tile([0.0, 1, 2, 4, 9], (4, 1)), axis=1) + rng.normal(size=(4, 5)) * 0.1}


def large_logits(rng):
    """A row near 1000, one near -1000, one with both, and one of small ones."""
    z = logits(rng)["logits"]
    z[0] += 1000
    z[1] -= 1000
    z[2] += rng.permutation([1000, -1000, 0, 0, 0])
    return {"logits": z}


def judged(rng):
    """Log-probabilities of five examples and three classes, and labels, each class among them."""
    p = rng.dirichlet([2, 2, 2], 5) * 0.9 + 1 / 30
    return {"logp": np.round(np.log(p), 12), "labels": rng.permutation([0, 1, 2, 2, int(rng.integers(2))])}


CHECKS = [
    Check("a dense layer", 1, "dense", layer(4, 3, 2), public=True),
    Check("the gradients of a dense layer", 1, "dense_gradients", backward(4, 3, 2), public=True),
    Check("the gradients of a square layer", 1, "dense_gradients", backward(3, 3, 3)),
    Check("your activation", 0.5, "activation", near),
    Check("your activation far out", 0.5, "activation", far),
    Check("the gradient of your activation", 1, "activation_gradient", gradient),
    Check("log-softmax", 0.5, "log_softmax", logits),
    Check("log-softmax of large logits", 0.5, "log_softmax", large_logits),
    Check("the cross entropy", 1, "cross_entropy", judged, public=True),
    Check("the gradient of the cross entropy", 1, "cross_entropy_gradient", judged),
]
