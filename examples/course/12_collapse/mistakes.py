"""The classic mistakes of piece 12, and right answers in other words."""

from tinygen.course import Mistake, Words

COUNT = """    distances = np.sqrt(((points[:, np.newaxis] - centres) ** 2).sum(axis=2))
    near = distances.min(axis=1) < 3 * std
    return np.bincount(distances.argmin(axis=1)[near], minlength=len(centres))
"""
BOX = """    offsets = np.abs(points[:, np.newaxis] - centres)
    near = (offsets < 3 * std).all(axis=2)
    nearest = (offsets**2).sum(axis=2).argmin(axis=1)
    return np.bincount(nearest[near.any(axis=1)], minlength=len(centres))
"""
TWICE = """    distances = np.sqrt(((points[:, np.newaxis] - centres) ** 2).sum(axis=2))
    return (distances < 3 * std).sum(axis=0)
"""
LOOPS = """    counts = np.zeros(len(centres), dtype=int)
    for point in points:
        lengths = [np.hypot(*(point - centre)) for centre in centres]
        if min(lengths) < 3 * std:
            counts[lengths.index(min(lengths))] += 1
    return counts
"""
EXPANDED = """    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    first = squares.argsort(axis=1)[:, 0]
    near = np.take_along_axis(squares, first[:, None], 1)[:, 0] < 9 * std**2
    return np.array([(near & (first == k)).sum() for k in range(len(centres))])
"""
REACHED = "    reached = (counts >= 1) & (counts >= share * n / K)\n"
SHARES = "    p = counts[counts > 0] / max(counted, 1)\n"
RETURN = "    return int(reached.sum()), counted / n, np.log(K) + (p * np.log(p)).sum()\n"
KL = "np.log(K) + (p * np.log(p)).sum()"
SCORE_LOOPS = """    modes = sum(1 for c in counts if c > 0 and c * K >= share * n)
    kl = 0.0
    for c in counts:
        if c:
            kl += c / counted * np.log(c * K / counted)
    return modes, counted / n, kl if counted else np.log(K)
"""
DIAGNOSED = "DIAGNOSES = dict(zip(DIAGNOSES, OF_RUNS[MIXTURE]))\n"
BY_LOSSES = """SEEN = {"healthy": "D asleep", "collapse": "healthy", "too fast": "D won"}
SEEN |= {"D asleep": "healthy", "D won": "healthy"}
DIAGNOSES = {run: SEEN[OF_RUNS[MIXTURE][i]] for i, run in enumerate(DIAGNOSES)}
"""

COUNTS = ["points near their centres", "centres that overlap"]
MODES = ["scores of counts", "modes without points"]

MISTAKES = [
    Mistake(
        "no root",
        [(COUNT, COUNT.replace("np.sqrt(", "("))],
        COUNTS,
        "The squared distance is compared with 3 std: take the root, or compare with the square of 3 std.",
    ),
    Mistake(
        "a box",
        [(COUNT, BOX)],
        COUNTS,
        "Each axis is compared with 3 std on its own, which is a square around the centre. The distance is the root of "
        "the sum of both squares.",
    ),
    Mistake(
        "one std",
        [(COUNT, COUNT.replace("3 * std", "std"))],
        COUNTS,
        "Points count only up to 1 std, which leaves out 61% of a Gaussian in the plane. Count them up to 3 std, which "
        "leaves out 1%.",
    ),
    Mistake(
        "no radius",
        [(COUNT, COUNT.replace("[near]", ""))],
        COUNTS,
        "Every point counts for its nearest centre, however far away it is. Count it only if it is within 3 std.",
    ),
    Mistake(
        "a point counts twice",
        [(COUNT, TWICE)],
        ["centres that overlap"],
        "A point that is within 3 std of two centres counts for both. It counts for the nearest alone.",
    ),
    Mistake(
        "any mode with a point",
        [(REACHED, "    reached = counts >= 1\n")],
        MODES,
        "A mode with a single point is taken as reached. It needs at least share · n / K points, too.",
    ),
    Mistake(
        "a share of the counted",
        [(REACHED, REACHED.replace("share * n / K", "share * counted / K"))],
        MODES,
        "The bound is a share of the points that count, so it falls as fewer of them hit anything: take it of all n.",
    ),
    Mistake(
        "near of the counted",
        [(RETURN, RETURN.replace("counted / n", "counted / max(counted, 1)"))],
        MODES,
        "The share near a mode is that of the counted points among themselves, which is always 1: divide by n.",
    ),
    Mistake(
        "the other divergence",
        [(RETURN, RETURN.replace(KL, "-np.log(K) - np.log(counts / counted).mean()"))],
        [*MODES, "nothing near a mode"],
        "This is KL(1/K ‖ p), which is infinite as soon as one mode is missing. The model's p comes first.",
    ),
    Mistake(  # before the entropy, which answers alike where nothing counts
        "nothing is perfect",
        [(SHARES, "    if counted == 0:\n        return 0, 0.0, 0.0\n" + SHARES)],
        ["nothing near a mode"],
        "If no point is near any mode, the divergence is 0, as if all was even. Let it be the worst case, log K.",
    ),
    Mistake(
        "the entropy",
        [(RETURN, RETURN.replace(KL, "-(p * np.log(p)).sum()"))],
        [*MODES, "nothing near a mode"],
        "This is the entropy of p, which is largest when all modes get equally many. The divergence is log K minus it.",
    ),
    Mistake(
        "0 log 0",
        [(SHARES, "    p = counts / max(counted, 1)\n")],
        ["modes without points", "nothing near a mode"],
        "A mode without points makes the divergence NaN, because NumPy's 0 · log 0 is NaN: leave the zeros out.",
    ),
    Mistake(
        "by the losses alone",
        [(DIAGNOSED, BY_LOSSES)],
        ["five diagnoses"],
        "The losses alone mislead. Where G's loss falls to 0, G has run away from a D that does not learn; in a "
        "healthy run both losses hardly move, and in a collapse neither do they. Look at the points.",
    ),
]
OTHER_WORDS = [
    Words("by loops", [(COUNT, LOOPS), (REACHED + SHARES + RETURN, SCORE_LOOPS)]),
    Words(
        "squares and sorting",
        [(COUNT, EXPANDED), (SHARES, "    p = np.maximum(counts, 1e-300) / max(counted, 1)\n")],
    ),
]
