# %% [markdown]
# # 10. The best discriminator, and what G minimises
#
# D learns to tell real from made, and G to fool D. But is there anything that G gets *closer* to? Suppose that D were
# perfect at every moment. Then the game has an answer: what D believes is p / (p + q), and G lowers a distance between
# its distribution q and the true p. This lesson derives both, and finds the flaw in that distance.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen import ops
from tinygen.layers import Dense, Sequential, Tanh
from tinygen.losses import bce_logits

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)
tg.seed(0)

# %% [markdown]
# ## The best D
#
# Hold G still. A place x is real with density p(x), and made with density q(x). What D says there, `d = D(x)`, costs
#
#     L_D = -Σₓ [p log d + q log(1 - d)]
#
# and every x has a d of its own, so look at one place. The derivative `-p/d + q/(1 - d)` is 0 where `p (1 - d) = q d`:
#
#     D* = p / (p + q)        (Goodfellow et al. 2014, proposition 1)
#
# It is a minimum, as `p/d² + q/(1 - d)²` is positive. In terms of the score, `D = σ(s)`, it is `s* = log p/q`: a
# perfect D knows by what factor a place is more often real than made. Let the tape find it, for three places.

# %%
steps = 1500
p3, q3 = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
s = tg.Parameter(np.zeros(3))
optimizer = tg.optim.Adam([s], lr=0.05)
for _ in range(steps):
    loss = (p3 * bce_logits(s, 1.0, "none") + q3 * bce_logits(s, 0.0, "none")).sum()
    optimizer.step(tg.grad(loss, [s]))
print("D by tape:", ops.sigmoid(s).numpy(), "  p / (p + q):", p3 / (p3 + q3))
print("score:    ", s.numpy(), "  log p/q:    ", np.log(p3 / q3))

# %% [markdown]
# ## What the loss of the best D says
#
# Put D* into L_D, and write m = (p + q) / 2 for the mixture of both:
#
#     L_D* = -Σ p log p/(2m) - Σ q log q/(2m) = 2 log 2 - KL(p ‖ m) - KL(q ‖ m) = log 4 - 2 JS(p, q)
#
# `JS = ½ KL(p ‖ m) + ½ KL(q ‖ m)` is the *Jensen-Shannon divergence* (theorem 1 of the paper). It is 0 if p = q, and
# then L_D is log 4 = 1.386: D can only guess. It is log 2 = 0.693 at most, if p and q don't overlap, and then L_D is 0.


# %%
def js(p, q, dx=1.0):
    """JS of two densities at points dx apart."""
    terms = [np.where(a > 0, a * np.log(np.where(a > 0, 2 * a / (p + q + 1e-300), 1)), 0) for a in (p, q)]
    return float(sum(terms).sum() / 2 * dx)


print(f"L_D by tape {float(loss):.6f}, by hand log 4 - 2 JS = {np.log(4) - 2 * js(p3, q3):.6f}")

# %% [markdown]
# ## A network comes close
#
# Now points on a line. The real ones come from two heaps, the made ones from one broad heap between. D is a network
# that never sees a density, only points. Where there are points, it finds the ratio of the densities all the same.
# (Where there are none, nobody tells it anything: in the picture, on the left.)

# %%
rng = tg.Generator(0, "points")
x = np.linspace(-8, 8, 1601)
dx = x[1] - x[0]


def normal(x, mean, std):
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def real_points(n):
    return np.sign(rng.normal((n, 1))) * 2 + rng.normal((n, 1), std=0.6)


def made_points(n):
    return rng.normal((n, 1), mean=0.5, std=1.5)


p = 0.5 * normal(x, -2, 0.6) + 0.5 * normal(x, 2, 0.6)
q = normal(x, 0.5, 1.5)
D = Sequential(Dense(1, 32), Tanh(), Dense(32, 32), Tanh(), Dense(32, 1))
optimizer = tg.optim.Adam(D.parameters(), lr=5e-3)
losses = []
for step in range(steps):
    optimizer.lr = 5e-3 if step < 0.7 * steps else 5e-4
    loss = bce_logits(D(real_points(256)), 1.0) + bce_logits(D(made_points(256)), 0.0)
    optimizer.step(tg.grad(loss, D.parameters()))
    losses.append(float(loss))
with tg.no_grad():
    learnt = ops.sigmoid(D(x[:, np.newaxis].astype("float32"))).numpy().ravel()
best = p / (p + q)
wrong_by = float((np.abs(learnt - best) * (p + q) / 2).sum() * dx)
print(f"D against p / (p + q): wrong by {wrong_by:.3f}, the mean where points are")
print(
    f"L_D: mean of the last 300 steps {np.mean(losses[-300:]):.3f}, log 4 - 2 JS = {np.log(4) - 2 * js(p, q, dx):.3f}"
)

# %% [markdown]
# ## What G lowers
#
# G moves its points, and D answers. If D answers perfectly, G's minimax loss `E log(1 - D*(G(z)))` follows 2 JS. For
# `-L_D* = 2 JS - log 4` is the largest value over all D; and if a maximum over D moves with G, its slope is that of the
# value with *D held still*, because at a maximum the slope with respect to D is 0. That is what G's step does: D is
# frozen.
#
# Take the simplest G: `G(z) = θ + z`, and real points from N(0, 1). Compare the slope that G gets through D* with the
# slope of 2 JS, by trying.
#
# And the nonsaturating loss, `E [-log D*]`? From `D* = p/(p + q)` and `1 - D* = q/(p + q)` follows
# `-log D* = log q/p - log(1 - D*)`. With D* held still, the mean of the first term has the slope of KL(q ‖ p) (what
# moves inside the logarithm adds `E_q [∂ log q/∂θ] = ∂/∂θ ∫ q = 0`). So
#
#     minimax lowers            2 JS(p, q)
#     nonsaturating lowers      KL(q ‖ p) - 2 JS(p, q)        (Arjovsky and Bottou 2017, theorem 2.5)
#
# Here `KL(q ‖ p) = θ²/2`, so its slope is θ.

# %%
z = np.linspace(-8, 8, 1601)
weight = normal(z, 0, 1) * dx
slopes = {}
for theta in (0.5, 1.0, 2.0, 4.0, 6.0):
    T = tg.tensor(theta, requires_grad=True, dtype="float64")
    made = T + z
    score = -0.5 * made**2 + 0.5 * (made - theta) ** 2  # log p/q, with the q of this moment: theta is a number here
    minimax = (weight * -bce_logits(score, 0.0, "none")).sum()  # log(1 - D*)
    nonsaturating = (weight * bce_logits(score, 1.0, "none")).sum()  # -log D*
    by_tape = [float(tg.grad(loss, T, retain_graph=True)) for loss in (minimax, nonsaturating)]
    wide, h = np.linspace(-12, 18, 6001), 1e-4
    up, down = (2 * js(normal(wide, 0, 1), normal(wide, theta + e, 1), wide[1] - wide[0]) for e in (h, -h))
    of_js = (up - down) / (2 * h)
    slopes[theta] = *by_tape, of_js, theta - of_js
    print(f"θ = {theta}: minimax {by_tape[0]:.5f} (slope of 2 JS {of_js:.5f}), ", end="")
    print(f"nonsaturating {by_tape[1]:.5f} (slope of KL - 2 JS {theta - of_js:.5f})")

# %% [markdown]
# Look at the first column: from θ = 2 on it *falls*. The further G is off, the less the perfect D tells it; at θ = 6
# next to nothing. The second column grows with the distance.
#
# The price: KL(q ‖ p) is the same distance that made q choose one of two peaks in lesson 7. It punishes points where
# there are no real ones, and hardly minds if G leaves real ones out. And the minus before 2 JS pushes q *away* from p.
# So the loss that everybody uses need not fear a perfect D, but it may well drop modes.
#
# ## The flaw
#
# JS can't be larger than log 2, so where p and q hardly overlap it is flat. Images are such a case: p and q are thin
# sheets in the space of all pixels. Make the heaps narrower, and watch the valley turn into a hole.

# %%
shifts = np.linspace(-4, 4, 161)
valleys = {}
for std in (1.0, 0.3, 0.05):
    fine = np.linspace(-12, 12, 24001)
    valleys[std] = [js(normal(fine, 0, std), normal(fine, t, std), fine[1] - fine[0]) for t in shifts]
    near, far = (float(np.interp(t, shifts, valleys[std])) for t in (0.1, 1.0))
    print(f"std {std}: JS at θ = 0.1 {near:.4f}, at θ = 1 {far:.4f}")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.fill_between(x, p, color="#009E73", alpha=0.25, linewidth=0, label="p, real")
left.fill_between(x, q, color="#000000", alpha=0.15, linewidth=0, label="q, made")
left.plot(x, best, color="black", linewidth=1, label="p / (p + q)")
left.plot(x, learnt, color="#D55E00", linewidth=1.5, label="D, a network")
left.set(xlim=(-5, 5.5), ylim=(0, 1.05), xlabel="x")
left.set_title("what the best D believes", fontsize=10)
for (std, valley), colour in zip(valleys.items(), ("#56B4E9", "#0072B2", "#000000"), strict=True):
    right.plot(shifts, valley, color=colour, label=f"std {std}")
right.axhline(np.log(2), color="#999999", linewidth=0.8, linestyle=":")
right.set(xlabel="θ, how far q is from p", ylim=(0, 0.75))
right.set_title("JS: flat where the heaps don't overlap", fontsize=10)
left.legend(frameon=False, fontsize=8, loc="upper right")
right.legend(frameon=False, fontsize=8, loc="lower right")
fig.savefig("lessons_out/10_best_discriminator.png", dpi=80)

# %% [markdown]
# In practice D is not perfect, and that is what keeps GANs alive: lesson 9's D was a few steps ahead of G, no more. Two
# ways out are in the next lessons: a distance that isn't flat (lesson 12), and a D that isn't allowed to be too steep
# (lesson 13).

# %% [markdown]
# ## Three things to try
#
# 1. D sees twice as many made points as real ones. What is D* now? And L_D*, if p = q?
# 2. The least squares loss (`lsgan`) is `p (d - 1)² + q d²`. Work out its best d. What is the sum then, in p and q?
# 3. Train D on 50 real and 50 made points, always the same. What does it believe after 5,000 steps, and what would G
#    learn from it?
