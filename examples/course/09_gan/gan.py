"""# 9. The step of a GAN

**Goal.** Write the training step of a GAN with tinygen, both sides of it: what each network learns from, and what must
stay as it is meanwhile. About 3 hours, 12 points.

**What is given.** tinygen, and a `gan` with four attributes. `gan.G` and `gan.D` are the networks: `gan.G(z)` turns
noise into examples, and `gan.D(x)` gives each example a score, the logit of D's probability that it is real.
`gan.opt_G` and `gan.opt_D` are their optimisers. `bce_logits(scores, t)` is the mean of -t log p - (1 - t) log(1 - p)
over the scores, where p = sigmoid(score); it is a Tensor, and `.item()` gives its number.

**What you write.**

1. `step_D(gan, x, z)`: one step of D, down the loss L_D of the real examples x and of fake ones made of the noise z.
   Returns the loss, a `float`.
2. `step_G(gan, z)`: one step of G, down its loss L_G for the noise z. Returns the loss.
3. `train_step(gan, batches, noise)`: for each x of `batches`, a step of D; then one step of G. Every step has noise of
   its own, `noise.normal((n, LATENT))`, with as many rows as x has; G's step as many as the last x. Returns the loss of
   the last step of D, and that of G. Call `step_D` and `step_G`: the checks put functions of their own in their place.

**The mathematics.** D is to give real examples the label 1 and fake ones 0 (Goodfellow et al. 2014, eq. 1):

    L_D = -(1/N) Σᵢ log p(xᵢ) - (1/M) Σⱼ log(1 - p(G(zⱼ))),   p(x) = sigmoid(D(x))

There are two means, one over the N real and one over the M fake examples, and L_D is their sum. G is to make D say 1:

    L_G = -(1/M) Σⱼ log p(G(zⱼ))

That is the non-saturating loss of section 3 of the paper. Eq. 1 itself would have G lower the mean of
log(1 - p(G(z))), whose gradient vanishes while D is sure that G's examples are fake: it saturates. Algorithm 1 of the
paper takes k steps of D for each of G, all with new examples and new noise: that is `train_step`.

**Shapes.** x: (N, C). z: (M, LATENT). G(z): (M, C). Scores: (N, 1) or (M, 1). All are float64 in the checks.

**Mind.** In D's step G is fixed: it moves no weight, and no gradient is left in the `.grad` of its parameters. In G's
step the gradient goes through D to G, and D moves no weight. There are two ways to follow a gradient, and both get all
points. `opt.step(tg.grad(loss, parameters))` takes the gradients of the parameters that you name, and touches no
`.grad`. `loss.backward()` adds to the `.grad` of everything that the loss was computed from, and `opt.step()` follows
what lies there, so that whatever an earlier step left must be gone: `opt.zero_grad()`. To keep a gradient from getting
anywhere there are `with tg.no_grad():`, `.detach()` and `with tg.frozen(module):`, and they are not the same.

**Predict first.** After G's step by `backward()`, the `.grad` of D's parameters holds the gradient of L_G. Suppose
nobody clears it, and D's next step follows the sum. Which way does the leftover move D's scores of fake examples? Write
it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` trains a GAN by your `train_step` on eight Gaussians on a circle, and writes
`training.gif`, the film of G's points, and `report.html`, the page of what happened inside. It takes less than half a
minute.
"""

from __future__ import annotations

import tinygen as tg
from tinygen.losses import bce_logits

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each

LATENT = 2  # how many numbers the noise of one example has


def step_D(gan, x, z):
    """Move D one step down L_D, while G stays as it is. Returns the loss as a float."""
    # BEGIN SOLUTION
    with tg.no_grad():
        fake = gan.G(z)
    loss = bce_logits(gan.D(x), 1.0) + bce_logits(gan.D(fake), 0.0)
    gan.opt_D.step(tg.grad(loss, gan.D.parameters()))
    return loss.item()
    # END SOLUTION


def step_G(gan, z):
    """Move G one step down L_G, while D stays as it is. Returns the loss as a float."""
    # BEGIN SOLUTION
    with tg.frozen(gan.D):
        loss = bce_logits(gan.D(gan.G(z)), 1.0)
        gan.opt_G.step(tg.grad(loss, gan.G.parameters()))
    return loss.item()
    # END SOLUTION


def train_step(gan, batches, noise):
    """A step of D on each batch, then one of G, each with new noise. Returns the last loss of D, and that of G."""
    # BEGIN SOLUTION
    for x in batches:
        loss_D = step_D(gan, x, noise.normal((len(x), LATENT)))
    loss_G = step_G(gan, noise.normal((len(x), LATENT)))
    return loss_D, loss_G
    # END SOLUTION
