"""The checks of piece 12. A third of the points are public.

A checkpoint is worth a quarter of a point for each mode from the second to the seventh. The solution's settings reach
seven or eight modes with 89 of 90 seeds, 30 for each mixture, and six with the other; the broken ones reach none to
two. modes.json has the counts, and record.py makes them.
"""

import numpy as np

from tinygen.course import Check

FILES = ["mended.npz"]
MODULES = ["ast", "io", "zipfile", "encodings.cp437"]  # what reading it takes
FIRST, LAST = 1, 7  # modes: none of the points, and all of them
PROBLEMS = {
    "missing": "is missing: `tinygen course run` makes it, and `tinygen course pack` adds it",
    "too large": "has more than 100 kB; the weights of G alone have about 6",
    "damaged": "can't be read: it must be what np.savez writes, without pickles",
    "not floats": "must have floats of at most 64 bits",
    "other shapes": "must have w1 (2, 32), b1 (32,), w2 (32, 32), b2 (32,), w3 (32, 2) and b3 (2,)",
    "not finite": "has NaNs or infinities: its training broke down",
}
REFUTED = {  # by what a run of each diagnosis would show
    "healthy": "healthy: then its points would spread over the mixture by the last steps",
    "collapse": "a collapse: then the points of each step would crowd on a small part of the mixture, with losses that "
    "stay near those of a draw",
    "D won": "won by D: then acc would stay near 1, and the gradient of G near 0",
    "D asleep": "one with a D that does not learn: then the points would leave the data for good, and loss_D would "
    "rise and rise",
    "too fast": "too fast: then the losses would leap to many times their usual size and back",
}

# Directions from a centre. A point at 3.3 std on a diagonal is below 3 std on both axes.
SIDEWAYS = [(0, 1), (0, -1)]
DIAGONAL = [(0.7, 0.7), (-0.7, 0.7), (-0.7, -0.7), (0.7, -0.7)]
AXES = [(1, 0), (-1, 0), *SIDEWAYS]


def around(rng, centre, std, *kinds):
    """Points around a centre, each kind (how many, how many std away, directions), off by up to 0.1 std."""
    offsets = []
    for n, far, directions in kinds:
        for d in rng.integers(len(directions), size=n):
            direction = np.array(directions[d]) / np.linalg.norm(directions[d])
            offsets.append((far + rng.uniform(-0.1, 0.1)) * direction)
    return centre + std * np.array(offsets)


def near_and_far(rng):
    """Points within 1, 2 and 3 std of centres that lie far from each other, and beyond 3 std."""
    std = float(rng.uniform(0.1, 0.2))
    centres = 4 * np.stack([np.arange(5), np.arange(5) % 2], axis=1) + rng.uniform(-0.5, 0.5, (5, 2))
    points = [
        around(rng, centre, std, (1 + i, 0.5, AXES), (5 - i, 1.6, DIAGONAL), (i % 3, 2.6, AXES), (1, 8, AXES))
        for i, centre in enumerate(centres)
    ]
    points += [around(rng, centres[0], std, (3, 3.3, DIAGONAL)), around(rng, centres[1], std, (2, 3.4, AXES))]
    return {"points": rng.permutation(np.concatenate(points)), "centres": centres, "std": std}


def overlapping(rng):
    """Centres 3.5 std apart, so that a point may be within 3 std of two; and a few points of NaNs."""
    std = float(rng.uniform(0.1, 0.2))
    centres = std * np.stack([3.5 * np.arange(6), rng.uniform(-0.2, 0.2, 6)], axis=1) + rng.uniform(-1, 1, 2)
    points = [
        around(rng, centre, std, (1 + i, 0.5, AXES), (6 - i, 1.4, AXES), (i % 3, 2.6, SIDEWAYS), (1, 8, SIDEWAYS))
        for i, centre in enumerate(centres)
    ]
    points += [around(rng, centres[0], std, (3, 3.3, DIAGONAL[1:3])), around(rng, centres[5], std, (2, 3.4, AXES[:1]))]
    points += [np.full((4, 2), np.nan)]
    return {"points": rng.permutation(np.concatenate(points)), "centres": rng.permutation(centres), "std": std}


def scores(counts, n, share):
    """What draws counts in another order. None is near the bound, and a bound of the counted points differs."""
    return lambda rng: {"counts": rng.permutation(np.array(counts)), "n": n, "share": share}


def with_zeros(rng):
    """Modes without points; the others' counts vary from student to student."""
    counts = [0, 0, 3, 9 + rng.integers(3), 13, 20 + rng.integers(5), 31, 40 + rng.integers(9)]
    return {"counts": rng.permutation(np.array(counts)), "n": 500, "share": 0.25}


def judge_diagnoses(answer, right):
    """A fifth for each run, and for a wrong one what it would have to show."""
    wrong = {run: answer.get(run) for run, word in right.items() if answer.get(run) != word}
    told = [
        f"{run} is not {REFUTED[word]}" if word in REFUTED else f"{run} has no word of CAUSES"
        for run, word in wrong.items()
    ]
    return 1 - len(wrong) / len(right), "; ".join(told)


def judge_checkpoint(answer, right):
    """The modes that G reaches with the z that was drawn; only the arrays are the student's, and z the grader's."""
    if answer["problem"]:
        return 0.0, f"mended.npz {PROBLEMS[answer['problem']]}"
    w1, b1, w2, b2, w3, b3 = (np.asarray(answer["arrays"][f"{n}{i}"], np.float64) for i in "123" for n in "wb")
    if [w1.shape, b1.shape, w2.shape, b2.shape, w3.shape, b3.shape] != [(2, 32), (32,), (32, 32), (32,), (32, 2), (2,)]:
        return 0.0, f"mended.npz {PROBLEMS['other shapes']}"
    with np.errstate(all="ignore"):
        points = np.maximum(np.maximum(right["z"] @ w1 + b1, 0) @ w2 + b2, 0) @ w3 + b3
        distances = np.linalg.norm(points[:, np.newaxis] - right["centres"], axis=2)
        near = distances.min(axis=1) < 3 * right["std"]
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=8)
    modes = int((counts >= len(points) / 8 / 4).sum())
    told = f"G reaches {modes} of the 8 modes of your mixture, with {near.mean():.0%} of its points near one"
    share = min(max((modes - FIRST) / (LAST - FIRST), 0.0), 1.0)
    return share, "" if share == 1 else f"{told}; each mode from the second to the seventh has points"


CHECKS = [
    Check("points near their centres", 1, "count", near_and_far, public=True),
    Check("scores of counts", 1, "score", scores([4, 10, 20, 31, 44, 60], 300, 0.25), public=True),
    Check("centres that overlap", 0.5, "count", overlapping),
    Check("modes without points", 0.5, "score", with_zeros),
    Check("nothing near a mode", 0.25, "score", scores([0, 0, 0, 0, 0], 100, 0.25)),
    Check("five diagnoses", 1.25, "diagnoses", lambda rng: {}, judge=judge_diagnoses),
    Check(
        "the modes of your checkpoint",
        1.5,
        "checkpoint",
        lambda rng: {"mended": np.zeros(0, np.uint8), "z": rng.normal(size=(2000, 2))},
        judge=judge_checkpoint,
    ),
]
