"""The checks of piece 11. A third of the points are public."""

import numpy as np

from tinygen.course import Check


def scores(rng, n):
    """n scores on both sides of both margins, none near one: (n, 1)."""
    return (rng.permutation(np.linspace(-2.25, 2.25, n)) + rng.uniform(-0.1, 0.1, n)).reshape(n, 1)


def losses(name, *sizes):
    """What draws the scores of a loss."""
    return lambda rng: {"name": name, "scores": [scores(rng, n) for n in sizes]}


def rounds(critic_steps):
    """What draws a round. Some weights are out of bounds at first, and a step can leave the bounds at either end."""

    def draw(rng):
        shapes = {"D": [(3, 4), (4,)], "G": [(2, 3), (3,)]}
        pulls = {name: [rng.uniform(-1, 1, (critic_steps, *shape)) for shape in own] for name, own in shapes.items()}
        weights = {name: [rng.uniform(-0.5, 0.5, shape) for shape in own] for name, own in shapes.items()}
        return {**weights, "pulls": pulls, "critic_steps": critic_steps, "lr": 0.4, "clip": 0.15}

    return draw


def vectors(rng, *shape):
    """A weight, and two vectors of length 1 that are not its singular vectors."""
    w = rng.normal(size=shape)
    u, v = rng.normal(size=shape[-1]), rng.normal(size=w.size // shape[-1])
    return {"w": w, "u": u / np.linalg.norm(u), "v": v / np.linalg.norm(v)}


def passes(rng):
    """Weights that change a little from pass to pass."""
    given = vectors(rng, 5, 4)
    w = given.pop("w")
    return {"weights": [w + 0.1 * i * rng.normal(size=w.shape) for i in range(4)], **given}


def gradient(rng):
    """A kernel, and the gradient that arrives. Both vectors are drawn again until σ is not small."""
    while True:
        given = vectors(rng, 3, 2, 2, 5)
        if abs(given["v"] @ given["w"].reshape(-1, 5) @ given["u"]) > 0.5:
            return {**given, "gy": rng.normal(size=given["w"].shape)}


CHECKS = [
    Check("the critic's loss", 0.5, "loss", losses("critic_loss", 6, 6), public=True),
    Check("the hinge loss", 0.5, "loss", losses("hinge_loss", 6, 6), public=True),
    Check("a round of one step", 0.5, "play", rounds(1), public=True),
    Check("one pass of the power method", 0.5, "normed", lambda rng: vectors(rng, 4, 3), public=True),
    Check("the hinge loss of unequal batches", 0.5, "loss", losses("hinge_loss", 10, 6)),
    Check("what G lowers", 0.5, "loss", losses("generator_loss", 8)),
    Check("a round of five steps", 1, "play", rounds(5)),
    Check("four passes, then evaluation", 0.75, "passes", passes),
    Check("the gradient through sigma", 0.75, "gradient", gradient),
    Check("a kernel", 0.5, "normed", lambda rng: vectors(rng, 3, 3, 2, 5)),
]
