"""5. Optimisers: read handout.md, then complete this file."""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


class Momentum:
    """SGD with momentum: v ← m v + g, w ← w - lr v."""

    def __init__(self, params, lr=0.01, m=0.9):
        self.params, self.lr, self.m = params, lr, m
        ...  # your code here

    def step(self, grads):
        """Change each array of self.params in place, given the list of their gradients."""
        ...  # your code here


class Adam:
    """Adam: w ← w - lr m̂ / (√v̂ + eps), with the corrected means m̂ of g and v̂ of g²."""

    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.beta1, self.beta2, self.eps = params, lr, beta1, beta2, eps
        ...  # your code here

    def step(self, grads):
        """Change each array of self.params in place, given the list of their gradients."""
        ...  # your code here
