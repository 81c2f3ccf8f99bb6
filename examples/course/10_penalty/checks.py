"""The checks of piece 10. Three of the ten points are public."""

from itertools import pairwise

import numpy as np

from tinygen.course import Check

MODULES = ["tinygen"]


def net(rng, *widths):
    """The weights of a network of dense layers."""
    return [rng.normal(0, 0.8, shape) for n, m in pairwise(widths) for shape in ((n, m), (m,))]


def between(*shape):
    """Real and fake examples, and more numbers than t needs."""
    return lambda rng: {
        "x": rng.normal(1, 1, shape),
        "fake": rng.normal(-1, 1, shape),
        "numbers": rng.uniform(0.05, 0.95, 2 * int(np.prod(shape))),
    }


def slopes(hidden, *shape, v=False):
    def draw(rng):
        given = {"D": net(rng, int(np.prod(shape[1:])), *hidden, 1), "x": rng.normal(size=shape)}
        return given | ({"v": rng.normal(size=shape)} if v else {})

    return draw


def gradients(name, *shape, flat=()):
    """Gradients of examples; those of `flat` are 0."""

    def draw(rng):
        gx = rng.normal(size=shape)
        gx[list(flat)] = 0
        return {"name": name, "gx": gx, "strength": float(rng.uniform(2, 10))}

    return draw


def losses(name, N, C):
    def draw(rng):
        given = {"D": net(rng, C, 5, 1), "x": rng.normal(1, 1, (N, C)), "fake": rng.normal(-1, 1, (N, C))}
        more = {"points": rng.normal(size=(N, C)), "v": rng.normal(size=(N, C)), "numbers": rng.uniform(size=4 * N * C)}
        return {"name": name, "strength": float(rng.uniform(2, 10))} | given | more

    return draw


CHECKS = [
    Check("between real and fake", 1, "interpolated", between(4, 2), public=True),
    Check("the gradient at x", 1, "slope", slopes([4], 3, 2), public=True),
    Check("the gradient penalty", 1, "penalised", gradients("gradient_penalty", 4, 3), public=True),
    Check("between images", 0.5, "interpolated", between(3, 2, 4, 2)),
    Check("the gradient of the gradient", 2, "slope_of_slope", slopes([5, 4], 4, 3, v=True)),
    Check("the penalty of images", 1, "penalised", gradients("gradient_penalty", 3, 4, 2, 3)),
    Check("a flat D", 1, "penalised", gradients("gradient_penalty", 4, 2, flat=[1, 3]), rtol=1e-5),
    Check("R1", 1, "penalised", gradients("r1_penalty", 5, 3, 2, 1)),
    Check("the critic's loss", 0.75, "loss", losses("critic_loss", 4, 2)),
    Check("the loss with R1", 0.75, "loss", losses("r1_loss", 5, 3)),
]
