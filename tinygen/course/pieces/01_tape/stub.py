"""1. The tape: read handout.md, then complete this file."""

from __future__ import annotations

import math

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


class Value:
    """A number on the tape: `data`, what it was made of (`parents`), and its derivative for each (`local`)."""

    def __init__(self, data, parents=(), local=(), op=""):
        self.data = float(data)
        self.parents, self.local, self.op = parents, local, op
        self.grad = 0.0

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0), "+")

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data), "*")

    def __pow__(self, n):
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),), f"**{n}")

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,), "tanh")

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,), "exp")

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,), "log")


def in_order(y):
    """All Values that y depends on, and y: a list in which each comes after its parents, each once."""
    ...  # your code here


def backward(y):
    """Set x.grad = dy/dx of every Value that y depends on."""
    ...  # your code here
