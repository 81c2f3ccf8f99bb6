"""# 3. A layer

**Goal.** Write all that a classifier needs between its numbers and its loss: a dense layer, an activation, softmax and
the cross entropy, each with its gradient. About 3 hours, 8 points.

**What is given.** `sigmoid(x)`, σ(x) = 1 / (1 + e⁻ˣ), which takes any x. `ACTIVATION` is your activation; other
students have another.

**What you write.**

1. `dense(x, w, b)`: y = x w + b.
2. `dense_gradients(gy, x, w)`: the gradients `(gx, gw, gb)` of it.
3. `activation(x)`: yours.
4. `activation_gradient(gy, x)`: its gradient. Find the derivative with pencil and paper.
5. `log_softmax(logits)`: the logarithms of the probabilities, row by row.
6. `cross_entropy(logp, labels)`: the loss, from the result of part 5.
7. `cross_entropy_gradient(logp, labels)`: the gradient of that loss with respect to the *logits*, again from the
   result of part 5.

Each is checked alone: what one takes comes from the grader and not from another one of yours.

**The mathematics.** Here n counts examples, i inputs, j outputs, k classes. For y = x w + b:

    y[n, j] = Σᵢ x[n, i] w[i, j] + b[j]

    gx[n, i] = Σⱼ gy[n, j] w[i, j]      gw[i, j] = Σₙ x[n, i] gy[n, j]      gb[j] = Σₙ gy[n, j]

Each gradient sums over the letter that it does not have. Write the sums as products of matrices.

The activation, element by element, one of

    softplus:  y = log(1 + eˣ)                      (Dugas et al. 2000)
    silu:      y = x σ(x)                           (Hendrycks and Gimpel 2016)
    elu:       y = x for x > 0, and eˣ - 1 else     (Clevert et al. 2015, eq. 15, with α = 1)

Softmax gives each class a probability, and the loss is the mean over the batch of -log of that of the right class:

    p[n, k] = exp(z[n, k]) / Σₗ exp(z[n, l])      L = -1/N Σₙ log p[n, label[n]]

The logarithm is the logit less the log of a sum. To add any m to all logits of a row changes nothing: choose it so that
no exponential overflows.

    log p[n, k] = z[n, k] - m - log Σₗ exp(z[n, l] - m)

The derivative of L with respect to z[n, k] is (p[n, k] - 1)/N for the right class, and p[n, k]/N for the others.

**Shapes.** `x` (N, in), `w` (in, out), `b` (out,), `y` and `gy` (N, out). `logits` and `logp` (N, K); `labels` (N,),
integers from 0 to K - 1. The loss is one number. Each gradient has the shape of what it is the gradient of.

**Mind.** If N = in = out, a matrix that should be transposed fits as it is. Where N, in and out differ, let the shapes
tell you. Logits, and the x of your activation, may be 1000 or -1000: neither infinities nor NaNs may come out. The loss
is a mean over the batch, so 1/N is in the gradient of the logits, and nowhere after it. The derivative of the
activation is taken at x, not at y. Change none of the arrays that you are given.

**Predict first.** All logits are 0, there are 10 classes and one example. What is the loss, and what is its gradient
with respect to the logit of the right class, and of each other one? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` makes tinygen ops of your functions and trains a network of three layers to tell
the arms of a spiral apart. `spiral.png` shows which arm it sees where, after 20, 100 and 500 steps.
"""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each
ACTIVATION = "softplus"  # VARIANT: softplus, silu, elu


def sigmoid(x):
    """1 / (1 + e⁻ˣ), without overflow: tanh only has another scale."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def dense(x, w, b):
    """x w + b, (N, out)."""
    # BEGIN SOLUTION
    return x @ w + b
    # END SOLUTION


def dense_gradients(gy, x, w):
    """gx, gw and gb."""
    # BEGIN SOLUTION
    gx = gy @ w.T
    gw = x.T @ gy
    gb = gy.sum(axis=0)
    return gx, gw, gb
    # END SOLUTION


def activation(x):
    """Your activation, element by element."""
    # BEGIN SOLUTION
    if ACTIVATION == "softplus":
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    if ACTIVATION == "silu":
        return x * sigmoid(x)
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    # END SOLUTION


def activation_gradient(gy, x):
    """The gradient of x."""
    # BEGIN SOLUTION
    s = sigmoid(x)
    if ACTIVATION == "softplus":
        return gy * s
    if ACTIVATION == "silu":
        return gy * (s + x * s * (1 - s))
    return gy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))
    # END SOLUTION


def log_softmax(logits):
    """log p, (N, K)."""
    # BEGIN SOLUTION
    z = logits - logits.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    # END SOLUTION


def cross_entropy(logp, labels):
    """The mean of -log p of the right classes, one number."""
    # BEGIN SOLUTION
    return -logp[np.arange(len(labels)), labels].mean()
    # END SOLUTION


def cross_entropy_gradient(logp, labels):
    """The gradient of the cross entropy with respect to the logits, (N, K)."""
    # BEGIN SOLUTION
    g = np.exp(logp)
    g[np.arange(len(labels)), labels] -= 1
    return g / len(labels)
    # END SOLUTION
