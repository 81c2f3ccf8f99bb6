# %% [markdown]
# # 13. When GANs fail
#
# A GAN can fail in two ways. The *signal vanishes*: D is so sure that it tells G nothing. Or G *collapses*: it makes
# one thing, and D chases it around. We provoke both, and then try a cure, which needs the gradient of a gradient.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen import ops
from tinygen.layers import Dense, Flatten, LeakyReLU, Reshape, Sequential, Tanh
from tinygen.losses import GAN_LOSSES

Path("lessons_out").mkdir(exist_ok=True)
tg.seed(0)

# %% [markdown]
# ## What reaches G
#
# D gives a fake image the score s; the probability that it is real is `p = σ(s)`. Here are two losses for G, with their
# gradients at the score:
#
#     minimax          L = log(1 - p)     ∂L/∂s = -p
#     nonsaturating    L = -log p         ∂L/∂s = -(1 - p)
#
# Both go down as p goes up: they want the same. But look at a fake that D has seen through, with p near 0. There the
# first loss has the gradient 0: just where G has most to learn, it is told nothing.

# %%
scores = tg.tensor([-8.0, -4.0, 0.0, 4.0], requires_grad=True, dtype="float64")
p = 1 / (1 + np.exp(-scores.numpy()))
by_hand = {"minimax": -p, "nonsaturating": -(1 - p)}
by_tape = {}
for name in by_hand:
    loss = GAN_LOSSES[name].G(scores) * len(scores)  # the losses are means over the batch
    by_tape[name] = tg.grad(loss, scores).numpy()
    print(f"{name:13} by tape", *(f"{g:9.5f}" for g in by_tape[name]))
    print(f"{'':13} by hand", *(f"{g:9.5f}" for g in by_hand[name]))

# %% [markdown]
# ## Watch it vanish
#
# Hold G still, and train D against it, better and better. Now and then, measure how long the gradient of G's weights
# would be under each loss. D is the same for both, and so is the path behind the score.

# %%
digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1), rng=tg.Generator(0, "batches"))
noise = tg.Generator(0, "noise")
G = Sequential(Dense(64, 128), LeakyReLU(0.2), Dense(128, 784), Tanh(), Reshape((28, 28, 1)))
D = Sequential(Flatten(), Dense(784, 128), LeakyReLU(0.2), Dense(128, 1))
optimizer = tg.optim.Adam(D.parameters(), lr=2e-4)
watched = noise.normal((64, 64))


def length(gradients):
    return float(sum((g.numpy() ** 2).sum() for g in gradients) ** 0.5)


steps = 300
measured = []
for step in range(1, steps + 1):
    real, fake = D(loader.next_batch()), D(G(noise.normal((64, 64))).detach())
    loss_D = GAN_LOSSES["nonsaturating"].D(real, fake)
    optimizer.step(tg.grad(loss_D, D.parameters()))
    if step == 1 or step % 5 == 0:
        with tg.frozen(D):
            lengths = [length(tg.grad(GAN_LOSSES[name].G(D(G(watched))), G.parameters())) for name in by_hand]
        with tg.no_grad():
            believed = float(ops.sigmoid(D(G(watched))).mean())
        measured.append((step, believed, *lengths))
at, believed, minimax, nonsaturating = np.array(measured).T
print(f"D believes in the fakes: {believed[0]:.2f} at first, {believed[-1]:.1e} in the end")
print(f"gradient of G's weights, minimax:       {minimax[0]:.3f} at first, {minimax[-1]:.5f} in the end")
print(f"gradient of G's weights, nonsaturating: {nonsaturating[0]:.3f} at first, {nonsaturating[-1]:.5f} in the end")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
s = np.linspace(-8, 4, 100)
for name, colour, values in (
    ("minimax", "#D55E00", -1 / (1 + np.exp(-s))),
    ("nonsaturating", "#0072B2", -1 / (1 + np.exp(s))),
):
    left.plot(s, values, color=colour, label=name)
    right.semilogy(at, minimax if name == "minimax" else nonsaturating, color=colour, label=name)
right.semilogy(at, believed, color="#999999", linewidth=1, label="p, what D believes")
left.set_title("∂L/∂s: what is handed to G", fontsize=10)
left.set_xlabel("s, D's score of a fake: sure that it is fake ← → real")
right.set_title("length of G's gradient while D gets better", fontsize=10)
right.set_xlabel("D's steps, with G held still")
left.legend(frameon=False, fontsize=8, loc="center left")
right.legend(frameon=False, fontsize=8, loc="center right")
fig.savefig("lessons_out/13_vanishing.png", dpi=80)

# %% [markdown]
# The better D, the less it says: under the minimax loss G's gradient fades with p. The nonsaturating loss keeps it
# alive, and that is why most GANs use it. (Why can D become *so* sure? Digits fill only a thin sheet in the space of
# all images, and G's images fill another. The sheets hardly meet, so a perfect D exists: Arjovsky and Bottou 2017. It
# is the flat JS of lesson 10.)
#
# ## The gradient of a gradient
#
# A D that is steep in one place and flat elsewhere tells G nothing where it is flat. The cure is lesson 12's critic,
# whose slope is kept near 1. WGAN-GP (Gulrajani et al. 2017, eq. 3) makes it pay for every other slope:
#
#     L_D = mean of D(G(z)) - mean of D(x) + λ · mean of (n - 1)²        n = ‖∂D/∂x̂‖
#     L_G = -mean of D(G(z))
#
# where x̂ is a point at random on the line between a real and a made one, and D(x) is a score of any size. But n is a
# gradient, and D's weights must follow *its* gradient.
#
# With one weight it can be done by hand. Take `D(x) = tanh(w·x)` with w and x above 0:
#
#     y = tanh(w·x)
#     n = ∂D/∂x = w (1 - y²)
#     ∂n/∂w = (1 - y²) - w · 2y · ∂y/∂w = (1 - y²)(1 - 2·w·x·y),    for ∂y/∂w = x (1 - y²)
#     ∂(n - 1)²/∂w = 2 (n - 1) · ∂n/∂w

# %%
w0, x0, h = 0.8, 0.9, 1e-5


def penalty(w):
    return (w * (1 - np.tanh(w * x0) ** 2) - 1) ** 2


y0 = np.tanh(w0 * x0)
n0 = w0 * (1 - y0**2)
second_by_hand = 2 * (n0 - 1) * (1 - y0**2) * (1 - 2 * w0 * x0 * y0)
second_by_trying = (penalty(w0 + h) - penalty(w0 - h)) / (2 * h)

# %% [markdown]
# By tape it takes two calls: the first with `create_graph=True`, so that the gradient n is itself on the tape; the
# second walks back over both tapes.

# %%
w = tg.tensor(w0, requires_grad=True, dtype="float64", name="w")
x = tg.tensor(x0, requires_grad=True, dtype="float64", name="x")
n = tg.grad(ops.tanh(w * x), x, create_graph=True)
loss = (n - 1) ** 2
tapes = tg.viz.graph(loss)
tapes.save("lessons_out/13_two_tapes.svg")
second_by_tape = tg.grad(loss, w)
print(f"n = {n:.6f}, by hand {n0:.6f}")
print(f"∂(n - 1)²/∂w: by trying {second_by_trying:.8f}, by hand {second_by_hand:.8f}, by tape {second_by_tape:.8f}")
tapes

# %% [markdown]
# Here are both tapes in one picture. The dashed boxes are the second, written while we walked back over the first:
# `y · y`, `1 - y²`, times 1, times w. So w enters twice, once through y and once as the last factor: hence the product
# rule above.

# %%
tapes

# %% [markdown]
# ## Collapse, and the cure
#
# Points in the plane show more than digits can. Two GANs learn a ring of eight narrow heaps. The first is an ordinary
# one, but its G learns ten times as fast as its D: it runs with all its points to wherever D is most easily fooled at
# the moment. The second is a WGAN-GP with the same networks.

# %%
ring = tg.data.load("ring8")
shape = {"data_shape": (2,), "latent_dim": 8, "g_hidden": (64, 64), "d_hidden": (64, 64), "batch_norm": False}
hasty = tg.models.GAN(tg.models.GANConfig(**shape, lr=2e-3, d_lr=2e-4), seed=0)
calm = tg.models.WGANGP(tg.models.WGANGPConfig(**shape, lr=1e-3, gp=1.0), seed=0)


def slopes(model, n=500):
    """‖∂D/∂x‖ at points between real and generated ones, where WGAN-GP wants it to be 1."""
    t = noise.uniform((n, 1))
    between = tg.tensor(t * ring.test[:n] + (1 - t) * model.sample(n), requires_grad=True)
    return np.sqrt((tg.grad(model.D(between).sum(), between).numpy() ** 2).sum(axis=1))


def train(model, steps, shown):
    """Train the model; its points, slopes and scores at the steps in `shown`."""
    loader = tg.data.Loader(
        ring.train, batch=64 * model.batches_per_step, value_range=None, rng=tg.Generator(0, "batches")
    )
    film = {}
    for step in range(1, steps + 1):
        losses = model.train_step(loader.next_batch())
        if step in shown or step == steps:
            points = model.sample(2500)
            found = tg.metrics.mixture_scores(points, ring.modes, within=20)  # near: within 0.2 of a heap's centre
            film[step] = points[:400], slopes(model), f"{found['modes']} of 8, {found['high_quality']:.0%} near"
            print(f"{model.name:6} step {step:4}: {film[step][2]}; mean slope {film[step][1].mean():.2f}, ", end="")
            print(f"loss_D {losses['loss_D']:.2f}, loss_G {losses['loss_G']:.2f}")
    return film


# %%
game_steps = 1500
shown = (50, 200, 500, 1000)
films = {"GAN, hasty G": train(hasty, game_steps, shown), "WGAN-GP": train(calm, game_steps, shown)}

# %%
fig, panels = plt.subplots(2, 5, figsize=(8, 3.9), layout="constrained", squeeze=False)
for row, (name, film) in zip(panels, films.items(), strict=True):
    row[0].set_ylabel(name, fontsize=10)
    for axes, (step, (points, _, found)) in zip(row, film.items(), strict=False):
        axes.scatter(*ring.test[:200].T, s=2, color="#bbbbbb")
        axes.scatter(*points.T, s=2, color="#D55E00")
        axes.set_title(f"step {step}\n{found}", fontsize=9)
for axes in panels.ravel():
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[], yticks=[])
fig.savefig("lessons_out/13_collapse.png", dpi=80)

# %% [markdown]
# The heaps are grey, what G makes is orange. Above each panel: how many heaps have a point near them, and the share of
# points near one. Read both: at step 50 WGAN-GP's points lie everywhere, so some lie near each heap, and yet hardly any
# are good. The hasty G is one crowd that runs about: D learns that *this* place is suspect, and the crowd moves on.
# Look at its losses: near 1.4 and 0.7, that is 2 log 2 and log 2, as in a perfect game. Count modes, not losses.
#
# WGAN-GP's critic has a slope of about 1 between the real points and the generated ones: wherever G puts a point, it is
# told which way to go. G reaches all eight heaps, and gradually gathers on them. Here are those slopes, marching to 1.

# %%
fig, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
shades = plt.colormaps["viridis"](np.linspace(0.85, 0.1, len(films["WGAN-GP"])))
for (step, (_, slope, _)), colour in zip(films["WGAN-GP"].items(), shades, strict=True):
    axes.hist(slope, bins=np.linspace(0, 2.5, 51), histtype="step", linewidth=1.5, color=colour, label=f"step {step}")
axes.axvline(1, color="black", linewidth=0.8)
axes.set(xlabel="slope ‖∂D/∂x‖ between real and made points", yticks=[])
axes.legend(frameon=False, fontsize=8, loc="upper right")
fig.savefig("lessons_out/13_slopes.png", dpi=80)

# %% [markdown]
# ## Three things to try
#
# 1. Give the hasty GAN `d_lr=2e-3`, the same rate as its G has. Does it still collapse? And with `loss="minimax"`?
# 2. Set `gp=0.0` in the WGAN-GP: the critic pays for no slope. What becomes of the slopes, and of G?
# 3. Watch the collapse by the loss alone: print `loss_G` of both runs as they train. Could you have told?
