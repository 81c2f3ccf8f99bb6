"""The classic mistakes of piece 2, and right answers in other words."""

from tinygen.course import Mistake, Words

SUM = """    lead = g.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1]
    summed = g.sum(axis=(*range(lead), *stretched), keepdims=True)
    return summed.reshape(shape)
"""
BY_LENGTH = """    for i, n in enumerate(g.shape):
        if n not in shape:
            g = g.sum(axis=i, keepdims=True)
    return g.reshape(shape)
"""
FROM_THE_LEFT = """    stretched = [i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1]
    summed = g.sum(axis=(*stretched, *range(len(shape), g.ndim)), keepdims=True)
    return summed.reshape(summed.shape[: len(shape)])
"""
AXIS_BY_AXIS = """    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for i, n in enumerate(shape):
        if n == 1:
            g = g.sum(axis=i, keepdims=True)
    return g
"""
COUNTED = """    n = int(np.prod(shape))
    stands = np.broadcast_to(np.arange(n).reshape(shape), g.shape)
    return np.bincount(stands.ravel(), weights=g.ravel(), minlength=n).reshape(shape)
"""
EINSUM = """    letters = "abcdefgh"[: g.ndim]
    own = letters[g.ndim - len(shape) :]
    kept = "".join(c for c, n in zip(own, shape) if n > 1)
    return np.einsum(f"{letters}->{kept}", g).reshape(shape)
"""
MULTIPLY = """    ga = gy * b
    gb = gy * a
    return sum_to(ga, np.shape(a)), sum_to(gb, np.shape(b))
"""
DIVIDE_GA, DIVIDE_GB = (
    "    ga = sum_to(gy / b, np.shape(a))\n",
    "    gb = sum_to(-gy * a / b**2, np.shape(b))\n",
)
PRODUCTS = ["a table times a row", "a column times a row", "a number times a table"]
QUOTIENT = "a column divided by a row"

MISTAKES = [
    Mistake(
        "matched by length",
        [(SUM, BY_LENGTH)],
        ["tables of 4 by 4"],
        "You look for axes whose length x does not have. In (4, 4) from (4,) both have length 4: align from the right.",
    ),
    Mistake(
        "aligned from the left",
        [(SUM, FROM_THE_LEFT)],
        ["axes in front", "tables of 4 by 4", "an axis of length 1 that stays"],
        "You sum over the last axes: shapes are aligned from the right, so axes are added in front.",
    ),
    Mistake(
        "mean for sum",
        [("    summed = g.sum(", "    summed = g.mean(")],
        ["stretched axes", "axes in front", "tables of 4 by 4", "an axis of length 1 that stays", "down to a number"],
        "You take a mean: each place has its own gradient, and they are added.",
    ),
    Mistake(
        "stretched axes lost",
        [("stretched), keepdims=True)\n    return summed.reshape(shape)", "stretched))\n    return summed")],
        ["stretched axes", "tables of 4 by 4"],
        "An axis of length 1 in x is missing in your result: a sum drops it, unless keepdims=True.",
    ),
    Mistake(
        "axes in front left",
        [("axis=(*range(lead), *stretched)", "axis=tuple(stretched)"), ("summed.reshape(shape)", "summed")],
        ["axes in front", "tables of 4 by 4", "an axis of length 1 that stays", "down to a number"],
        "Your result still has the axes that were added in front: sum over them too, and drop them.",
    ),
    Mistake(
        "all ones in front lost",
        [
            (
                "    return summed.reshape(shape)\n",
                "    while summed.ndim and summed.shape[0] == 1:\n        summed = summed[0]\n    return summed\n",
            )
        ],
        ["an axis of length 1 that stays"],
        "You drop every axis of length 1 in front: drop as many as were added, for x may begin with one of its own.",
    ),
    Mistake(
        "only b is stretched",
        [(MULTIPLY, "    return gy * b, sum_to(gy * a, np.shape(b))\n")],
        ["a column times a row", "a number times a table"],
        "Your ga has the shape of y: a may be the smaller operand too, so sum it to the shape of a.",
    ),
    Mistake(
        "own factor",
        [("    ga = gy * b\n    gb = gy * a\n", "    ga = gy * a\n    gb = gy * b\n")],
        PRODUCTS,
        "The derivative of a * b with respect to a is b: each gets the other operand.",
    ),
    Mistake(
        "gy overwritten",
        [("    ga = gy * b\n", "    ga = gy\n    ga *= b\n")],
        PRODUCTS,
        "Your ga is written into gy, and gb is then computed from that: make a new array, ga = gy * b.",
    ),
    Mistake(
        "a number's shape",
        [("    return sum_to(ga, np.shape(a)), sum_to(gb, np.shape(b))\n",
          "    return sum_to(ga, a.shape), sum_to(gb, b.shape)\n")],
        ["a number times a table"],
        "You ask a plain number for its shape, which only arrays have: np.shape(a) is () for 2.0.",
    ),
    Mistake(
        "minus forgotten",
        [("sum_to(-gy * a / b**2", "sum_to(gy * a / b**2")],
        [QUOTIENT],
        "The sign of gb is wrong: a / b falls where b grows.",
    ),
    Mistake(
        "square forgotten",
        [("sum_to(-gy * a / b**2", "sum_to(-gy * a / b")],
        [QUOTIENT],
        "The derivative of 1 / b is -1 / b²: your gb is divided by b once only.",
    ),
]  # fmt: skip
OTHER_WORDS = [
    Words(
        "axis by axis, and gb from y",
        [(SUM, AXIS_BY_AXIS), (DIVIDE_GB, "    gb = sum_to(gy * -(a / b) / b, np.shape(b))\n")],
    ),
    Words("counted", [(SUM, COUNTED), (DIVIDE_GB, "    gb = -sum_to(gy * a, np.shape(b)) / b**2\n")]),
    Words(
        "einsum",
        [(SUM, EINSUM), (DIVIDE_GA, "    ga = sum_to(np.divide(gy, b), np.asarray(a).shape)\n"),
         (MULTIPLY, "    return tuple(sum_to(gy * other, np.shape(x)) for x, other in ((a, b), (b, a)))\n")],
    ),
]  # fmt: skip
