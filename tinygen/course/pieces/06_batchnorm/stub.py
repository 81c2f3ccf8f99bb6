"""6. Batch norm: read handout.md, then complete this file."""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def batchnorm(x, gamma, beta, eps):
    """y, and the mean and the biased variance of each channel of x."""
    ...  # your code here


def batchnorm_grad(gy, x, gamma, mu, var, eps):
    """The gradients gx, ggamma, gbeta, where gy arrives at y."""
    ...  # your code here


def follow(mean, var, batch_mean, batch_var, momentum):
    """The running mean and variance after one more batch."""
    ...  # your code here


def evaluate(x, gamma, beta, mean, var, eps):
    """y by the running mean and variance."""
    ...  # your code here


def both(norm, real, fake):
    """y_real and y_fake of a discriminator's step, given the function norm(x) of a batch."""
    ...  # your code here


def both_grad(norm_grad, gy_real, real, gy_fake, fake):
    """ggamma and gbeta of a discriminator's step, given the function norm_grad(gy, x) of a batch."""
    ...  # your code here
