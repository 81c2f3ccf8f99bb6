"""9. The step of a GAN: read handout.md, then complete this file."""

from __future__ import annotations

import tinygen as tg
from tinygen.losses import bce_logits

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each

LATENT = 2  # how many numbers the noise of one example has


def step_D(gan, x, z):
    """Move D one step down L_D, while G stays as it is. Returns the loss as a float."""
    ...  # your code here


def step_G(gan, z):
    """Move G one step down L_G, while D stays as it is. Returns the loss as a float."""
    ...  # your code here


def train_step(gan, batches, noise):
    """A step of D on each batch, then one of G, each with new noise. Returns the last loss of D, and that of G."""
    ...  # your code here
