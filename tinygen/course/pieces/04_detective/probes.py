"""How a check calls the file of piece 4."""

import numpy as np

# Functions of each number of x, and their derivatives: what hidden suspects are made of.
FUNCTIONS = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "square": (lambda x: x * x, lambda x: 2 * x),
}


def polynomial(a, sizes=1.0):
    """Σ a t³ + Σ t t', where t = x / sizes and t' is its neighbour."""

    def f(x):
        t = x / sizes
        return float((a * t**3).sum() + (t[..., 1:] * t[..., :-1]).sum())

    return f


def slopes(detective, a, x, h):
    """The numeric gradient with a given step."""
    return detective.numeric_gradient(polynomial(a), x, h)


def slopes_of_all_sizes(detective, a, x, sizes, h):
    """The same for large x; each number of the gradient is multiplied with the size of its x."""
    g = detective.numeric_gradient(polynomial(a, sizes), x, h)
    return g * sizes if isinstance(g, np.ndarray) and g.shape == x.shape else g


def slopes_in_memory(detective, a, x):
    """The numeric gradients at a transpose, and at numbers of float32."""
    f = polynomial(a)
    return {
        "the gradient at a transpose": detective.numeric_gradient(f, np.ascontiguousarray(x.T).T),
        "the gradient at an x of float32": detective.numeric_gradient(f, x.astype(np.float32)),
    }


def untouched(detective, a, x):
    """The shape of the gradient, and how many numbers of x have changed in the end."""
    before = x.copy()
    g = detective.numeric_gradient(polynomial(a), x)
    return {"the shape of the gradient": list(np.shape(g)), "how many numbers of x changed": int((x != before).sum())}


def ten(detective, x, u, numeric, rough):
    """The verdicts on the suspects of the file. rough: the numeric gradients where the step is too small for f."""
    found = {}
    for name, (forward, rule) in detective.SUSPECTS.items():
        f, gradient = detective.weighed(forward, rule, u)

        def handed(f, x, h=6e-6, name=name):
            return (rough if name in rough and h < 1e-4 else numeric)[name].copy()

        found[f"the verdict on {name}"] = detective.verdict(f, gradient, x.copy(), handed)
    return found


def verdicts(detective, suspects):
    """The verdicts on suspects made here."""
    return {f"the verdict on suspect {i}": detective.verdict(*suspect(**s)) for i, s in enumerate(suspects, 1)}


def suspect(function, x, u, lie, size, place, scale=1.0, kink=False, random=False, single=False):
    """f, the claimed gradient, x and a numeric gradient, which has about the error of a real one."""
    forward, derivative = FUNCTIONS[function]
    calls = []
    corner = x.ravel()[place]

    def f(z):
        calls.append(z)
        y = scale * (np.sum(u * forward(z)) + 4.0)
        if kink:
            y = y + scale * 2 * np.abs(z.ravel()[place] - corner)
        if random:
            y = y + scale * 0.1 * np.sin(len(calls))
        return np.float32(y) if single else y

    def truth(z):
        return scale * u * derivative(z)

    def handed(f, z, h=6e-6):
        rounding = (1.2e-7 if single else 2.2e-16) * abs(float(f(z))) / h
        return truth(z) + (rounding + random * scale / h) * np.cos(np.arange(z.size)).reshape(z.shape)

    return f, lambda z: claim(truth(z), z, lie, size, place), x, handed


def claim(g, x, lie, size, place):
    """A gradient with a lie in it."""
    if lie == "sign":
        return -g
    if lie == "factor":
        return g * (1 + size)
    if lie == "left":
        return np.where(x < 0, g * (1 + size), g)
    if lie == "order":
        return np.roll(g, 1 + place % (g.size - 1)).reshape(g.shape)
    if lie in ("one", "nan"):
        g.ravel()[place] += size * np.abs(g).max() if lie == "one" else np.nan
    return g
