"""11. Critics: read handout.md, then complete this file."""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def critic_loss(r, s):
    """The loss of the critic, and its gradients with respect to r and s."""
    ...  # your code here


def hinge_loss(r, s):
    """The hinge loss of D, and its gradients with respect to r and s."""
    ...  # your code here


def generator_loss(s):
    """What G lowers in both games, and its gradient with respect to s."""
    ...  # your code here


def play_round(D, G, gradients_of_D, gradients_of_G, critic_steps, lr, clip):
    """Some steps of D, each followed by clipping, then one of G. Changes the arrays of D and G in place."""
    ...  # your code here


class SpectralNorm:
    """Divides a weight by an estimate of its largest singular value; u and v are kept from call to call."""

    def __init__(self, u, v):
        self.u, self.v = u, v

    def forward(self, w, training=True):
        """w / σ, in training after one step of the power method."""
        ...  # your code here

    def backward(self, w, gy):
        """The gradient with respect to w, given that with respect to w / σ."""
        ...  # your code here
