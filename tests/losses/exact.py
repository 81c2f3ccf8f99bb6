"""The sigmoid and its logarithm in Python's floats, and scores up to where float32 overflows."""

import math

HUGE = [-1e4, -500.0, -100.0, -20.0, -1e-3, 0.0, 1e-3, 20.0, 100.0, 500.0, 1e4]


def log_sigmoid(x):
    """log σ(x) in Python's floats, exact for any x."""
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))
