# %% [markdown]
# # 6. Batch norm
#
# Many generators have it, and some discriminators. It makes deep networks learn, and ties the examples of a batch to
# each other. Batch norm takes every channel of a batch, subtracts its mean and divides by its standard deviation. The
# formula is one line. Its gradient is a good exercise, and we find it without writing out a single derivative of a
# variance.

# %%
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen.layers import BatchNorm, Dense, Flatten, ReLU, Sequential
from tinygen.losses import cross_entropy

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)
rng = tg.Generator(0, "numbers")

# %% [markdown]
# ## Signals that fade
#
# A layer of n inputs with weights of mean 0 and standard deviation std makes `s = Σᵢ xᵢ wᵢ`. The weights are
# independent, so the mean square of s is `n · std² · E x²`. A ReLU sets the negative half to 0, which leaves half of
# it. So each layer multiplies the size of the signal (the root of its mean square) by
#
#     √(n · std² / 2)
#
# With n = 64 and std = 0.05 that is 0.28, and after ten layers 3 millionths are left. For a factor of 1 one needs
# `std = √(2 / n)` (He et al. 2015, eq. 10): then it holds at the start, but who keeps it so while the weights learn?

# %%
depth, width, std = 10, 64, 0.05
x = rng.normal((1000, width))
sizes = {"plain": [], "batch norm": []}
for name, signal in sizes.items():
    h, draw = x, tg.Generator(0, "weights")  # the same weights for both
    for _ in range(depth):
        h = h @ draw.normal((width, width), std=std)
        if name == "batch norm":
            h = (h - h.mean(axis=0)) / h.std(axis=0)
        h = np.maximum(h, 0)
        signal.append(float(np.sqrt((h**2).mean())))
factor = np.sqrt(width * std**2 / 2)
print(f"by hand a factor of {factor:.3f} a layer: {factor**depth:.1e} after {depth}")
for name, signal in sizes.items():
    print(f"{name:10} after 1 layer {signal[0]:.3f}, after {depth} {signal[-1]:.1e}")

# %% [markdown]
# ## The formula
#
# For each channel, over the N examples of a batch (Ioffe and Szegedy 2015, algorithm 1):
#
#     μ = mean of x        σ² = mean of (x - μ)²        x̂ = (x - μ) / √(σ² + eps)        y = gamma · x̂ + beta
#
# gamma and beta are learnt, so the layer *can* have any mean and any scale; it just doesn't get them from the weights
# before it. eps keeps a channel that never changes from 0/0; we leave it out on paper.
#
# ## Its gradient, from what it does not see
#
# Only gamma, beta and x̂ are easy: `y = gamma · x̂ + beta`, so `g_gamma = Σ gy x̂`, `g_beta = Σ gy` and
# `g_x̂ = gamma · gy`. From x̂ to x there are three ways: directly, through μ and through σ. Instead of following them,
# ask what x̂ does *not* depend on:
#
# - add c to all examples: x̂ stays the same. So gx must not change anything along (1, 1, ..., 1): `Σ gx = 0`.
# - multiply x - μ by c: x̂ stays the same. So gx has nothing along x̂: `Σ gx x̂ = 0`.
#
# In every other direction μ and σ don't move (to first order), and x̂ moves as x does, divided by σ. So gx is
# `g_x̂ / σ` with these two directions taken out. Both have the length √N (the mean of x̂² is 1), and are orthogonal
# (the mean of x̂ is 0), so each is taken out by a mean:
#
#     gx = (gamma / σ) · (gy - mean(gy) - x̂ · mean(gy x̂))

# %%
x = rng.normal((5, 2), mean=3.0, std=2.0, dtype="float64")
gy = rng.normal((5, 2), dtype="float64")
layer = BatchNorm(2, eps=0.0, dtype="float64")
layer.gamma.data = layer.gamma.data + np.array([0.5, -0.3])
X = tg.tensor(x, requires_grad=True)
gx, g_gamma, g_beta = (g.numpy() for g in tg.grad(layer(X), [X, layer.gamma, layer.beta], gy))

sigma = x.std(axis=0)
x_hat = (x - x.mean(axis=0)) / sigma
gx_by_hand = layer.gamma.numpy() / sigma * (gy - gy.mean(axis=0) - x_hat * (gy * x_hat).mean(axis=0))
print("gx by tape", gx[0], " by hand", gx_by_hand[0])
print("g_gamma by tape", g_gamma, " by hand", (gy * x_hat).sum(axis=0))
print("g_beta  by tape", g_beta, " by hand", gy.sum(axis=0))
print(f"|Σ gx| = {np.abs(gx.sum(axis=0)).max():.0e}, |Σ gx x̂| = {np.abs((gx * x_hat).sum(axis=0)).max():.0e}")

# %% [markdown]
# ## The scale of the weights no longer matters
#
# If `x = h @ w`, then 10 w gives the same y. By the same argument the gradient of each column of w is orthogonal to
# that column: `Σ gw w = 0`. And at 10 w it is a tenth as long, because there the same step turns w by a tenth of the
# angle.

# %%
h = rng.normal((32, 4), dtype="float64")
target = rng.normal((32, 3), dtype="float64")
w0 = rng.normal((4, 3), dtype="float64")
norm = BatchNorm(3, eps=0.0, dtype="float64")


def gradient_at(w):
    w = tg.tensor(w, requires_grad=True)
    return tg.grad(((norm(h @ w) - target) ** 2).mean(), w).numpy()


gw, gw_of_large = gradient_at(w0), gradient_at(10 * w0)
along = np.abs((gw * w0).sum(axis=0)).max()
ratio = float(np.linalg.norm(gw) / np.linalg.norm(gw_of_large))
print(f"|Σ gw w| = {along:.0e};  gradient at w over gradient at 10 w: {ratio:.4f}")

# %% [markdown]
# ## What it buys
#
# Ten layers whose initial weights are too small, on digits. Without batch norm the signal fades on the way forward, and
# the gradient, which passes through the same weights, on the way back: the loss stays at log 10 = 2.30, that of
# guessing. With batch norm both keep their size.

# %%
steps = 300
digits = tg.data.load("digits")
small = partial(tg.init.normal, std=std)
curves, right, networks = {}, {}, {}
for name in sizes:
    tg.seed(0)
    layers = [Flatten()]
    for i in range(depth):
        layers += [Dense(784 if i == 0 else width, width, weight_init=small)]
        layers += [BatchNorm(width, momentum=0.9)] * (name == "batch norm") + [ReLU()]
    network = networks[name] = Sequential(*layers, Dense(width, 10, weight_init=small))
    optimizer = tg.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    loader = tg.data.Loader(digits.train, batch=64, labels=digits.labels, rng=tg.Generator(0, "batches"))
    curves[name] = []
    for _ in range(steps):
        images, t = loader.next_batch()
        loss = cross_entropy(network(images), t)
        optimizer.step(tg.grad(loss, network.parameters()))
        curves[name].append(float(loss))
    network.eval()
    with tg.no_grad():
        said = network(digits.test.astype("float32") / 127.5 - 1).numpy().argmax(axis=1)
    right[name] = float((said == digits.test_labels).mean())
    print(f"{name:10} loss {np.mean(curves[name][-50:]):.2f}, {right[name]:.0%} right")

# %%
fig, (left_panel, right_panel) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for name, colour in (("plain", "#0072B2"), ("batch norm", "#D55E00")):
    left_panel.semilogy(range(1, depth + 1), sizes[name], "o-", markersize=4, color=colour, label=name)
    right_panel.plot(curves[name], linewidth=1, color=colour, label=name)
left_panel.semilogy(range(1, depth + 1), factor ** np.arange(1, depth + 1), ":", color="black", label="by hand")
left_panel.set(xlabel="layer", xticks=range(1, depth + 1))
left_panel.set_title("size of the signal, before training", fontsize=10)
right_panel.set(xlabel="step", ylim=(0, 2.7))
right_panel.set_title("the same networks learn digits: loss", fontsize=10)
left_panel.legend(frameon=False, fontsize=8, loc="lower left")
right_panel.legend(frameon=False, fontsize=8, loc="center right")
fig.savefig("lessons_out/06_batch_norm.png", dpi=80)

# %% [markdown]
# (*Why* it helps where the initial weights are right is still argued about: not, it seems, for the reason that the
# paper gave. Santurkar et al. 2018.)
#
# ## The examples of a batch see each other
#
# μ and σ are those of the batch, so y of one example depends on all others. That is new: so far, a batch was just a
# mean over examples that know nothing of each other. Ask the tape for the gradient of example 0 with respect to the
# whole batch.

# %%
X = tg.tensor(x, requires_grad=True)
of_first = tg.grad(layer(X)[0, 0], X).numpy()[:, 0]
print("how y of example 0 depends on x of each example:", of_first)

# %% [markdown]
# To draw one image from G, or to classify one, there is no batch. So in training the layer keeps running means,
#
#     running ← momentum · running + (1 - momentum) · batch's
#
# and in `eval()` mode it uses those instead of the batch's: then it is just `x · scale + shift`, for each example
# alone. They start at mean 0 and variance 1, and what is left of that start after t steps is `momentumᵗ`: with 0.99,
# the default here and in Keras, still 37% after 100 steps. (PyTorch's momentum of 0.1 is 0.9 here.)

# %%
running = BatchNorm(1, momentum=0.99)
for _ in range(100):
    running(rng.normal((64, 1), mean=5.0))
expected = 5 * (1 - 0.99**100)
print(f"running mean after 100 batches of mean 5: {running.mean.data[0]:.3f}, by hand 5 (1 - 0.99¹⁰⁰) = {expected:.3f}")

# %% [markdown]
# For GANs this has consequences:
#
# - G's images of one batch have something in common, and change with their company. Draw samples in `eval()` mode, as
#   lesson 9 does.
# - D sees batches of real images and batches of made ones. With batch norm in D it judges a batch as a whole, and real
#   and made images in one batch are a different game from real and made images in two.
# - WGAN-GP asks for the slope of D at each example. With batch norm there is no such thing, so its critic has none
#   (Gulrajani et al. 2017, section 4; lesson 13).

# %% [markdown]
# ## Three things to try
#
# 1. Take a batch of two. What is x̂, whatever x is? And what is gx then?
# 2. Start the plain network with `std=np.sqrt(2 / width)`. Does it learn now, and with which learning rate?
# 3. Evaluate the network with batch norm after 10 steps instead of 300, once in `train()` and once in `eval()` mode.
#    Where does the difference come from?
