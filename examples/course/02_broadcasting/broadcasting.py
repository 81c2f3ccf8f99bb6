"""# 2. Broadcasting

**Goal.** Write what goes back through broadcasting, and with it the gradients of `a * b` and `a / b`. About 2 hours,
6 points.

**What is given.** Nothing but NumPy. Where an operand is smaller than the result, NumPy stretches it: shapes are
aligned from the right, axes that are missing in front are added, and an axis of length 1 is repeated.

**What you write.**

1. `sum_to(g, shape)`: the adjoint of stretching an array of that shape to the shape of `g`. The result has `shape`.
2. `multiply_gradients(gy, a, b, sum_to)`: the gradients `(ga, gb)` of y = a * b.
3. `divide_gradients(gy, a, b, sum_to)`: the gradients `(ga, gb)` of y = a / b.

Parts 2 and 3 are handed a `sum_to`. When they are checked, it is the grader's own, so a mistake in part 1 costs points
in part 1 alone. It sums from the shape of y to that of `a` or of `b`.

**The mathematics.** Let b be stretched to B, of the shape of y. Each number of b stands at several places of B, and
each place has a gradient of its own. By the chain rule they are added:

    gb[i] = Σ gB[p] over all places p at which b[i] stands

As a linear map, stretching is a matrix of 0s and 1s; summing is its transpose. So for every g and b

    ⟨g, stretched(b)⟩ = ⟨sum_to(g, b.shape), b⟩

which is a test that you can run. Element by element, with gy = dL/dy:

    y = a · b:   gA = gy · b     gB = gy · a
    y = a / b:   gA = gy / b     gB = -gy · a / b²

**Shapes.** `g` and `gy` are arrays of the shape of y. `a` and `b` are arrays, or plain numbers such as 2.0, whose shape
is `()`; `np.shape(a)` knows both. `ga` has the shape of `a`, and `gb` that of `b`.

| x | y | sum over |
| --- | --- | --- |
| (5,) | (4, 3, 5) | axes 0 and 1, which were added |
| (4, 1, 5) | (4, 3, 5) | axis 1, which was stretched |
| (1, 5) | (2, 1, 5) | axis 0; the axis of length 1 stays |
| () | (3, 4) | all |

**Mind.** It is a sum, not a mean. An axis of length 1 is an axis of x: don't lose it. If all lengths are equal, as in
(4, 4), a wrong axis gives the right shape. Leave `gy`, `a` and `b` as they are: others use them too.

**Predict first.** x has shape (3, 1), c has shape (3, 4), and y = x + c. If gy is 1 everywhere, what are the numbers of
gx, and what is its shape? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` gives tinygen your three functions and fits sixteen noisy photos of one digit,
each with an exposure e and a noise s of its own, by way of ((w * e - photos) / s)². The image w has shape (28, 28) and
gathers its gradient from all photos; e and s have shape (16, 1, 1). `photos.png` shows what was found, and w beside the
mean of the photos, which does not know the good ones from the bad.
"""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def sum_to(g, shape):
    """The adjoint of stretching an array of a shape to the shape of g: g summed over the axes added or stretched."""
    # BEGIN SOLUTION
    lead = g.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1]
    summed = g.sum(axis=(*range(lead), *stretched), keepdims=True)
    return summed.reshape(shape)
    # END SOLUTION


def multiply_gradients(gy, a, b, sum_to):
    """ga and gb of y = a * b, in the shapes of a and b."""
    # BEGIN SOLUTION
    ga = gy * b
    gb = gy * a
    return sum_to(ga, np.shape(a)), sum_to(gb, np.shape(b))
    # END SOLUTION


def divide_gradients(gy, a, b, sum_to):
    """ga and gb of y = a / b, in the shapes of a and b."""
    # BEGIN SOLUTION
    ga = sum_to(gy / b, np.shape(a))
    gb = sum_to(-gy * a / b**2, np.shape(b))
    return ga, gb
    # END SOLUTION
