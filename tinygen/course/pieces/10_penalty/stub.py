"""10. The gradient of a gradient: read handout.md, then complete this file."""

from __future__ import annotations

import tinygen as tg
from tinygen.losses import bce_logits

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def interpolate(x, fake, noise):
    """x̂ = x + t (fake - x) with one t for each example: an array."""
    ...  # your code here


def input_gradient(D, x):
    """gx: the gradient of each example's score with respect to the example, on the tape."""
    ...  # your code here


def gradient_penalty(gx, lam):
    """lam · mean of (‖gx‖ - 1)², with a length for each example."""
    ...  # your code here


def r1_penalty(gx, gamma):
    """½ gamma · mean of ‖gx‖²."""
    ...  # your code here


def critic_loss(D, x, fake, noise, lam):
    """The critic's loss of WGAN-GP: fake minus real scores, plus the penalty between them."""
    ...  # your code here


def r1_loss(D, x, fake, gamma):
    """D's loss of the GAN, label 1 for real and 0 for fake examples, plus R1."""
    ...  # your code here
