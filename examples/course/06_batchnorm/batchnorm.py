"""# 6. Batch norm

**Goal.** Write batch norm: forward, backward, its running statistics, and its place in the discriminator's step.
About 4 hours, 10 points.

**What is given.** The names of six functions and their arguments. None needs another: what a function builds on is
among its arguments.

**What you write.**

1. `batchnorm(x, gamma, beta, eps)`: returns `y, mu, var`.
2. `batchnorm_grad(gy, x, gamma, mu, var, eps)`: returns `gx, ggamma, gbeta`, the gradients of the loss for x, gamma and
   beta. gy is the gradient that arrives at y; mu and var are those of the forward pass.
3. `follow(mean, var, batch_mean, batch_var, momentum)`: returns the new running `mean, var`.
4. `evaluate(x, gamma, beta, mean, var, eps)`: returns y by the running statistics, as after training.
5. `both(norm, real, fake)`: returns `y_real, y_fake`, the two batches of a discriminator's step, normalised.
   `norm(x)` normalises whatever batch it gets by the statistics of that batch.
6. `both_grad(norm_grad, gy_real, real, gy_fake, fake)`: returns `ggamma, gbeta` of that step, whose loss is the sum of
   one for real and one for fake. `norm_grad(gy, x)` returns `gx, ggamma, gbeta` of one batch.

**The mathematics.** The channel is the last axis. Each channel is normalised on its own, over all other axes: over N
for rows, over N, H and W for images. With n values a channel (Ioffe and Szegedy 2015, algorithm 1):

    mu = Σ x / n        var = Σ (x - mu)² / n        x̂ = (x - mu) / √(var + eps)        y = gamma x̂ + beta

var is the biased variance, divided by n and not by n - 1. eps is inside the root.

Backward: mu and var depend on every x of the channel, so each x reaches the loss in three ways: by its own x̂, through
mu and through var. Sums are over all axes but the last. With gx̂ = gamma gy (section 3 of the paper, put together):

    gx = (gx̂ - Σ gx̂ / n - x̂ · Σ (gx̂ x̂) / n) / √(var + eps)
    ggamma = Σ gy x̂
    gbeta = Σ gy

Derive the first line before you type it: the two sums are what comes through mu and through var. The derivative of var
for mu is -2 Σ (x - mu) / n = 0, which makes it short.

The running statistics follow those of the batches, with a momentum that says how much of the old is kept:

    mean ← momentum · mean + (1 - momentum) · batch_mean        and var in the same way

That is Keras's and tinygen's convention. PyTorch's momentum is 1 minus this one, and its running variance is unbiased;
here it is the biased one that you are given. After training, mean and var take the place of mu and var:

    y = gamma (x - mean) / √(var + eps) + beta

so that the y of one example depends on no other example.

The discriminator's step has a batch of real and a batch of fake examples. Each is normalised by its own statistics, as
by two calls D(real) and D(fake). If they were joined to one batch, mu would be that of half real, half fake examples: D
could tell the two by their distance to each other, and G's step, in which D sees fakes alone, would meet another D.
gamma and beta are used twice in this step, so their gradients come from both batches.

**Shapes.** x, y, gy and gx: (N, C) or (N, H, W, C). gamma, beta, mu, var, mean, ggamma, gbeta: (C,). real: (N, C),
fake: (M, C), where M may differ from N. All are float64.

**Mind.** The mean of a channel may be a million times its standard deviation. Take the variance of x - mu; the formula
Σ x² / n - mu² loses all digits there. Return new arrays, and write into none that you are given.

**Predict first.** What is the sum of gx over all values of one channel? Write it into `PREDICTION` before you run
anything.

**The picture.** `tinygen course run` draws `batches.png`, a real and a fake batch as your `both` normalises them, and
`film.gif`: digits by a GAN of tinygen's layers whose G is normalised by your functions, as it learns.
"""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def batchnorm(x, gamma, beta, eps):
    """y, and the mean and the biased variance of each channel of x."""
    # BEGIN SOLUTION
    axes = tuple(range(x.ndim - 1))
    mu = x.mean(axes)
    var = ((x - mu) ** 2).mean(axes)
    y = gamma * (x - mu) / np.sqrt(var + eps) + beta
    return y, mu, var
    # END SOLUTION


def batchnorm_grad(gy, x, gamma, mu, var, eps):
    """The gradients gx, ggamma, gbeta, where gy arrives at y."""
    # BEGIN SOLUTION
    over = tuple(range(x.ndim - 1))
    xhat = (x - mu) / np.sqrt(var + eps)
    gxhat = gy * gamma
    through_mu = gxhat.mean(over)
    through_var = xhat * (gxhat * xhat).mean(over)
    gx = (gxhat - through_mu - through_var) / np.sqrt(var + eps)
    return gx, (gy * xhat).sum(over), gy.sum(over)
    # END SOLUTION


def follow(mean, var, batch_mean, batch_var, momentum):
    """The running mean and variance after one more batch."""
    # BEGIN SOLUTION
    mean = momentum * mean + (1 - momentum) * batch_mean
    var = momentum * var + (1 - momentum) * batch_var
    return mean, var
    # END SOLUTION


def evaluate(x, gamma, beta, mean, var, eps):
    """y by the running mean and variance."""
    # BEGIN SOLUTION
    return (x - mean) / np.sqrt(var + eps) * gamma + beta
    # END SOLUTION


def both(norm, real, fake):
    """y_real and y_fake of a discriminator's step, given the function norm(x) of a batch."""
    # BEGIN SOLUTION
    return norm(real), norm(fake)
    # END SOLUTION


def both_grad(norm_grad, gy_real, real, gy_fake, fake):
    """ggamma and gbeta of a discriminator's step, given the function norm_grad(gy, x) of a batch."""
    # BEGIN SOLUTION
    _, ggamma_real, gbeta_real = norm_grad(gy_real, real)
    _, ggamma_fake, gbeta_fake = norm_grad(gy_fake, fake)
    return ggamma_real + ggamma_fake, gbeta_real + gbeta_fake
    # END SOLUTION
