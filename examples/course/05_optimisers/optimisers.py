"""# 5. Optimisers

**Goal.** Write the two optimisers that train nearly every GAN: SGD with momentum, and Adam. About 3 hours, 8 points.

**What is given.** Two classes with their settings. An optimiser is made once, with a list of the network's arrays of
weights, and `step(grads)` is called at every step of the training, with a list of their gradients in the same order.

**What you write.**

1. `Momentum`: what it remembers at the start (at the end of `__init__`), and `step`.
2. `Adam`: the same.

`step` changes the arrays in `self.params` in place and returns nothing. The names of what you remember are up to you.

**The mathematics.** w is an array of weights, g its gradient at this step. All operations are elementwise, and each
array has a memory of its own. Momentum, as PyTorch and tinygen have it, starts with v = 0:

    v ← m v + g
    w ← w - lr v

Here v adds up whole gradients: there is no (1 - m) before g. It holds no learning rate either: w moves by lr as it is
at this step, whatever it was before. Other texts have other forms: Nesterov's momentum moves w by g + m v, and
Sutskever et al. (2013, eq. 1) keep lr inside v, which differs once lr changes.

Adam (Kingma and Ba 2015, algorithm 1) starts with m = 0, v = 0 and t = 0. At each step:

    t ← t + 1
    m ← β₁ m + (1 - β₁) g                m̂ = m / (1 - β₁ᵗ)
    v ← β₂ v + (1 - β₂) g²               v̂ = v / (1 - β₂ᵗ)
    w ← w - lr m̂ / (√v̂ + eps)

m and v are running means of g and of g². Both start at 0 and so are too small at first: after one step, m is
(1 - β₁) g. The division by 1 - βᵗ corrects that. Only w sees m̂ and v̂; m and v go on uncorrected. The first step has
t = 1. eps is added outside of the root, to the root of the corrected v̂.

**Shapes.** The arrays have any shapes; a gradient has the shape of its array. All are float64.

**Mind.**

- `w -= ...` changes the array that the network uses. `w = w - ...` makes a new one, which the network never sees.
- The gradients belong to the caller, who may write the next gradient into the same array. So don't write into them, and
  don't keep them: `v = g` is no copy.
- t counts calls of `step`: it is the same for all arrays of one optimiser, and another optimiser has its own. A GAN has
  two, one for D and one for G, and they take turns.
- `self.lr` may be changed from outside between two steps.
- Where a gradient is always 0, Adam leaves w as it is.

**Predict first.** The gradient of one weight is 0.001 at the first step, that of another is 1000. How far does Adam
move each in this step, if eps = 0? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` draws `valley.png`, the ways that your optimisers take down a long valley, and
`film.gif`: a GAN in the plane, made of tinygen's layers, that learns a ring of eight clouds by your Adam.
"""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


class Momentum:
    """SGD with momentum: v ← m v + g, w ← w - lr v."""

    def __init__(self, params, lr=0.01, m=0.9):
        self.params, self.lr, self.m = params, lr, m
        # BEGIN SOLUTION
        self.v = [np.zeros_like(w) for w in params]
        # END SOLUTION

    def step(self, grads):
        """Change each array of self.params in place, given the list of their gradients."""
        # BEGIN SOLUTION
        for i, (w, g) in enumerate(zip(self.params, grads)):
            self.v[i] = self.m * self.v[i] + g
            w -= self.lr * self.v[i]
        # END SOLUTION


class Adam:
    """Adam: w ← w - lr m̂ / (√v̂ + eps), with the corrected means m̂ of g and v̂ of g²."""

    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.beta1, self.beta2, self.eps = params, lr, beta1, beta2, eps
        # BEGIN SOLUTION
        self.t = 0
        self.mean = [np.zeros_like(w) for w in params]
        self.square = [np.zeros_like(w) for w in params]
        # END SOLUTION

    def step(self, grads):
        """Change each array of self.params in place, given the list of their gradients."""
        # BEGIN SOLUTION
        self.t += 1
        for i, (w, g) in enumerate(zip(self.params, grads)):
            self.mean[i] = self.beta1 * self.mean[i] + (1 - self.beta1) * g
            self.square[i] = self.beta2 * self.square[i] + (1 - self.beta2) * g**2
            m_hat = self.mean[i] / (1 - self.beta1**self.t)
            v_hat = self.square[i] / (1 - self.beta2**self.t)
            w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        # END SOLUTION
