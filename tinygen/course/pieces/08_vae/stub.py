"""8. The middle of a VAE: read handout.md, then complete this file."""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def sigmoid(y):
    """1 / (1 + e^-y), for any y."""
    return 0.5 * (1 + np.tanh(0.5 * y))


def reparameterise(mu, logvar, noise):
    """z, drawn from N(mu, e^logvar), and the eps that it was made with: two arrays."""
    ...  # your code here


def kl(mu, logvar):
    """KL(N(mu, e^logvar) ‖ N(0, 1)): the sum over the latents, the mean over the batch."""
    ...  # your code here


def reconstruction(x, y):
    """-log p(x|z) of pixels x, given their scores y: the sum over the pixels, the mean over the batch."""
    ...  # your code here


def reconstruction_backward(x, y):
    """gy: the gradient of the reconstruction with respect to the scores y."""
    ...  # your code here


def backward(gz, mu, logvar, eps, beta):
    """gmu and glogvar: the gradients of the loss, through z and through beta · KL."""
    ...  # your code here
