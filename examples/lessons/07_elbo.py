# %% [markdown]
# # 7. The ELBO: what a VAE maximises
#
# A model that makes images from codes z should make the images of the data probable. But nobody can compute how
# probable it makes an image: for that one would have to try all z. A VAE maximises something smaller that can be
# computed, the *evidence lower bound*. Where does it come from, how much smaller is it, and when is it exact? We take a
# model so simple that the probability itself is known, and compare.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen import ops

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)
LOG_2PI = np.log(2 * np.pi)

# %% [markdown]
# ## A model with one code
#
#     z ~ N(0, 1)        x = a z + c + s · noise,   so   p(x|z) = N(a z + c, s²)
#
# x is a sum of two independent normal numbers and a constant, so `p(x) = N(c, a² + s²)`: here the probability *is*
# known. Which codes could have made a given x? By Bayes `p(z|x) = p(x|z) p(z) / p(x)`. The exponent is quadratic in z,
# so this is a normal distribution; completing the square gives its variance and mean:
#
#     -½ z² - ½ (x - c - a z)² / s²        variance t² = 1 / (1 + a² / s²)        mean t² · a (x - c) / s²

# %%
a, c, s, x = 1.5, 0.0, 0.8, 2.0
log_px = -0.5 * (LOG_2PI + np.log(a**2 + s**2) + (x - c) ** 2 / (a**2 + s**2))
t2 = 1 / (1 + a**2 / s**2)
posterior = t2 * a * (x - c) / s**2, np.sqrt(t2)
print(f"log p(x = {x}) = {log_px:.5f}; p(z|x) has mean {posterior[0]:.5f} and standard deviation {posterior[1]:.5f}")

# %% [markdown]
# ## The bound
#
# Take any distribution q(z), multiply and divide by it, and use that the logarithm of a mean is at least the mean of
# the logarithm (Jensen: log is concave):
#
#     log p(x) = log ∫ p(x|z) p(z) dz = log E_q [p(x|z) p(z) / q(z)]
#              ≥ E_q [log p(x|z)] - E_q [log q(z) - log p(z)]
#              = E_q [log p(x|z)] - KL(q ‖ p(z))  =: ELBO(q)
#
# (Kingma and Welling 2014, eq. 3.) How much is lost? Put `p(x|z) p(z) = p(z|x) p(x)` into the second line:
#
#     ELBO(q) = E_q [log p(z|x) + log p(x) - log q(z)] = log p(x) - KL(q ‖ p(z|x))
#
# So the gap is *exactly* the distance of q from the true posterior. It is 0 if q is the posterior, and raising the ELBO
# by moving q brings q closer to it.
#
# ## Its two terms, for a normal q
#
# With `q = N(mu, sigma²)` all means are known, from `E z = mu` and `E z² = mu² + sigma²`:
#
#     E_q [log q]      = -½ log 2π - ½ log sigma² - ½
#     E_q [log p(z)]   = -½ log 2π - ½ (mu² + sigma²)
#     KL(q ‖ p(z))     = ½ (mu² + sigma² - 1 - log sigma²)
#     E_q [log p(x|z)] = -½ log 2π s² - ((x - c - a mu)² + a² sigma²) / 2s²
#
# The third is the first minus the second, and is the KL term of every VAE. Let the tape find the best q, uphill from
# N(0, 1).


# %%
def elbo(x, mu, logvar, a, c, log_s):
    """The ELBO of each x, for q = N(mu, e^logvar)."""
    variance, s2 = ops.exp(logvar), ops.exp(2 * log_s)
    fit = -0.5 * (LOG_2PI + 2 * log_s) - ((x - c - a * mu) ** 2 + a**2 * variance) / (2 * s2)
    return fit - 0.5 * (mu**2 + variance - 1 - logvar)


def kl_between(mu, sd, mu2, sd2):
    """KL(N(mu, sd²) ‖ N(mu2, sd2²)), from the same means."""
    return np.log(sd2 / sd) + (sd**2 + (mu - mu2) ** 2) / (2 * sd2**2) - 0.5


steps = 150
mu, logvar = tg.Parameter(np.zeros(())), tg.Parameter(np.zeros(()))
optimizer, climb, gaps = tg.optim.SGD([mu, logvar], lr=0.1), [], []
for step in range(steps + 1):
    bound = elbo(x, mu, logvar, a, c, ops.log(tg.tensor(s, dtype="float64")))
    climb.append(float(bound))
    gaps.append(kl_between(float(mu), np.exp(float(logvar) / 2), *posterior))
    if step in (0, 2, 10, steps):
        print(f"step {step:3}  ELBO {climb[-1]:.5f}  + KL(q ‖ p(z|x)) {gaps[-1]:.5f}  = {climb[-1] + gaps[-1]:.5f}")
    optimizer.step(tg.grad(-bound, [mu, logvar]))  # an optimiser goes downhill
print(
    f"q ends with mean {float(mu):.5f} and standard deviation {np.exp(float(logvar) / 2):.5f}; log p(x) = {log_px:.5f}"
)

# %% [markdown]
# The sum in the last column never changes: the bound rises by exactly what q comes closer.
#
# ## Both at once
#
# A VAE doesn't know a, c and s, either. It raises the ELBO of the data with respect to the *model* as well, in the same
# step. And since each x needs a q of its own, a network computes it from x: the encoder. Here a straight line is
# enough, `mu = u x + v`, because the true mean is one; and logvar is the same for all x, as t² is.
#
# The model makes x normal, so the best that it can do is to have the data's mean, as c, and the data's variance, as
# `a² + s²`. Then the mean of log p(x) is `-½ (log 2π · variance + 1)`.

# %%
model_steps = 1500
data = 5 + 2 * tg.Generator(0, "data").normal(500, dtype="float64")
best = -0.5 * (LOG_2PI + np.log(data.var()) + 1)
u, v, r, A, C, log_s = weights = [tg.Parameter(np.array(start)) for start in (0.0, 0.0, 0.0, 1.0, 0.0, 0.0)]
optimizer = tg.optim.Adam(weights, lr=0.02)
for step in range(model_steps + 1):
    bound = elbo(data, u * data + v, r, A, C, log_s).mean()
    if step % 300 == 0 or step == model_steps:
        variance = float(A) ** 2 + np.exp(2 * float(log_s))
        print(f"step {step:4}  mean ELBO {bound:8.4f}  c = {C:.3f}  a² + s² = {variance:.3f}")
    optimizer.step(tg.grad(-bound, weights))
print(f"best mean log p(x) = {best:.4f}: the data have mean {data.mean():.3f} and variance {data.var():.3f}")

# %% [markdown]
# The bound reaches the best likelihood, because here q can be the true posterior. But *which* a and s? Any with the
# right sum of squares: the data can't tell what z did from what the noise did. That is left to chance, and to the form
# of the model.
#
# ## When q can't be right
#
# Now let the decoder bend: `x = z² + 0.5 · noise`. For x = 2 both z = √2 and z = -√2 will do, and the posterior has two
# peaks. A normal q can't have two. What does the best one look like, and what does it cost? Here E_q [(x - z²)²] is
# known as well (`E z⁴ = mu⁴ + 6 mu² sigma² + 3 sigma⁴`), and p(x) is a sum over a fine grid of z.

# %%
bent = 0.5
z = np.linspace(-6, 6, 4001)
joint = np.exp(-0.5 * (2 * LOG_2PI + 2 * np.log(bent) + z**2 + (x - z**2) ** 2 / bent**2))  # p(x|z) p(z)
log_px_bent = np.log(joint.sum() * (z[1] - z[0]))

mu, logvar = tg.Parameter(np.array(1.0)), tg.Parameter(np.array(-2.0))
optimizer = tg.optim.Adam([mu, logvar], lr=0.02)
for _ in range(3 * steps):
    var = ops.exp(logvar)
    square = x**2 - 2 * x * (mu**2 + var) + mu**4 + 6 * mu**2 * var + 3 * var**2
    fit = -0.5 * (LOG_2PI + 2 * np.log(bent)) - square / (2 * bent**2)
    bound_bent = fit - 0.5 * (mu**2 + var - 1 - logvar)
    optimizer.step(tg.grad(-bound_bent, [mu, logvar]))
sd = np.exp(float(logvar) / 2)
gap = log_px_bent - float(bound_bent)
print(f"q = N({float(mu):.3f}, {sd:.3f}²): ELBO {float(bound_bent):.4f}, log p(x) {log_px_bent:.4f}, gap {gap:.4f}")

# %% [markdown]
# q settles on one of the two peaks, and the gap is a little above log 2 = 0.693. By hand: if the posterior is two equal
# heaps h₁ and h₂ that don't overlap, and q is one of them, then `KL = E_q [log h₁ / (½ h₁)] = log 2`. The rest is that
# a peak isn't quite normal. A q between the peaks would cost more, for KL(q ‖ p) punishes every place where q is and p
# is not. And a VAE pays this price in training, too: its decoder avoids being ambiguous.
#
# ## A tighter bound
#
# The first line of the bound holds a mean *inside* the logarithm. Estimate that mean with K draws instead of one, and
# the bound rises with K towards log p(x) (Burda et al. 2016, eq. 8); K = 1 is the ELBO. It needs no better q, only that
# q reaches every place that matters.

# %%
tighter = {}
for k in (1, 10, 100, 1000):
    draws = float(mu) + sd * tg.Generator(0, "draws").normal((2000, k), dtype="float64")
    log_q = -0.5 * (LOG_2PI + 2 * np.log(sd) + ((draws - float(mu)) / sd) ** 2)
    log_w = -0.5 * (2 * LOG_2PI + 2 * np.log(bent) + draws**2 + (x - draws**2) ** 2 / bent**2) - log_q
    tighter[k] = float(np.log(np.exp(log_w).mean(axis=1)).mean())
    print(f"K = {k:4}: {tighter[k]:.4f}")

# %% [markdown]
# It stops at log p(x) - log 2 = -2.8624: in two million draws this narrow q never went to the other peak.
# (`tinygen evaluate` takes such a bound for its VAEs.)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained")
left.plot(climb[:60], color="#0072B2", label="ELBO")
left.fill_between(range(60)[: len(climb)], climb[:60], log_px, color="#0072B2", alpha=0.15, label="KL(q ‖ p(z|x))")
left.axhline(log_px, color="black", linewidth=0.9, label="log p(x)")
left.set_title("q moves uphill, from N(0, 1)", fontsize=10)
left.set_xlabel("step")
right.plot(z, joint / np.exp(log_px_bent), color="black", linewidth=1, label="p(z|x)")
right.fill_between(z, np.exp(-0.5 * ((z - float(mu)) / sd) ** 2) / sd / np.sqrt(2 * np.pi), color="#0072B2", alpha=0.4)
right.plot([], [], color="#0072B2", alpha=0.4, linewidth=6, label="best normal q")
right.set(xlim=(-2.6, 2.6), xlabel="z", yticks=[])
right.set_title("x = z² + noise: q chooses one peak of two", fontsize=10)
left.legend(frameon=False, fontsize=8, loc="lower right")
right.legend(frameon=False, fontsize=8, loc="upper left")
fig.savefig("lessons_out/07_elbo.png", dpi=80)

# %% [markdown]
# ## From here to a VAE
#
# In a VAE the decoder is a network, so `E_q [log p(x|z)]` has no formula: it is estimated with one draw of z per image
# (lesson 8 gets a gradient through that draw). `-log p(x|z)` is the *reconstruction* loss. If each pixel is 1 with
# probability y, it is the cross entropy of lesson 3, summed over the pixels. If x is normal around y with a fixed s, it
# is `Σ (x - y)² / 2s²` and a constant. So with squared errors s decides how much the KL counts, and a factor beta
# before the KL is another s.

# %% [markdown]
# ## Three things to try
#
# 1. Start the q of the bent decoder at mu = -1, then at mu = 0.3 with logvar = 0. Where does it go, and at what price?
# 2. In the first part let only mu move, with sigma = 1. Which mu does it find, and how large is the gap? Work it out on
#    paper with `kl_between`.
# 3. Give q two heaps: the mean of two normal distributions around ±mu. Estimate its ELBO with draws, log q included.
#    How much of the gap closes?
