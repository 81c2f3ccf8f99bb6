"""# 10. The gradient of a gradient

**Goal.** Keep the slope of D in check: write the penalty of WGAN-GP and the R1 penalty. Both contain a gradient, and
are differentiated themselves. About 3 hours, 10 points.

**What is given.** tinygen. D is a network: D(x) gives each example a score. `tg.grad(y, x)` is dy/dx as a Tensor that
has no tape; `tg.grad(y, x, create_graph=True)` writes the backward pass onto the tape, too, so that the gradient can be
differentiated like anything else.

**What you write.**

1. `interpolate(x, fake, noise)`: x̂, a point on the way from each real example to a fake one. `noise.uniform(shape)`
   draws from U(0, 1).
2. `input_gradient(D, x)`: gx, the gradient of the score of each example with respect to that example, on the tape.
3. `gradient_penalty(gx, lam)`: the penalty of WGAN-GP, lam times the mean of (‖gx‖ - 1)².
4. `r1_penalty(gx, gamma)`: the R1 penalty, ½ gamma times the mean of ‖gx‖².
5. `critic_loss(D, x, fake, noise, lam)`: what the critic of WGAN-GP lowers.
6. `r1_loss(D, x, fake, gamma)`: what the D of a GAN with R1 lowers.

Parts 5 and 6 call the functions of parts 1 to 4; the checks put functions of their own in their place.

**The mathematics.** The critic of a Wasserstein GAN must not be steeper than 1. WGAN-GP (Gulrajani et al. 2017, eq. 3
and algorithm 1) has it pay for every other slope, at points between real and fake examples:

    L = (1/N) Σ D(G(z)) - (1/N) Σ D(x) + lam · (1/N) Σ (‖∇D(x̂)‖ - 1)²
    x̂ = x + t (G(z) - x),   t ~ U(0, 1)

Each example has one t of its own, which is the same for all its numbers. (The paper's λ is lam, its ε is 1 - t.)

R1 (Mescheder et al. 2018, eq. 9) wants D flat at the real examples, where the game is to come to rest:

    L = (1/N) Σ -log p(x) + (1/N) Σ -log(1 - p(G(z))) + ½ gamma · (1/N) Σ ‖∇D(x)‖²,   p(x) = sigmoid(D(x))

‖·‖ is the length of one example's gradient: the root of the sum of the squares of all its numbers. The score of an
example depends on no other example of the batch, so row i of the gradient of the sum of all scores is the gradient of
score i alone.

**Shapes.** x, fake, x̂, gx: (N, C) or (N, H, W, C), NHWC. x and fake are arrays of equal shape, and x̂ is an array, too.
gx, the penalties and the losses are Tensors on the tape; penalties and losses have shape (). Scores: (N, 1).

**Mind.** Without `create_graph` the penalty is a constant: it is part of the loss, but D's weights never feel it. Where
D is flat, ‖gx‖ is 0, and the derivative of a root at 0 is infinite: times the 0 that follows it is NaN, and then so are
all weights. Take √(Σ gx² + 1e-12), as tinygen does: its gradient is 0 there.

**Predict first.** Take a linear D, D(x) = w · x. How steep is it, and where? To which w does the penalty of WGAN-GP
alone lead, and to which does R1 alone? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` trains three D's on the same points, without a penalty, with yours of WGAN-GP and
with your R1, and draws `slopes.png`: how steep each is, all over the plane. It takes less than a minute.
"""

from __future__ import annotations

import tinygen as tg
from tinygen.losses import bce_logits

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def interpolate(x, fake, noise):
    """x̂ = x + t (fake - x) with one t for each example: an array."""
    # BEGIN SOLUTION
    t = noise.uniform((len(x), *[1] * (x.ndim - 1)))
    return x + t * (fake - x)
    # END SOLUTION


def input_gradient(D, x):
    """gx: the gradient of each example's score with respect to the example, on the tape."""
    # BEGIN SOLUTION
    x = tg.tensor(x, requires_grad=True)
    return tg.grad(D(x).sum(), x, create_graph=True)
    # END SOLUTION


def gradient_penalty(gx, lam):
    """lam · mean of (‖gx‖ - 1)², with a length for each example."""
    # BEGIN SOLUTION
    lengths = tg.ops.sqrt((gx * gx).reshape(len(gx), -1).sum(axis=1) + 1e-12)
    return lam * ((lengths - 1) ** 2).mean()
    # END SOLUTION


def r1_penalty(gx, gamma):
    """½ gamma · mean of ‖gx‖²."""
    # BEGIN SOLUTION
    return 0.5 * gamma * (gx * gx).sum() / len(gx)
    # END SOLUTION


def critic_loss(D, x, fake, noise, lam):
    """The critic's loss of WGAN-GP: fake minus real scores, plus the penalty between them."""
    # BEGIN SOLUTION
    gx = input_gradient(D, interpolate(x, fake, noise))
    return D(fake).mean() - D(x).mean() + gradient_penalty(gx, lam)
    # END SOLUTION


def r1_loss(D, x, fake, gamma):
    """D's loss of the GAN, label 1 for real and 0 for fake examples, plus R1."""
    # BEGIN SOLUTION
    gx = input_gradient(D, x)
    return bce_logits(D(x), 1.0) + bce_logits(D(fake), 0.0) + r1_penalty(gx, gamma)
    # END SOLUTION
