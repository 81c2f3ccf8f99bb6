"""The checks of piece 2. A third of the points are public."""

import math

import numpy as np

from tinygen.course import Check


def sums(shape, *shapes):
    """An array of the first shape, to be summed to each of the others. Its numbers are positive: no sum is near 0."""
    return lambda rng: {"g": exact(rng, shape), "shapes": [list(s) for s in shapes]}


def gradients(op, a, b):
    """Operands of two shapes; one of shape () is a plain number."""

    def draw(rng):
        y = np.broadcast_shapes(a, b)
        return {
            "op": op,
            "gy": exact(rng, y),
            "a": exact(rng, a),
            "b": exact(rng, b),
            "sum_a": matrix(a, y),
            "sum_b": matrix(b, y),
        }

    return draw


def exact(rng, shape):
    """Whole 64ths from 1.25 to 2.5, whose sums and products are exact: what ships is the same on any machine."""
    x = rng.integers(80, 160, shape) / 64
    return x if shape else float(x)


def matrix(shape, y):
    """The matrix, (numbers of x, numbers of y), that sums from the shape of y to that of x."""
    stands = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), y).ravel()  # which number of x is where
    return (np.arange(math.prod(shape))[:, None] == stands).astype(float)


CHECKS = [
    Check("stretched axes", 1, "sums", sums((4, 3, 5), (4, 1, 5), (4, 3, 1), (4, 1, 1)), public=True),
    Check("axes in front", 0.5, "sums", sums((2, 3, 4), (4,), (3, 4))),
    Check("tables of 4 by 4", 0.5, "sums", sums((4, 4), (4,), (4, 1))),
    Check("an axis of length 1 that stays", 0.5, "sums", sums((2, 1, 4), (1, 4))),
    Check("down to a number", 0.5, "sums", sums((3, 4), ())),
    Check("a table times a row", 1, "gradients", gradients("multiply", (4, 3), (3,)), public=True),
    Check("a column times a row", 0.5, "gradients", gradients("multiply", (4, 1), (3,))),
    Check("a number times a table", 0.5, "gradients", gradients("multiply", (), (3, 4))),
    Check("a column divided by a row", 1, "gradients", gradients("divide", (4, 1), (3,))),
]
