"""The classic mistakes of piece 4, and right answers in other words."""

from tinygen.course import Mistake, Words

COPY = "    x = np.array(x, dtype=np.float64)\n"
CENTRAL = """        x[i] = there - s
        below = f(x)
        x[i] = there
        g[i] = (above - below) / (2 * s)
"""
FLAT = """    flat, g = x.reshape(-1), np.zeros(x.size)
    for i in range(x.size):
        there = flat[i]
        s = h * max(1.0, abs(there))
        flat[i] = there + s
        above = f(x)
        flat[i] = there - s
        below = f(x)
        flat[i] = there
        g[i] = (above - below) / (2 * s)
    return g.reshape(x.shape)
"""
LOOP = """    g = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        there = x[i]
        s = h * max(1.0, abs(there))
        x[i] = there + s
        above = f(x)
        x[i] = there - s
        below = f(x)
        x[i] = there
        g[i] = (above - below) / (2 * s)
    return g
"""
MOVED_ALONG = """    steps = h * np.maximum(1, np.abs(x))
    moves = [np.where(np.arange(x.size).reshape(x.shape) == i, steps, 0) for i in range(x.size)]
    return np.array([f(x + s) - f(x - s) for s in moves]).reshape(x.shape) / (2 * steps)
"""
KINK = """    for i in np.ndindex(x.shape):
        s = np.zeros(x.shape)
        s[i] = h * max(1.0, abs(x[i]))
        if abs(float(f(x + s)) - 2 * float(y) + float(f(x - s))) / s[i] > 0.1 * steepest:
            return "kink"
"""
KINK_BY_SLOPES = """    left, right = np.zeros(x.shape), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        s = h * max(1.0, abs(x[i]))
        up[i] += s
        down[i] -= s
        left[i], right[i] = (y - f(down)) / s, (f(up) - y) / s
    if np.any(np.abs(right - left) > 0.1 * max(np.abs(left).max(), np.abs(right).max())):
        return "kink"
"""
CHOICE = "    h, limit = (5e-3, 1e-2) if single else (6e-6, 1e-5)\n"
ERROR = """    error = np.max(np.abs(gradient(x) - g)) / steepest
    return "right" if error < limit else "wrong"
"""
SLOPES = ["central differences", "small and large x", "a transpose, and float32"]

MISTAKES = [
    Mistake(
        "one-sided",
        [(CENTRAL, "        x[i] = there\n        g[i] = (above - f(x)) / s\n")],
        SLOPES,
        "Your difference goes to one side: its error is h f''/2, that of (f(x + s) - f(x - s)) / 2s only h² f'''/6.",
    ),
    Mistake(
        "one step for all x",
        [("        s = h * max(1.0, abs(there))\n        x[i]", "        s = h\n        x[i]")],
        ["small and large x"],
        "Your step is h wherever x is: an x of a million needs a step a million times as large, h · max(1, |x|).",
    ),
    Mistake(
        "no step at 0",
        [("        s = h * max(1.0, abs(there))\n        x[i]", "        s = h * abs(there)\n        x[i]")],
        ["central differences"],
        "Your step shrinks with x, down to 0 at x = 0: it is h · max(1, |x|).",
    ),
    Mistake(
        "a copy is moved",
        [(LOOP, FLAT)],
        ["a transpose, and float32"],
        "reshape(-1) and ravel() copy an x that is a transpose, so you move a copy, and f does not see it: index x.",
    ),
    Mistake(
        "float32 kept",
        [(COPY, "    x = np.array(x)\n")],
        ["a transpose, and float32"],
        "You move x in float32, which hardly feels a step of 6e-6: copy it to float64 first.",
    ),
    Mistake(
        "moved back by adding",
        [
            (COPY, "    x = np.asarray(x, dtype=np.float64)\n"),
            ("        x[i] = there - s\n", "        x[i] -= 2 * s\n"),
            ("        x[i] = there\n", "        x[i] += s\n"),
        ],
        ["x stays as it is"],
        "You move the caller's x and add the step back, which rounds: keep the old number, or work on a copy.",
    ),
    Mistake(
        "dice unnoticed",
        [('    if f(x) != y:\n        return "random"\n', "")],
        ["the ten suspects", "kinks and dice"],
        "You compare with a random function, whose differences mean nothing: call f twice at the same x first.",
    ),
    Mistake(
        "kinks unnoticed",
        [(KINK, "")],
        ["the ten suspects", "kinks and dice"],
        "You judge at a kink: central differences give the mean of both sides there, which is no derivative.",
    ),
    Mistake(
        "absolute error",
        [(ERROR, ERROR.replace(" / steepest", ""))],
        ["small and large gradients"],
        "You compare the error with a fixed number: a gradient of 1e-7 can lie below any, one of 1e6 rounds above it. "
        "Divide by the largest slope.",
    ),
    Mistake(
        "each number by itself",
        [(ERROR, ERROR.replace("np.max(np.abs(gradient(x) - g)) / steepest", "np.max(np.abs(gradient(x) / g - 1))"))],
        ["small and large gradients"],
        "You divide each error by its own slope: where the slope is 0, rounding alone looks like a lie. Divide by the "
        "largest.",
    ),
    Mistake(
        "NaN acquitted",
        [('    return "right" if error < limit else "wrong"\n', '    return "wrong" if error > limit else "right"\n')],
        ["new lies"],
        "You acquit NaN: error > limit is False for it. Ask whether error < limit instead.",
    ),
    Mistake(
        "no absolute value",
        [(ERROR, ERROR.replace("np.max(np.abs(gradient(x) - g))", "np.max(gradient(x) - g)"))],
        ["new lies"],
        "You see only claims that are too large: take the absolute value of each difference before the largest.",
    ),
    Mistake(
        "too lenient",
        [(CHOICE, "    h, limit = (5e-3, 1e-2) if single else (6e-6, 1e-2)\n")],
        ["the ten suspects", "new lies", "float32"],
        "You let a lie of a thousandth pass: central differences in float64 are good to 1e-9, so be strict.",
    ),
    Mistake(
        "float32 unnoticed",
        [(CHOICE, "    h, limit = 6e-6, 1e-5\n")],
        ["the ten suspects", "float32"],
        "You take a step of 6e-6 in a function of float32, whose rounding is larger: look at the dtype of f(x).",
    ),
]
OTHER_WORDS = [
    Words("all moves at once", [(LOOP, MOVED_ALONG)]),
    Words(
        "two slopes",
        [(KINK, KINK_BY_SLOPES), (CHOICE, "    h, limit = (1e-2, 3e-3) if single else (1e-5, 1e-6)\n")],
    ),
    Words(
        "in place, and put back",
        [
            (COPY, "    x = np.asarray(x, dtype=np.float64)\n"),
            (ERROR, "    fits = np.abs(gradient(x) - g) <= limit * steepest\n"
             '    return "right" if fits.all() else "wrong"\n'),
        ],
    ),
]  # fmt: skip
