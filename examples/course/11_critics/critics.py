"""# 11. Critics

**Goal.** Three ways to keep D from winning: the critic with clipped weights, the hinge loss, and spectral
normalisation. About 4 hours, 6 points.

**What is given.** The class `SpectralNorm` holds two vectors, `u` and `v`, which stay from one call to the next.

**What you write.** r and s are D's scores of real and of fake examples.

1. `critic_loss(r, s)`: the loss of the Wasserstein critic. Return three things: the loss, its gradient with respect
   to r, and its gradient with respect to s.
2. `hinge_loss(r, s)`: the same three for the hinge loss of D.
3. `generator_loss(s)`: what G lowers in both games. Return the loss and its gradient with respect to s.
4. `play_round(D, G, gradients_of_D, gradients_of_G, critic_steps, lr, clip)`: `critic_steps` steps of D, then one of
   G. D and G are lists of arrays, which you change in place. `gradients_of_D()` returns a list of gradients, one for
   each array of D, at its present weights and on the next batch; `gradients_of_G()` does the same for G. A step is
   w ← w − lr · gw. After each step of D, every weight of D is brought back into [−clip, clip].
5. `SpectralNorm.forward(w, training)`: return w / σ. If `training`, make one step of the power method first and keep
   the new `u` and `v` in `self`; if not, leave both as they are.
6. `SpectralNorm.backward(w, gy)`: gy is the gradient with respect to w / σ; return the gradient with respect to w.
   Use `self.u` and `self.v` as they are.

**The mathematics.** The critic gives a score, not a probability. It raises E r − E s, so the loss that it lowers is
(Arjovsky, Chintala and Bottou 2017, eq. 2 and algorithm 1)

    L_D = mean(s) − mean(r)

The hinge loss (Lim and Ye 2017, eq. 3; Miyato et al. 2018, eq. 16) takes the mean over the real scores and the mean
over the fake ones, and adds the two:

    L_D = mean(max(0, 1 − r)) + mean(max(0, 1 + s))

An example beyond its margin, r > 1 or s < −1, adds nothing to the gradient. In both games G lowers

    L_G = −mean(s)

There is no margin for G: its gradient never fades (Miyato et al. 2018, eq. 17).

Spectral normalisation (Miyato et al. 2018, algorithm 1) divides a weight by an estimate of its largest singular
value. Let W be w as a matrix of C_out columns: `w.reshape(-1, C_out)`. One step of the power method, u has C_out
numbers, is

    v ← W u / ‖W u‖,    u ← Wᵀ v / ‖Wᵀ v‖,    then σ = vᵀ W u

with the new u and v. One step a pass is enough, because w hardly changes from one pass to the next and u is kept: it
goes on where it stopped. (In the paper W has C_out rows, so u and v change their roles there.)

u and v count as constants, but σ depends on w: ∂σ/∂W = v uᵀ. With y = w / σ, the quotient rule gives

    gw = gy / σ − (Σ gy · w) / σ² · ∂σ/∂w

where the sum is over all elements of w.

**Shapes.** r and s are (N, 1) and (M, 1), and so are their gradients; N and M may differ. Losses are numbers. w is
(C_in, C_out), or (KH, KW, C_in, C_out) for a convolution; w / σ and gw have the shape of w. u has C_out elements, v has
all the others: C_in, or KH · KW · C_in.

**Mind.** `w = w - lr * gw` makes a new array, and the one in the list stays as it was. No score lies on a margin, so
there is no question of the slope at the kink. Everything is float64. tinygen can't be imported in this piece.

**Predict first.** You clip before each step instead of after it. How far from 0 can a weight of D be when G takes its
step? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` trains three GANs on eight Gaussians with your functions in place of tinygen's:
a critic with clipped weights, the hinge loss alone, and the hinge loss with spectral normalisation. `critics.gif` is
the film of all three: D's scores as a landscape, real points, and G's points on their way. It takes less than a
minute.
"""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def critic_loss(r, s):
    """The loss of the critic, and its gradients with respect to r and s."""
    # BEGIN SOLUTION
    gr, gs = np.full(r.shape, -1 / r.size), np.full(s.shape, 1 / s.size)
    return s.mean() - r.mean(), gr, gs
    # END SOLUTION


def hinge_loss(r, s):
    """The hinge loss of D, and its gradients with respect to r and s."""
    # BEGIN SOLUTION
    loss = np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + s).mean()
    return loss, np.where(r < 1, -1 / r.size, 0.0), np.where(s > -1, 1 / s.size, 0.0)
    # END SOLUTION


def generator_loss(s):
    """What G lowers in both games, and its gradient with respect to s."""
    # BEGIN SOLUTION
    return -s.mean(), np.full(s.shape, -1 / s.size)
    # END SOLUTION


def play_round(D, G, gradients_of_D, gradients_of_G, critic_steps, lr, clip):
    """Some steps of D, each followed by clipping, then one of G. Changes the arrays of D and G in place."""
    # BEGIN SOLUTION
    for _ in range(critic_steps):
        for w, gw in zip(D, gradients_of_D()):
            w -= lr * gw
            np.clip(w, -clip, clip, out=w)
    for w, gw in zip(G, gradients_of_G()):
        w -= lr * gw
    # END SOLUTION


class SpectralNorm:
    """Divides a weight by an estimate of its largest singular value; u and v are kept from call to call."""

    def __init__(self, u, v):
        self.u, self.v = u, v

    def forward(self, w, training=True):
        """w / σ, in training after one step of the power method."""
        # BEGIN SOLUTION
        W = w.reshape(-1, w.shape[-1])
        if training:
            v = W @ self.u
            self.v = v / np.linalg.norm(v)
            u = W.T @ self.v
            self.u = u / np.linalg.norm(u)
        sigma = self.v @ W @ self.u
        return w / sigma
        # END SOLUTION

    def backward(self, w, gy):
        """The gradient with respect to w, given that with respect to w / σ."""
        # BEGIN SOLUTION
        W = w.reshape(-1, w.shape[-1])
        sigma = self.v @ W @ self.u
        slope = np.outer(self.v, self.u).reshape(w.shape)
        return gy / sigma - (gy * w).sum() / sigma**2 * slope
        # END SOLUTION
