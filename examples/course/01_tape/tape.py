"""# 1. The tape

**Goal.** Write the walk back over a tape of numbers: backpropagation, in twenty lines. About 2 hours, 8 points.

**What is given.** A `Value` is a number that remembers where it came from: `parents` are the Values it was computed
from, and `local` has the derivative of it with respect to each. A product `y = a * b` has `parents = (a, b)` and
`local = (b.data, a.data)`. Sums, products, powers, `tanh`, `exp` and `log` are there.

**What you write.**

1. `in_order(y)`: all Values that `y` depends on, and `y` itself, as a list in which each comes after its parents.
   A Value that is used twice is in the list once.
2. `backward(y)`: sets `x.grad` of each of them to the derivative dy/dx. It does not matter what `grad` was before.

**The mathematics.** Let y depend on x through the Values v₁ … vₙ that use x directly. The chain rule says

    dy/dx = Σᵢ dy/dvᵢ · ∂vᵢ/∂x

Each vᵢ passes on what has arrived at it, times its local derivative; x adds up all that arrives. So dy/dvᵢ must be
complete before vᵢ passes anything on: walk over the list of part 1 from its end. The walk starts with dy/dy = 1. If
x is used twice by one v, as in v = x * x, it gets both shares.

**Shapes.** All are plain numbers (`float`).

**Mind.** A tape may be long: a chain of 100,000 Values must work, and Python's recursion stops near 1,000. Use a list
of your own as a stack. Visit each Value once, or 60 doublings in a row will take longer than the universe has.

**Predict first.** In y = x * x + x, how many times does something arrive at x? Write it into `PREDICTION` before you
run anything.

**The picture.** `tinygen course run` draws your tape of `tanh(a*b + a)` as `tape.svg`, each box with its number and
with the gradient that your `backward` gave it.
"""

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
    # BEGIN SOLUTION
    order, seen, stack = [], set(), [(y, False)]
    while stack:
        value, parents_are_done = stack.pop()
        if parents_are_done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack.extend((parent, False) for parent in value.parents)
    return order
    # END SOLUTION


def backward(y):
    """Set x.grad = dy/dx of every Value that y depends on."""
    # BEGIN SOLUTION
    order = in_order(y)
    for value in order:
        value.grad = 0.0
    y.grad = 1.0
    for value in reversed(order):
        for parent, local in zip(value.parents, value.local):
            parent.grad += value.grad * local
    # END SOLUTION
