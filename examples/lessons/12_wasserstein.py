# %% [markdown]
# # 12. Wasserstein: how far must the earth be moved?
#
# Lesson 10 ended with a distance that is flat where two heaps don't overlap: JS says *that* they differ, not by *how
# much*. Here is one that does. It asks how far one heap of earth must be carried to make the other of it. A critic can
# measure it, on one condition, and then G always knows which way to go.

# %%
from itertools import permutations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen import ops
from tinygen.layers import Dense, ReLU, Sequential, Tanh

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)
tg.seed(0)
rng = tg.Generator(0, "points")

# %% [markdown]
# ## Carrying points
#
# Five points x and five points y, each a bucket of earth. Carry each x to a y of its own: the cost is the mean of
# |x - y|. The cheapest way is the *Wasserstein distance* W (also W₁, or earth mover's distance). We can try all 120
# ways. But on a line the best one is plain: **sort both, and carry the first to the first**. For if two ways cross,
# uncrossing them never makes them longer.

# %%
x, y = rng.normal(5, dtype="float64"), rng.normal(5, mean=1.5, dtype="float64")
by_trying = min(np.abs(x - y[list(order)]).mean() for order in permutations(range(5)))
by_sorting = np.abs(np.sort(x) - np.sort(y)).mean()
print(f"the cheapest of 120 ways: {by_trying:.6f}; by sorting: {by_sorting:.6f}")

# %% [markdown]
# For densities on a line, let P(x) and Q(x) be the shares of earth to the left of x. Past x the difference has to be
# carried, whatever the plan, so `W = ∫ |P(x) - Q(x)| dx`. A heap that is shifted by θ costs |θ|: every grain travels
# that far, and no plan does it with less, as the mean itself must move by θ. It doesn't matter how narrow the heap is.
# Beside it JS, by lesson 10's formula:

# %%
line = np.linspace(-8, 8, 4001)
dx = line[1] - line[0]


def normal(x, mean, std):
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def wasserstein(p, q):
    return float(np.abs(np.cumsum(p - q) * dx).sum() * dx)


def js(p, q):
    terms = [np.where(a > 0, a * np.log(np.where(a > 0, 2 * a / (p + q + 1e-300), 1)), 0) for a in (p, q)]
    return float(abs(sum(terms).sum()) / 2 * dx)


shifts = np.linspace(-4, 4, 41)
narrow = 0.1
distances = np.array([[f(normal(line, 0, narrow), normal(line, t, narrow)) for t in shifts] for f in (wasserstein, js)])
for theta in (0.0, 0.5, 1.0, 3.0):
    w, j = (np.interp(theta, shifts, row) for row in distances)
    print(f"two heaps of std {narrow}, {theta} apart: W = {w:.4f}, JS = {j:.4f}")

# %% [markdown]
# ## A critic can measure it
#
# In many dimensions there is no sorting, and a plan would be needed for all pairs of images. But W can be found from
# the other side. Let f be any function that changes by at most |x - y| between x and y (it is *1-Lipschitz*: its slope
# is nowhere above 1). Then for any plan
#
#     E_p f - E_q f = mean over the plan of f(x) - f(y) ≤ mean over the plan of |x - y|
#
# So **every such f gives a lower bound on W**. And the best f reaches it (the duality of Kantorovich and Rubinstein;
# Arjovsky et al. 2017, eq. 2). On a line we can write it down. By parts, `E_p f - E_q f = -∫ f' · (P - Q) dx`, and with
# slopes of at most 1 the most that one can get is `f' = -1` where P > Q and `f' = 1` where P < Q: then it is
# `∫ |P - Q| dx = W`. So f climbs with slope 1 in the direction in which G's earth must be carried.

# %%
p = 0.5 * normal(line, -2, 0.6) + 0.5 * normal(line, 2, 0.6)  # real, as in lesson 10
q = normal(line, 0.5, 1.5)  # made
W = wasserstein(p, q)
best_slope = np.where(np.cumsum(p - q) > 0, -1.0, 1.0)
best_f = np.cumsum(best_slope) * dx
gap_of_best = float(((p - q) * best_f).sum() * dx)
others = {"sin x": np.sin(line), "|x|": np.abs(line), "x": line}
print(f"W = ∫ |P - Q| = {W:.4f}; the best f gives {gap_of_best:.4f}")
print("other 1-Lipschitz functions:", *(f"{name} {((p - q) * f).sum() * dx:.4f}" for name, f in others.items()))

# %% [markdown]
# ## The Wasserstein GAN
#
# Take a network D for f. It no longer says how probable it is that x is real: its score has no scale and no middle, and
# so it is called a *critic*. The losses are those of the bound:
#
#     L_D = mean of D(G(z)) - mean of D(x)        the critic raises the bound: -L_D is its estimate of W
#     L_G = -mean of D(G(z))                      G follows the slope of D (Arjovsky et al. 2017, algorithm 1)
#
# And the condition? Without it the critic would just multiply its scores by ever more. Two ways to keep it:
#
# - *Clip the weights* to ±c after every step, as the paper did. A layer of n inputs can then multiply a slope by n · c
#   at most, so D is K-Lipschitz, with some K nobody chose. It measures K' · W with an unknown K'.
# - *Punish slopes*: add a penalty on n, D's slope at points between real and made ones (Gulrajani et al. 2017). The
#   condition is n ≤ 1, so `λ max(0, n - 1)²` would do. They chose `λ (n - 1)²` (eq. 3), as the best f has slope 1
#   nearly everywhere between. On a line that is too strict: to turn from -1 to 1 a slope would have to pass 0, and pay.
#   (In a plane it can turn without getting shorter.) So we take the first. Lesson 13 does the gradient of a penalty.
#
# Both, on points of p and q:

# %%
steps = 1500


def real_points(n):
    return np.sign(rng.normal((n, 1))) * 2 + rng.normal((n, 1), std=0.6)


def made_points(n):
    return rng.normal((n, 1), mean=0.5, std=1.5)


def slopes(D, points):
    points = tg.tensor(points, requires_grad=True)
    return ops.sqrt((tg.grad(D(points).sum(), points, create_graph=True) ** 2).sum(axis=1))


def train_critic(punished, layers, clip=0.1, lam=10.0):
    D = Sequential(*layers)
    optimizer = tg.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for _ in range(steps):
        x, fake = real_points(256), made_points(256)
        loss = D(fake).mean() - D(x).mean()
        if punished:
            t = rng.uniform((256, 1))
            excess = ops.relu(slopes(D, x + t * (fake - x)) - 1)
            loss = loss + lam * (excess**2).mean()
        optimizer.step(tg.grad(loss, D.parameters()))
        if not punished:
            for weight in D.parameters():
                weight.data = weight.data.clip(-clip, clip)
    return D


critics = {
    "slopes punished": train_critic(True, [Dense(1, 32), Tanh(), Dense(32, 32), Tanh(), Dense(32, 1)]),
    "weights clipped": train_critic(False, [Dense(1, 32), ReLU(), Dense(32, 32), ReLU(), Dense(32, 1)]),
}
scores, estimates, bounds, agree, pushed = {}, {}, {}, {}, {}
for name, D in critics.items():
    with tg.no_grad():
        scores[name] = D(line[:, np.newaxis].astype("float32")).numpy().ravel()
    slope = np.gradient(scores[name], line)
    estimates[name] = float(((p - q) * scores[name]).sum() * dx)
    bounds[name] = estimates[name] / np.abs(slope).max()
    agree[name] = float((q * (np.sign(slope) == best_slope)).sum() * dx)
    pushed[name] = float((q * np.abs(slope)).sum() * dx)
    print(f"{name}: estimate {estimates[name]:.3f}, over its largest slope {bounds[name]:.3f} (W = {W:.3f});")
    print(
        f"    at {agree[name]:.0%} of the made points it pushes the right way, with a mean slope of {pushed[name]:.2f}"
    )

# %% [markdown]
# The punished critic is close to W. (It may be a little above: it pays for slopes above 1 only in the mean.) The
# clipped one has a scale of its own. Divided by the largest slope, as the bound demands, both say less than W, as the
# best f has sharp corners, which networks round off. But what G needs is the *direction*, and at most made points
# both have it right. The clipped critic's push is as weak as c happens to make it, the punished one's close to 1.
#
# ## G gets there
#
# Real points from N(0, 1), and `G(z) = θ + z` from θ = 6, as in lesson 10. With the best critic, f(x) = -x for θ > 0,
# G's slope is 1 until it arrives. With the best discriminator and the minimax loss it is what lesson 10 measured.

# %%
game_steps, lr = 150, 0.1
ways = {"critic": [6.0], "discriminator, minimax": [6.0]}
z = np.linspace(-6, 6, 601)
weight = normal(z, 0, 1) * (z[1] - z[0])
for name, way in ways.items():
    for _ in range(game_steps):
        theta = tg.tensor(way[-1], requires_grad=True, dtype="float64")
        made = theta + z
        if name == "critic":
            loss = (weight * made).sum() * np.sign(way[-1])  # -E f, with f(x) = -x if θ is above 0
        else:
            score = 0.5 * (made - way[-1]) ** 2 - 0.5 * made**2  # log p/q
            loss = -(weight * ops.softplus(score)).sum()  # E log(1 - D*)
        way.append(way[-1] - lr * float(tg.grad(loss, theta)))
    print(f"{name}: θ after 50 steps {way[min(50, game_steps)]:.3f}, after {game_steps} {way[-1]:.3f}")

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9.5, 2.9), layout="constrained")
left.plot(shifts, distances[0], color="#D55E00", label="W")
left.plot(shifts, distances[1], color="#0072B2", label="JS")
left.set(xlabel="θ, how far apart", ylim=(0, 4))
left.set_title("two narrow heaps", fontsize=10)
at = np.abs(line) < 4.5
for name, f, colour in (
    ("best f", best_f, "#000000"),
    ("slopes punished", scores["slopes punished"], "#D55E00"),
    ("weights clipped", scores["weights clipped"], "#0072B2"),
):
    middle.plot(line[at], (f - f[len(f) // 2])[at], color=colour, linewidth=1.2, label=name)
middle.fill_between(line[at], p[at] * 3 - 3, -3, color="#009E73", alpha=0.25, linewidth=0)
middle.fill_between(line[at], q[at] * 3 - 3, -3, color="#000000", alpha=0.15, linewidth=0)
middle.set(xlabel="x (green: real, grey: made)", yticks=[])
middle.set_title("scores of three critics", fontsize=10)
for (name, way), colour in zip(ways.items(), ("#D55E00", "#0072B2"), strict=True):
    right.plot(way, color=colour, label=name)
right.set(xlabel="G's step", ylabel="θ", ylim=(-0.3, 6.9))
right.set_title("G's way to the real points, at 0", fontsize=10)
for axes in (left, middle, right):
    axes.legend(frameon=False, fontsize=8, loc={left: "upper center", middle: "upper right"}.get(axes, "center right"))
fig.savefig("lessons_out/12_wasserstein.png", dpi=80)

# %% [markdown]
# A fixed lr makes G dance around the goal at the end, as the slope of |θ| is ±1 right up to it. And one more caution:
# the critic sees samples, and W of two samples of the *same* distribution isn't 0. On a line it falls like 1/√n. In
# many dimensions it falls much more slowly, so nobody takes the critic's number for the distance between two sets of
# images. What G needs is its slope.

# %% [markdown]
# ## Three things to try
#
# 1. Measure W between two samples of n points from N(0, 1), by sorting, for n = 10, 100, ..., 100,000. How does it
#    fall?
# 2. Clip at 0.02, and at 1. What happens to the estimate, and to the largest slope? And to their ratio?
# 3. Punish with `(n - 1)²` on both sides, for a few seeds. What do the scores look like now?
