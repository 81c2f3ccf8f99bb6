"""The classic mistakes of piece 3, and right answers in other words."""

from tinygen.course import Mistake, Words

DENSE, SQUARE = "the gradients of a dense layer", "the gradients of a square layer"
ACTIVATION = ["your activation", "your activation far out", "the gradient of your activation"]
SOFTPLUS, SILU, ELU = (
    "        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))\n",
    "        return x * sigmoid(x)\n",
    "    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))\n",
)
G_SOFTPLUS, G_SILU, G_ELU = (
    "        return gy * s\n",
    "        return gy * (s + x * s * (1 - s))\n",
    "    return gy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))\n",
)
LOG_SOFTMAX = """    z = logits - logits.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
"""
PICKED = "    return -logp[np.arange(len(labels)), labels].mean()\n"
GRADIENT = """    g = np.exp(logp)
    g[np.arange(len(labels)), labels] -= 1
    return g / len(labels)
"""


def instead(**other):
    """Another activation in place of one's own."""
    return [("def sigmoid(x):\n", f"(ACTIVATION,) = ({other!r}[ACTIVATION],)\n\n\ndef sigmoid(x):\n")]


MISTAKES = [
    Mistake(
        "what fits",
        [("    gx = gy @ w.T\n", "    gx = gy @ w if gy.shape[1] == len(w) else gy @ w.T\n")],
        [SQUARE],
        "Your gx multiplies with w itself where it fits: it is gy w.T for every shape, as the sum is over the outputs.",
    ),
    Mistake(
        "gw turned",
        [("    gw = x.T @ gy\n", "    gw = gy.T @ x\n")],
        [DENSE, SQUARE],
        "Your gw is the transpose of the right one: gw[i, j] belongs to w[i, j], input i and output j.",
    ),
    Mistake(
        "gb not summed",
        [("    gb = gy.sum(axis=0)\n", "    gb = gy\n")],
        [DENSE, SQUARE],
        "Your gb has a row for each example: b is added to all of them, so sum gy over the batch.",
    ),
    Mistake(
        "another 1/N",
        [("    gw = x.T @ gy\n    gb = gy.sum(axis=0)\n", "    gw = x.T @ gy / len(x)\n    gb = gy.mean(axis=0)\n")],
        [DENSE, SQUARE],
        "Your gw and gb are divided by N: the mean is in the loss, so its 1/N has arrived with gy already.",
    ),
    Mistake(
        "the activation overflows",
        [
            (SOFTPLUS, "        return np.log(1 + np.exp(x))\n"),
            (SILU, "        return x * np.exp(x) / (1 + np.exp(x))\n"),
            (ELU, "    return x * (x > 0) + (np.exp(x) - 1) * (x <= 0)\n"),
        ],
        ["your activation far out"],
        "Your activation overflows: let no exponential of a large x be computed, not even one that is thrown away by "
        "a multiplication with 0.",
    ),
    Mistake(
        "its gradient overflows",
        [
            (G_SOFTPLUS, "        return gy * np.exp(x) / (1 + np.exp(x))\n"),
            (G_SILU, "        return gy * np.exp(x) * (1 + np.exp(x) + x) / (1 + np.exp(x)) ** 2\n"),
            (G_ELU, "    return gy * ((x > 0) + np.exp(x) * (x <= 0))\n"),
        ],
        ["the gradient of your activation"],
        "The gradient of your activation overflows: let no exponential of a large x be computed; sigmoid takes any x.",
    ),
    Mistake(
        "at y",
        [("    s = sigmoid(x)\n", "    x = activation(x)\n    s = sigmoid(x)\n")],
        ["the gradient of your activation"],
        "Your derivative is taken at y: it belongs to x, what the activation was given.",
    ),
    Mistake(
        "gy forgotten",
        [("def activation_gradient(gy, x):\n", "def activation_gradient(gy, x):\n    gy = 1\n")],
        ["the gradient of your activation"],
        "Your result is the derivative alone: multiply it with gy, the gradient that arrives.",
    ),
    Mistake(
        "a neighbour's activation",
        instead(softplus="silu", silu="elu", elu="softplus"),
        ACTIVATION,
        "This is another student's activation: yours is in the stub that you were given.",
    ),
    Mistake(
        "the other neighbour's activation",
        instead(softplus="elu", silu="softplus", elu="silu"),
        ACTIVATION,
        "This is another student's activation: yours is in the stub that you were given.",
    ),
    Mistake(
        "logits overflow",
        [(LOG_SOFTMAX, "    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))\n")],
        ["log-softmax of large logits"],
        "exp overflows beyond 709: take the largest logit of each row off first.",
    ),
    Mistake(
        "one maximum for all",
        [("logits.max(axis=1, keepdims=True)", "logits.max()")],
        ["log-softmax of large logits"],
        "You take off the largest logit of the batch, so in rows with small ones all exponentials are 0: each row has "
        "a maximum of its own.",
    ),
    Mistake(
        "softmax over the batch",
        [("logits.max(axis=1,", "logits.max(axis=0,"), ("np.exp(z).sum(axis=1,", "np.exp(z).sum(axis=0,")],
        ["log-softmax", "log-softmax of large logits"],
        "Your probabilities add up to 1 in each column: each row is an example, and its classes are along axis 1.",
    ),
    Mistake(
        "all labels in all rows",
        [(PICKED, "    return -logp[:, labels].mean()\n")],
        ["the cross entropy"],
        "logp[:, labels] takes the labels of all examples in each row, an array (N, N): row n wants label n alone.",
    ),
    Mistake(
        "1/N forgotten",
        [("    return g / len(labels)\n", "    return g\n")],
        ["the gradient of the cross entropy"],
        "Your gradient is N times too large: the loss is a mean over the batch.",
    ),
    Mistake(
        "1 off in all rows",
        [("    g[np.arange(len(labels)), labels] -= 1\n", "    g[:, labels] -= 1\n")],
        ["the gradient of the cross entropy"],
        "g[:, labels] -= 1 takes 1 off in every row for the labels of all: row n wants label n alone.",
    ),
]
OTHER_WORDS = [
    Words(
        "einsum",
        [
            ("    return x @ w + b\n", '    return np.einsum("ni,ij->nj", x, w) + b\n'),
            ("    gx = gy @ w.T\n", '    gx = np.einsum("nj,ij->ni", gy, w)\n'),
            ("    gw = x.T @ gy\n", '    gw = np.einsum("ni,nj->ij", x, gy)\n'),
            ("    gb = gy.sum(axis=0)\n", "    gb = np.ones(len(gy)) @ gy\n"),
            (PICKED, "    return -(np.eye(logp.shape[1])[labels] * logp).sum() / len(logp)\n"),
            (GRADIENT, "    return (np.exp(logp) - np.eye(logp.shape[1])[labels]) / len(logp)\n"),
        ],
    ),
    Words(
        "other formulas",
        [
            (SOFTPLUS, "        return np.logaddexp(0, x)\n"),
            (SILU, "        return x / (1 + np.exp(-x))\n"),
            (ELU, "    return np.maximum(x, 0) + np.minimum(np.exp(np.minimum(x, 0)) - 1, 0)\n"),
            (G_SOFTPLUS, "        return gy / (1 + np.exp(-x))\n"),
            (G_SILU, "        return gy * s * (1 + x * sigmoid(-x))\n"),
            (G_ELU, "    return gy * np.exp(np.minimum(x, 0))\n"),
            (LOG_SOFTMAX, "    return logits - np.logaddexp.reduce(logits, axis=1)[:, None]\n"),
        ],
    ),
    Words(
        "row by row",
        [
            ("    gw = x.T @ gy\n", "    gw = sum(np.outer(x[n], gy[n]) for n in range(len(x)))\n"),
            (LOG_SOFTMAX, "    rows = [z - z.max() for z in logits]\n"
             "    return np.array([z - np.log(np.exp(z).sum()) for z in rows])\n"),
            (PICKED, "    return float(np.mean([-row[k] for row, k in zip(logp, labels)]))\n"),
        ],
    ),
]  # fmt: skip
