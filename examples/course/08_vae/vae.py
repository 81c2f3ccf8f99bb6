"""# 8. The middle of a VAE

**Goal.** Write what is between the two networks of a variational autoencoder: the sample, the two terms of the loss,
and their gradients by hand. About 3 hours, 10 points.

**What is given.** The networks are tinygen's. An encoder turns images x into mu and logvar, a decoder turns z into y,
the scores of the pixels: sigmoid(y) is how bright each of them should be. `sigmoid` is there, too.

**What you write.**

1. `reparameterise(mu, logvar, noise)`: z and the eps that it was made with. `noise.normal(shape)` draws from N(0, 1).
2. `kl(mu, logvar)`: the KL term, a number.
3. `reconstruction(x, y)`: the other term, a number.
4. `reconstruction_backward(x, y)`: gy, the gradient of that term with respect to y.
5. `backward(gz, mu, logvar, eps, beta)`: gmu and glogvar, the gradients of the whole loss. gz is what arrives at z from
   the decoder.

**The mathematics.** The encoder says where an image's code may lie: q(z|x) = N(mu, σ²) with σ² = e^logvar, so
σ = e^(logvar/2), a number for each latent of each image. The loss to lower is

    R + beta · KL,   R = (1/N) Σ -log p(x|z),   KL = (1/N) Σ ½ (mu² + e^logvar - 1 - logvar)

where both sums run over everything: R's over the images and their pixels, KL's over the images and their latents. Only
the number of images N divides them. (Kingma and Welling 2013, eq. 10 and appendix B; beta = 1 is theirs, others are
from Higgins et al. 2017.) A pixel x in [0, 1] with p = sigmoid(y) has

    -log p(x|z) = -x log p - (1 - x) log(1 - p) = log(1 + e^y) - x y

A draw has no derivative. So draw the noise instead, and make z of it (section 2.4 of the paper):

    z = mu + e^(logvar/2) · eps,   eps ~ N(0, 1)

Now z is a function of mu and logvar like any other. The loss depends on mu and logvar in two ways: through z, and
through KL. Their gradients are sums of both shares.

**Shapes.** mu, logvar, eps, z, gz, gmu, glogvar: (N, L), for L latents. x, y, gy: (N, P), for P pixels. The terms of
the loss are plain numbers.

**Mind.** Each number of z has an eps of its own. gz comes from gy, so the 1/N of the mean over the batch is in it
already; KL's share of gmu and glogvar needs its own. y may be 1000 or -1000, and e^1000 overflows: compute
log(1 + e^y) as `np.logaddexp(0, y)` does.

**Predict first.** How large are the gradients of KL with respect to mu and to logvar where mu = 0 and logvar = 0? What
becomes of an encoder that listens to KL alone? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` puts your functions between an encoder and a decoder on tinygen's tape, trains the
three on handwritten digits for about 20 seconds, and draws `plane.png`, where the codes of other digits lie, and
`manifold.png`, what the decoder draws all over that plane.
"""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each


def sigmoid(y):
    """1 / (1 + e^-y), for any y."""
    return 0.5 * (1 + np.tanh(0.5 * y))


def reparameterise(mu, logvar, noise):
    """z, drawn from N(mu, e^logvar), and the eps that it was made with: two arrays."""
    # BEGIN SOLUTION
    eps = noise.normal(mu.shape)
    return mu + np.exp(logvar / 2) * eps, eps
    # END SOLUTION


def kl(mu, logvar):
    """KL(N(mu, e^logvar) ‖ N(0, 1)): the sum over the latents, the mean over the batch."""
    # BEGIN SOLUTION
    return 0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar) / len(mu)
    # END SOLUTION


def reconstruction(x, y):
    """-log p(x|z) of pixels x, given their scores y: the sum over the pixels, the mean over the batch."""
    # BEGIN SOLUTION
    return np.sum(np.logaddexp(0, y) - x * y) / len(x)
    # END SOLUTION


def reconstruction_backward(x, y):
    """gy: the gradient of the reconstruction with respect to the scores y."""
    # BEGIN SOLUTION
    return (sigmoid(y) - x) / len(x)
    # END SOLUTION


def backward(gz, mu, logvar, eps, beta):
    """gmu and glogvar: the gradients of the loss, through z and through beta · KL."""
    # BEGIN SOLUTION
    gmu = gz + beta * mu / len(mu)
    glogvar = gz * eps * np.exp(logvar / 2) / 2 + beta * (np.exp(logvar) - 1) / 2 / len(mu)
    return gmu, glogvar
    # END SOLUTION
