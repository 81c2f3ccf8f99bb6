"""The classic mistakes of piece 8, and right answers in other words."""

from tinygen.course import Mistake, Words

SAMPLES = ["a sample", "a sample of a larger batch"]
KL = ["KL", "KL of a larger batch"]
RECONSTRUCTION = ["the reconstruction", "scores of 1,000"]
DRAW = "    eps = noise.normal(mu.shape)\n    return mu + np.exp(logvar / 2) * eps, eps\n"
KL_LINE = "0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar) / len(mu)"
LOSS_LINE = "np.sum(np.logaddexp(0, y) - x * y) / len(x)"
GMU = "gz + beta * mu / len(mu)"
GLOGVAR = "gz * eps * np.exp(logvar / 2) / 2 + beta * (np.exp(logvar) - 1) / 2 / len(mu)"

MISTAKES = [
    Mistake(
        "logvar taken for log sigma",
        [("return mu + np.exp(logvar / 2) * eps", "return mu + np.exp(logvar) * eps")],
        SAMPLES,
        "e^logvar is the variance; the standard deviation that eps is multiplied by is e^(logvar/2).",
    ),
    Mistake(
        "one eps for all images",
        [("noise.normal(mu.shape)", "noise.normal((1, mu.shape[1]))")],
        SAMPLES,
        "All images share one eps: draw one for each number of z, of the shape of mu.",
    ),
    Mistake(
        "the sign of KL",
        [(KL_LINE, KL_LINE.replace("0.5", "-0.5"))],
        KL,
        "Your KL is negative, and a KL never is. Appendix B of the paper gives -KL; the loss has +KL.",
    ),
    Mistake(
        "KL: mean over the latents",
        [(KL_LINE, "0.5 * np.mean(mu**2 + np.exp(logvar) - 1 - logvar)")],
        KL,
        "KL is divided by the number of latents, too: it is their sum, and only the batch is averaged over.",
    ),
    Mistake(
        "reconstruction: mean over the pixels",
        [(LOSS_LINE, "np.mean(np.logaddexp(0, y) - x * y)")],
        RECONSTRUCTION,
        "The reconstruction is divided by the number of pixels, too, so KL outweighs it: it is their sum, and only the "
        "batch is averaged over.",
    ),
    Mistake(
        "overflow",
        [(LOSS_LINE, "np.sum(np.log(1 + np.exp(y)) - x * y) / len(x)")],
        ["scores of 1,000"],
        "e^y overflows where y is large: log(1 + e^y) is max(y, 0) + log(1 + e^-|y|), or np.logaddexp(0, y).",
    ),
    Mistake(
        "the derivative of the sigmoid twice",
        [("return (sigmoid(y) - x) / len(x)", "p = sigmoid(y)\n    return (p - x) * p * (1 - p) / len(x)")],
        ["the reconstruction's gradient"],
        "The factor p (1 - p) is too many: it cancels against the cross entropy's derivative, and p - x is left.",
    ),
    Mistake(
        "z detached",
        [
            (GMU, "beta * mu / len(mu)"),
            (GLOGVAR, "beta * (np.exp(logvar) - 1) / 2 / len(mu)"),
        ],
        ["the gradient through z", "both ways at once"],
        "Only KL reaches mu and logvar: z depends on them, too, so what arrives at z is passed on to both.",
    ),
    Mistake(
        "the ½ of e^(logvar/2)",
        [(GLOGVAR, GLOGVAR.replace("np.exp(logvar / 2) / 2", "np.exp(logvar / 2)"))],
        ["the gradient through z", "both ways at once"],
        "Through z, logvar gets twice what it should: the derivative of e^(logvar/2) is ½ e^(logvar/2).",
    ),
    Mistake(
        "KL's gradient: sum over the batch",
        [(GMU, "gz + beta * mu"), (GLOGVAR, GLOGVAR.removesuffix(" / len(mu)"))],
        ["the gradient through KL", "both ways at once"],
        "KL is a mean over the batch, so its gradients are divided by N; gz has been divided by it already.",
    ),
]
OTHER_WORDS = [
    Words(
        "standard deviations",
        [
            (
                DRAW,
                "    eps = noise.normal(mu.shape)\n    return [np.sqrt(np.exp(logvar)) * eps + mu, eps]\n",
            ),
            (KL_LINE, "np.mean(np.sum(-0.5 * (1 + logvar - np.square(mu) - np.exp(logvar)), axis=1))"),
            (LOSS_LINE, "np.mean(np.sum(np.maximum(y, 0) - x * y + np.log1p(np.exp(-np.abs(y))), axis=1))"),
            (GLOGVAR, "0.5 * (gz * (eps * np.exp(0.5 * logvar)) + beta / mu.shape[0] * np.expm1(logvar))"),
        ],
    ),
    Words(
        "an image at a time",
        [
            (
                DRAW,
                "    z, eps = np.empty_like(mu), np.empty_like(mu)\n    for i in range(len(mu)):\n"
                "        eps[i] = noise.normal(mu.shape[1])\n        z[i] = mu[i] + np.exp(logvar[i] / 2) * eps[i]\n"
                "    return z, eps\n",
            ),
            (KL_LINE, "sum(0.5 * (m @ m + np.sum(np.exp(v) - 1 - v)) for m, v in zip(mu, logvar)) / len(mu)"),
            (LOSS_LINE, "sum(np.sum(np.logaddexp(0, s) - p * s) for p, s in zip(x, y)) / len(x)"),
            ("return (sigmoid(y) - x) / len(x)", "return np.array([(sigmoid(s) - p) / len(x) for p, s in zip(x, y)])"),
        ],
    ),
    Words(
        "z - mu for sigma eps",
        [
            (
                GLOGVAR,
                "0.5 * gz * ((mu + np.exp(logvar / 2) * eps) - mu) + beta * (np.exp(logvar) - 1) * 0.5 / len(logvar)",
            )
        ],
    ),
]
