"""2. Broadcasting: read handout.md, then complete this file."""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def sum_to(g, shape):
    """The adjoint of stretching an array of a shape to the shape of g: g summed over the axes added or stretched."""
    ...  # your code here


def multiply_gradients(gy, a, b, sum_to):
    """ga and gb of y = a * b, in the shapes of a and b."""
    ...  # your code here


def divide_gradients(gy, a, b, sum_to):
    """ga and gb of y = a / b, in the shapes of a and b."""
    ...  # your code here
