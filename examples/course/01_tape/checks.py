"""The checks of piece 1. A third of the points are public."""

from tinygen.course import Check


def straight(rng):
    """Each Value is used once."""
    program = [["*", 0, 1], ["+", 4, 2], ["*", 5, 3]]  # exact on any machine, as the public answers ship
    return {"program": program, "values": rng.uniform(0.3, 1.2, 4).tolist()}


def used_twice(rng):
    """x * x + x * w: x is used by three Values, one of them twice."""
    return {"program": [["*", 0, 0], ["*", 0, 1], ["+", 2, 3]], "values": rng.uniform(0.5, 2, 2).tolist()}


def diamonds(rng):
    """Two ways of unequal length that meet again: what passes on too early is incomplete."""
    program = [["tanh", 0], ["*", 2, 1], ["tanh", 3], ["*", 4, 1], ["*", 2, 5], ["*", 6, 3], ["+", 7, 2], ["*", 8, 0]]
    return {"program": program, "values": rng.uniform(0.4, 1.5, 2).tolist()}


def random_program(rng):
    """Ten ops, drawn for each student; the first op's value is used at once, and again by the last one."""
    values, program = rng.uniform(0.5, 1.5, 4).tolist(), [["*", 0, 1], ["+", 4, 2]]
    for n in range(6, 13):
        op = str(rng.choice(["+", "*", "tanh"]))
        second = [] if op == "tanh" else [int(rng.integers(4))]  # an input, so that no gradient vanishes
        program.append([op, n - 1, *second])
    return {"program": [*program, ["*", 12, 4]], "values": values}


def doublings(rng):
    """60 times v + v: 2⁶⁰ ways, 61 Values."""
    return {"program": [["+", i, i] for i in range(60)], "values": rng.uniform(0.5, 1.5, 1).tolist()}


CHECKS = [
    Check("a straight tape", 1, "gradients", straight, public=True),
    Check("a value used twice", 1, "gradients", used_twice, public=True),
    Check("the order", 1, "order", used_twice, public=True),
    Check("two ways that meet", 1, "gradients", diamonds),
    Check("a random tape", 1, "gradients", random_program),
    Check("the order of a random tape", 0.5, "order", random_program),
    Check("60 doublings", 1, "gradients", doublings, seconds=1),
    Check("backward twice", 0.5, "gradients", lambda rng: diamonds(rng) | {"before": 3.0, "times": 2}),
    Check("a chain of 100,000", 1, "chain", lambda rng: {"length": 100_000, "factor": float(rng.uniform(1, 2))}),
]
