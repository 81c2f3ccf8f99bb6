"""How a check calls the file of piece 2."""

import numpy as np


def sums(broadcasting, g, shapes):
    """g summed to each of the shapes."""
    return {f"sum_to(g {g.shape}, {tuple(shape)})": broadcasting.sum_to(g, tuple(shape)) for shape in shapes}


def gradients(broadcasting, op, gy, a, b, sum_a, sum_b):
    """ga and gb. The sums down to a and b are products with matrices of 0s and 1s."""

    def sum_to(g, shape):
        if g.shape == tuple(shape):
            return g
        for x, matrix in ((a, sum_a), (b, sum_b)):
            if np.shape(x) == tuple(shape) and g.size == matrix.shape[1]:
                return (matrix @ g.ravel()).reshape(shape)
        raise ValueError(f"sum_to: an array of shape {g.shape} can't be summed to {tuple(shape)}")

    pair = getattr(broadcasting, f"{op}_gradients")(gy, a, b, sum_to)
    return dict(zip(("ga", "gb"), pair)) if isinstance(pair, tuple | list) and len(pair) == 2 else pair
