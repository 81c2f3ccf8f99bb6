"""The checks of piece 9. Four of the twelve points are public."""

from itertools import pairwise

from tinygen.course import Check

MODULES = ["tinygen"]
LATENT = 2


def net(rng, *widths):
    """The weights of a network of dense layers."""
    shapes = [shape for n, m in pairwise(widths) for shape in ((n, m), (m,))]
    return [rng.normal(0, 0.8, shape) for shape in shapes]


def nets(rng, C, hidden):
    return {"G": net(rng, LATENT, hidden, C), "D": net(rng, C, hidden + 1, 1)}


def real(rng, N, C):
    """Far from where G's first examples are, so that D's labels matter."""
    return rng.normal(1.0, 1.0, (N, C))


def noise(rng, M):
    return rng.normal(size=(M, LATENT))


def steps_of_D(C, hidden, sizes, adam=False, old=False):
    """A step for each (N, M); old: what an earlier step has left on D."""

    def draw(rng):
        given = nets(rng, C, hidden) | {"adam": adam}
        given["x"], given["z"] = [real(rng, N, C) for N, _ in sizes], [noise(rng, M) for _, M in sizes]
        return given | ({"old": [rng.normal(size=w.shape) for w in given["D"]]} if old else {})

    return draw


def steps_of_G(C, hidden, sizes, adam=False):
    return lambda rng: nets(rng, C, hidden) | {"adam": adam, "z": [noise(rng, M) for M in sizes]}


def batches(*sizes):
    def draw(rng):
        return {"batches": [real(rng, N, 2) for N in sizes], "numbers": rng.normal(size=8 * LATENT * sum(sizes))}

    return draw


CHECKS = [
    Check("D's step", 1.5, "steps_of_D", steps_of_D(2, 4, [(3, 5)]), public=True),
    Check("G's step", 1.5, "steps_of_G", steps_of_G(2, 4, [4]), public=True),
    Check("a step of each", 1, "whole", batches(3), public=True),
    Check("three steps of D", 1.5, "steps_of_D", steps_of_D(3, 6, [(6, 4), (5, 7), (3, 8)], adam=True)),
    Check("three steps of G", 1.5, "steps_of_G", steps_of_G(3, 6, [6, 4, 7], adam=True)),
    Check("D's step after old gradients", 1, "steps_of_D", steps_of_D(2, 5, [(4, 6)], old=True)),
    Check(
        "D's step leaves G alone",
        1.5,
        "what_D_moves",
        lambda rng: nets(rng, 2, 4) | {"x": real(rng, 4, 2), "z": noise(rng, 3)},
    ),
    Check("G's step leaves D alone", 1.5, "what_G_moves", lambda rng: nets(rng, 2, 4) | {"z": noise(rng, 5)}),
    Check("three steps of D for one of G", 1, "whole", batches(4, 6, 5)),
]
