"""The classic mistakes of piece 10, and right answers in other words."""

from tinygen.course import Mistake, Words

T = "noise.uniform((len(x), *[1] * (x.ndim - 1)))"
MIX = f"    t = {T}\n    return x + t * (fake - x)\n"
SLOPE = "tg.grad(D(x).sum(), x, create_graph=True)"
LENGTHS = "tg.ops.sqrt((gx * gx).reshape(len(gx), -1).sum(axis=1) + 1e-12)"
PENALTY = f"    lengths = {LENGTHS}\n    return lam * ((lengths - 1) ** 2).mean()\n"
R1 = "0.5 * gamma * (gx * gx).sum() / len(gx)"
CRITIC = "gx = input_gradient(D, interpolate(x, fake, noise))"
BETWEEN = ["between real and fake", "between images"]
NUMPY = ("import tinygen as tg\n", "import numpy as np\n\nimport tinygen as tg\n")

MISTAKES = [
    Mistake(
        "one t for all",
        [(T, "noise.uniform((1,))")],
        BETWEEN,
        "All examples share one t: draw one for each, of shape (N, 1) or (N, 1, 1, 1).",
    ),
    Mistake(
        "a t for each number",
        [(T, "noise.uniform(x.shape)")],
        BETWEEN,
        "Each number has a t of its own, so x̂ is not on the line from x to the fake example: one t for each example.",
    ),
    Mistake(
        "no create_graph",
        [(SLOPE, "tg.grad(D(x).sum(), x)")],
        ["the gradient of the gradient"],
        "gx has no tape, so no penalty made of it reaches D's weights: create_graph=True.",
    ),
    Mistake(
        "the gradient of a mean",
        [(SLOPE, SLOPE.replace("sum", "mean"))],
        ["the gradient at x", "the gradient of the gradient"],
        "gx is divided by the number of examples: take the gradient of the sum of the scores, not of their mean.",
    ),
    Mistake(
        "one length for the batch",
        [(LENGTHS, "tg.ops.sqrt((gx * gx).sum() + 1e-12)")],
        ["the gradient penalty", "the penalty of images", "a flat D"],
        "One length is taken of the whole batch: each example has its own, and the mean is over (‖gx‖ - 1)².",
    ),
    Mistake(
        "a length for each pixel",
        [(LENGTHS, "tg.ops.sqrt((gx * gx).sum(axis=-1) + 1e-12)")],
        ["the penalty of images"],
        "The sum is over the last axis alone, so each pixel of an image has a length: sum over all axes but the first.",
    ),
    Mistake(
        "the root of 0",
        [(LENGTHS, LENGTHS.replace(" + 1e-12", ""))],
        ["a flat D"],
        "Where D is flat, the derivative of the root is infinite, and the gradient NaN: √(Σ gx² + 1e-12).",
    ),
    Mistake(
        "gamma for gamma/2",
        [(R1, "gamma * (gx * gx).sum() / len(gx)")],
        ["R1"],
        "R1 is twice what it should be: its factor is gamma/2.",
    ),
    Mistake(
        "the penalty on fakes",
        [(CRITIC, "gx = input_gradient(D, fake)")],
        ["the critic's loss"],
        "The slope is taken at the fake examples: WGAN-GP takes it between real and fake ones, at x̂.",
    ),
    Mistake(
        "R1 on fakes",
        [("gx = input_gradient(D, x)", "gx = input_gradient(D, fake)")],
        ["the loss with R1"],
        "The slope is taken at the fake examples: R1 is taken at the real ones (R2 is the one on fakes).",
    ),
]
OTHER_WORDS = [
    Words(
        "einsum, and the root of a maximum",
        [
            NUMPY,
            (MIX, "    t = noise.uniform(len(x))\n    return np.einsum('n,n...->n...', 1 - t, x) + (fake.T * t).T\n"),
            (
                PENALTY,
                "    rows = tg.ops.reshape(gx, (gx.shape[0], -1))\n"
                "    squares = tg.ops.einsum('nk,nk->n', rows, rows)\n"
                "    lengths = tg.ops.sqrt(tg.ops.maximum(squares, 1e-20))\n"
                "    return lam * tg.ops.mean(squares - 2 * lengths + 1)\n",
            ),
            (R1, "gamma / 2 * tg.ops.power(gx, 2).reshape(len(gx), -1).sum(axis=1).mean()"),
        ],
    ),
    Words(
        "an example at a time",
        [
            NUMPY,
            (
                MIX,
                "    t = noise.uniform((len(x),))\n    pairs = zip(x, fake, t)\n"
                "    return np.stack([(1 - s) * real + s * made for real, made, s in pairs])\n",
            ),
            (
                f"    return {SLOPE}\n",
                "    rows = [tg.grad(D(x)[i, 0], x, create_graph=True)[i] for i in range(len(x))]\n"
                "    return tg.ops.stack(rows)\n",
            ),
            (R1, "sum((gx[i] ** 2).sum() for i in range(len(gx))) * (gamma / 2 / len(gx))"),
        ],
    ),
    Words(
        "ones as grad_outputs",
        [
            NUMPY,
            (SLOPE, "tg.grad(D(x), x, np.ones((len(x), 1)), create_graph=True)"),
            (PENALTY, PENALTY.replace(LENGTHS, "tg.ops.power((gx**2).reshape(len(gx), -1).sum(axis=1) + 1e-14, 0.5)")),
        ],
    ),
]
