"""The classic mistakes of piece 6, and right answers in other words."""

from tinygen.course import Mistake, Words

AXES = "    axes = tuple(range(x.ndim - 1))\n"
MU = "    mu = x.mean(axes)\n"
VAR = "    var = ((x - mu) ** 2).mean(axes)\n"
Y = "    y = gamma * (x - mu) / np.sqrt(var + eps) + beta\n"
OVER = "    over = tuple(range(x.ndim - 1))\n"
XHAT = "    xhat = (x - mu) / np.sqrt(var + eps)\n"
GXHAT = "    gxhat = gy * gamma\n"
THROUGH_MU = "    through_mu = gxhat.mean(over)\n"
THROUGH_VAR = "    through_var = xhat * (gxhat * xhat).mean(over)\n"
GX = "    gx = (gxhat - through_mu - through_var) / np.sqrt(var + eps)\n"
RETURN = "    return gx, (gy * xhat).sum(over), gy.sum(over)\n"
MEAN = "    mean = momentum * mean + (1 - momentum) * batch_mean\n"
RUNNING_VAR = "    var = momentum * var + (1 - momentum) * batch_var\n"
EVALUATE = "    return (x - mean) / np.sqrt(var + eps) * gamma + beta\n"
BOTH = "    return norm(real), norm(fake)\n"
SUM = "    return ggamma_real + ggamma_fake, gbeta_real + gbeta_fake\n"
REAL = "    _, ggamma_real, gbeta_real = norm_grad(gy_real, real)\n"
FAKE = "    _, ggamma_fake, gbeta_fake = norm_grad(gy_fake, fake)\n"

FORWARD = ["forward, rows", "forward, images", "forward, far from 0"]
BACKWARD = ["backward, rows", "backward, images"]

MISTAKES = [
    Mistake(
        "the unbiased variance",
        [(VAR, "    var = x.var(axes, ddof=1)\n")],
        FORWARD,
        "The variance is divided by n - 1: batch norm divides by n.",
    ),
    Mistake(
        "each example normalised",
        [
            (AXES, "    axes = -1\n"),
            (MU, "    mu = x.mean(axes, keepdims=True)\n"),
            (VAR, "    var = ((x - mu) ** 2).mean(axes, keepdims=True)\n"),
        ],
        FORWARD,
        "Each example is normalised over its channels, which is layer norm: take the mean over all axes but the last.",
    ),
    Mistake(
        "each pixel normalised",
        [(AXES, "    axes = 0\n")],
        ["forward, images"],
        "Each pixel of an image has statistics of its own: those of a channel are over N, H and W.",
    ),
    Mistake(
        "eps outside of the root",
        [(Y, Y.replace("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"))],
        FORWARD,
        "eps is added to the root: it belongs inside, √(var + eps).",
    ),
    Mistake(
        "the mean of squares",
        [(VAR, "    var = (x * x).mean(axes) - mu * mu\n")],
        ["forward, far from 0"],
        "The mean of x² minus mu² loses its digits where the mean is large: take the mean of (x - mu)².",
    ),
    Mistake(
        "no gradient through mu",
        [(GX, GX.replace(" - through_mu", ""))],
        BACKWARD,
        "Nothing of the gradient comes through mu: it depends on every x, so the mean of gamma gy is subtracted.",
    ),
    Mistake(
        "no gradient through var",
        [(GX, GX.replace(" - through_var", ""))],
        BACKWARD,
        "Nothing of the gradient comes through var: it depends on every x, so x̂ times the mean of gamma gy x̂ is "
        "subtracted.",
    ),
    Mistake(
        "mu and var as constants",
        [(GX, "    gx = gxhat / np.sqrt(var + eps)\n")],
        BACKWARD,
        "mu and var are taken as constants: both depend on every x, and gradients come through both.",
    ),
    Mistake(
        "no eps backward",
        [(XHAT, XHAT.replace(" + eps", "")), (GX, GX.replace(" + eps", ""))],
        BACKWARD,
        "Backward divides by √var and forward by √(var + eps): use the same in both.",
    ),
    Mistake(
        "gamma is forgotten",
        [(GXHAT, "    gxhat = gy\n")],
        BACKWARD,
        "gx lacks gamma: y = gamma x̂ + beta, so gamma gy arrives at x̂.",
    ),
    Mistake(
        "gamma's gradient by x",
        [(RETURN, RETURN.replace("gy * xhat", "gy * x"))],
        BACKWARD,
        "ggamma is a sum of gy x: gamma multiplies x̂, so it is a sum of gy x̂.",
    ),
    Mistake(
        "means for sums",
        [(RETURN, RETURN.replace("sum", "mean"))],
        BACKWARD,
        "ggamma and gbeta are means over the batch: they are sums. A 1/n that the loss has is in gy already.",
    ),
    Mistake(
        "n is the batch alone",
        [
            (THROUGH_MU, "    through_mu = gxhat.sum(over) / len(x)\n"),
            (THROUGH_VAR, "    through_var = xhat * (gxhat * xhat).sum(over) / len(x)\n"),
        ],
        ["backward, images"],
        "The sums are divided by N: an image has H W values a channel, so n is N H W.",
    ),
    Mistake(
        "PyTorch's momentum",
        [
            (MEAN, "    mean = (1 - momentum) * mean + momentum * batch_mean\n"),
            (RUNNING_VAR, "    var = (1 - momentum) * var + momentum * batch_var\n"),
        ],
        ["running statistics"],
        "Your momentum is the share of the new batch, as in PyTorch: here it is the share of the old that is kept.",
    ),
    Mistake(
        "the last batch alone",
        [(MEAN, "    mean = batch_mean\n"), (RUNNING_VAR, "    var = batch_var\n")],
        ["running statistics"],
        "Nothing of the old statistics is kept: momentum says how much.",
    ),
    Mistake(
        "evaluation by the batch",
        [(EVALUATE, "    axes = tuple(range(x.ndim - 1))\n    mean, var = x.mean(axes), x.var(axes)\n" + EVALUATE)],
        ["evaluation"],
        "Evaluation uses the statistics of its batch, so an example's y depends on its neighbours: use mean and var.",
    ),
    Mistake(
        "real and fake mixed",
        [(BOTH, "    y = norm(np.concatenate([real, fake]))\n    return y[: len(real)], y[len(real) :]\n")],
        ["real and fake"],
        "Real and fake are normalised as one batch: each has its own statistics, so call norm for each.",
    ),
    Mistake(
        "the gradients of a mixed batch",
        [
            (REAL, "    gy, x = np.concatenate([gy_real, gy_fake]), np.concatenate([real, fake])\n"),
            (FAKE, "    _, ggamma, gbeta = norm_grad(gy, x)\n"),
            (SUM, "    return ggamma, gbeta\n"),
        ],
        ["gradients of real and fake"],
        "The gradients are those of one mixed batch: call norm_grad for each and add.",
    ),
    Mistake(
        "the gradients of fake alone",
        [(SUM, "    return ggamma_fake, gbeta_fake\n")],
        ["gradients of real and fake"],
        "Those of fake replace those of real: gamma and beta are used in both batches, so add the gradients up.",
    ),
]
OTHER_WORDS = [
    Words(
        "rows of all values, one multiplication and one addition",
        [
            (AXES, "    rows = x.reshape(-1, x.shape[-1])\n    mu = np.average(rows, axis=0)\n"),
            (MU, ""),
            (VAR, "    var = np.var(rows, axis=0)\n"),
            (Y, "    scale = gamma / np.sqrt(var + eps)\n    y = x * scale + (beta - mu * scale)\n"),
        ],
    ),
    Words(
        "the paper's steps backward",
        [
            (THROUGH_MU, "    n = x.size // x.shape[-1]\n    std = np.sqrt(var + eps)\n"),
            (
                THROUGH_VAR,
                "    gvar = (gxhat * (x - mu)).sum(over) * -0.5 * std**-3\n"
                "    gmu = -gxhat.sum(over) / std - gvar * 2 * (x - mu).sum(over) / n\n",
            ),
            (GX, "    gx = gxhat / std + gvar * 2 * (x - mu) / n + gmu / n\n"),
        ],
    ),
    Words(
        "a matrix of derivatives a channel",  # the slow way: each x for each y
        [
            (THROUGH_MU, "    n = x.size // x.shape[-1]\n    gx = np.empty_like(x)\n"),
            (THROUGH_VAR, "    for c in range(x.shape[-1]):\n        h = xhat[..., c].reshape(n)\n"),
            (
                GX,
                "        slopes = (np.eye(n) - 1 / n - np.outer(h, h) / n) / np.sqrt(var[c] + eps)\n"
                "        gx[..., c] = (slopes @ gxhat[..., c].reshape(n)).reshape(x.shape[:-1])\n",
            ),
            (MEAN, "    mean = mean + (1 - momentum) * (batch_mean - mean)\n"),
            (RUNNING_VAR, "    var = var + (1 - momentum) * (batch_var - var)\n"),
            (EVALUATE, "    return x * (gamma / np.sqrt(var + eps)) + (beta - mean * gamma / np.sqrt(var + eps))\n"),
        ],
    ),
]
