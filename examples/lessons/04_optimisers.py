# %% [markdown]
# # 4. Optimisers: from a gradient to a step
#
# The gradient says which way is down, at this place, on this batch. How far to go is another matter, and it decides
# whether a network learns in a minute or not at all. We follow a ball down a narrow valley: by gradient descent, with
# momentum, and by Adam, which trains most GANs.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen.layers import Dense, Flatten, ReLU, Sequential
from tinygen.losses import cross_entropy

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## The valley
#
#     L(w) = ½ (a₁ w₁² + a₂ w₂²)        gw = (a₁ w₁, a₂ w₂)        a = (1, 25)
#
# It is 25 times as steep across as it is along. Close to a minimum every smooth loss looks like this, along some axes:
# it is Taylor's second term, with an a for each weight.
#
# Gradient descent takes `w ← w - lr · gw`. Here that multiplies each wᵢ by `1 - lr · aᵢ`, so after t steps
# `wᵢ = (1 - lr · aᵢ)ᵗ · its start`. It shrinks only if the factor lies between -1 and 1, that is, `lr < 2 / aᵢ`. The
# steepest direction sets the limit, 2/25 = 0.08, and the flat one pays: at lr = 0.07 w₁ loses 7% a step.

# %%
a = np.array([1.0, 25.0])
start = np.array([-2.0, 0.5])


def descend(make_optimizer, n=40):
    """The way of w from the start, with gradients by tape."""
    w = tg.Parameter(start.copy())
    optimizer, way = make_optimizer([w]), [start]
    for _ in range(n):
        loss = 0.5 * (a * w**2).sum()
        optimizer.step(tg.grad(loss, [w]))
        way.append(w.numpy().copy())
    return np.array(way)


ways = {"gradient descent": descend(lambda ws: tg.optim.SGD(ws, lr=0.07))}
by_hand = start * (1 - 0.07 * a) ** np.arange(41)[:, np.newaxis]
print("w after 20 steps: by tape", ways["gradient descent"][20], " by hand", by_hand[20])
print("lr = 0.081, after 40 steps:", descend(lambda ws: tg.optim.SGD(ws, lr=0.081))[-1], "and growing")

# %% [markdown]
# The best that gradient descent can do makes both factors equally large, `1 - lr · a₁ = lr · a₂ - 1`. So
# `lr = 2 / (a₁ + a₂)`, and the factor is `(a₂ - a₁) / (a₂ + a₁)`: here 24/26 = 0.92. Were the valley 1,000 times as
# steep across, it would be 0.998.
#
# ## Momentum
#
# A ball that rolls keeps its speed (Polyak 1964; in this form Sutskever et al. 2013):
#
#     v ← β v + gw        w ← w - lr · v
#
# What does it do to a gradient g that stays the same? v settles where `v = β v + g`, at `g / (1 - β)`: ten times as
# long for β = 0.9. And to one that changes its sign at every step? There v changes its sign too, `-v = β v - g`, so
# `v = g / (1 + β)`: about half as long. It is fast along the valley, and slow across.

# %%
beta = 0.9
v, flipping = 0.0, 0.0
for t in range(200):
    v, flipping = beta * v + 1.0, beta * flipping + (-1.0) ** t
print(f"steady gradient 1:  v = {v:.4f}, by hand 1 / (1 - β) = {1 / (1 - beta):.4f}")
print(f"flipping gradient ±1: |v| = {abs(flipping):.4f}, by hand 1 / (1 + β) = {1 / (1 + beta):.4f}")

# %% [markdown]
# How fast is that in the valley? Along each axis a step is a matrix, `(w, v) ← M (w, v)`, and its eigenvalues are the
# factors:
#
#     v' = β v + a w                          M = [ 1 - lr · a   -lr · β ]
#     w' = w - lr · v'                            [      a           β   ]
#
# Its determinant is `(1 - lr · a) β + lr · a · β = β`. While the two eigenvalues are a complex pair, both have the
# size √det, so **every axis shrinks by √β a step, however steep it is**. (They are a pair while `(1 - lr · a + β)² <
# 4 β`.) With β = 0.5 and lr = 0.1 that holds for both axes: 0.71 a step, where gradient descent has 0.92 at best.

# %%
lr, beta = 0.1, 0.5
factors = [np.abs(np.linalg.eigvals(np.array([[1 - lr * steep, -lr * beta], [steep, beta]]))) for steep in a]
print("size of the eigenvalues, along and across:", *factors, f" √β = {np.sqrt(beta):.4f}")
ways["momentum"] = descend(lambda ws: tg.optim.SGD(ws, lr=lr, momentum=beta))
for name, way in ways.items():
    print(f"{name:17} after 40 steps is {np.linalg.norm(way[-1]):.1e} from the bottom")

# %% [markdown]
# ## Adam
#
# Momentum has one learning rate for all weights. But in a deep network some gradients are a thousand times as long as
# others. Adam (Kingma and Ba 2015, algorithm 1) keeps a mean of each weight's gradient, and one of its square:
#
#     m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)
#     v ← β₂ v + (1 - β₂) g²         v̂ = v / (1 - β₂ᵗ)          w ← w - lr · m̂ / (√v̂ + eps)
#
# Why the hats? Both means start at 0. With a constant g, `m = (1 - β₁ᵗ) g` after t steps, too short by the bracket (the
# weights of a mean must add up to 1, and these add up to `1 - β₁ᵗ`). Dividing puts it right. So in the first step
# `m̂ = g` and `√v̂ = |g|`: every weight moves by lr, whichever way, *however large its gradient is*.


# %%
def adam_by_hand(lr, beta1, beta2, n=40, scale=1.0, eps=1e-8):
    w, m, v, way = start.copy(), 0.0, 0.0, [start]
    for t in range(1, n + 1):
        g = scale * a * w
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        w = w - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
        way.append(w)
    return np.array(way)


ways["Adam"] = descend(lambda ws: tg.optim.Adam(ws, lr=0.2, betas=(0.9, 0.999)))
adam_difference = np.abs(ways["Adam"] - adam_by_hand(0.2, 0.9, 0.999)).max()
scale_difference = np.abs(ways["Adam"] - adam_by_hand(0.2, 0.9, 0.999, scale=1000)).max()
print("the first step:", ways["Adam"][1] - start)
print(f"tg.optim.Adam against Adam by hand: {adam_difference:.0e}, ", end="")
print(f"with a loss 1,000 times as large: {scale_difference:.0e}")

# %% [markdown]
# So lr has a meaning that does not depend on the loss: the longest way (about) that a weight goes in a step. That is
# why 1e-3 suits so many networks. `eps` only keeps a weight without gradient from 0/0.
#
# ## What β₁ is for
#
# A batch is a sample, so its gradient is noise around the true one. m̂ is a mean over about `1 / (1 - β₁)` steps. Of
# pure noise, +1 or -1 by a toss, it leaves less the longer it is. The variances add up:
#
#     E m² = (1 - β₁)² (1 + β₁² + β₁⁴ + ...) = (1 - β₁)² / (1 - β₁²) = (1 - β₁) / (1 + β₁)
#
# The price is age. If the true gradient turns from +1 to -1, then k steps later `m = β₁ᵏ - (1 - β₁ᵏ)`, and the weight
# still walks the wrong way until `β₁ᵏ < ½`.

# %%
toss = np.sign(tg.Generator(0, "tosses").normal(100_000, dtype="float64")).tolist()
left, late = {}, {}
for beta1 in (0.5, 0.9, 0.99):
    m, ms = 0.0, []
    for g in toss:
        m = beta1 * m + (1 - beta1) * g
        ms.append(m)
    left[beta1] = float(np.sqrt(np.mean(np.square(ms)))), np.sqrt((1 - beta1) / (1 + beta1))
    m, late[beta1] = 1.0, 0
    while m >= 0:
        m, late[beta1] = beta1 * m - (1 - beta1), late[beta1] + 1
    print(f"β₁ = {beta1:4}: of noise ±1 it leaves {left[beta1][0]:.3f} (by hand {left[beta1][1]:.3f}), ", end="")
    print(f"and it follows a turn after {late[beta1]} steps")

# %% [markdown]
# A classifier's loss stands still while we descend, so 0.9 is a good choice: less noise, and hardly a turn to miss. In
# a GAN the other player moves at every step, and an old gradient points to where it *was*. So GANs take β₁ = 0.5 or 0:
# with 0.9 Radford et al. (2015, section 4) saw oscillation and instability. Lesson 11 shows what momentum does in a
# game.
#
# ## The same on digits
#
# A small classifier, the same start and the same batches, three optimisers. Each learning rate is the best of a few
# that we tried: choosing one is most of the work of using SGD.

# %%
steps = 400
digits = tg.data.load("digits")
optimizers = {
    "SGD, lr = 0.1": lambda ws: tg.optim.SGD(ws, lr=0.1),
    "momentum 0.9, lr = 0.03": lambda ws: tg.optim.SGD(ws, lr=0.03, momentum=0.9),
    "Adam, lr = 0.002": lambda ws: tg.optim.Adam(ws, lr=2e-3),
}
curves, right = {}, {}
for name, make in optimizers.items():
    tg.seed(0)
    network = Sequential(Flatten(), Dense(784, 64), ReLU(), Dense(64, 64), ReLU(), Dense(64, 10))
    optimizer = make(network.parameters())
    loader = tg.data.Loader(digits.train, batch=64, labels=digits.labels, rng=tg.Generator(0, "batches"))
    curves[name] = []
    for _ in range(steps):
        x, t = loader.next_batch()
        loss = cross_entropy(network(x), t)
        optimizer.step(tg.grad(loss, network.parameters()))
        curves[name].append(float(loss))
    with tg.no_grad():
        said = network(digits.test.astype("float32") / 127.5 - 1).numpy().argmax(axis=1)
    right[name] = float((said == digits.test_labels).mean())
    print(f"{name:24} loss {np.mean(curves[name][-50:]):.3f} (mean of the last 50), ", end="")
    print(f"{right[name]:.1%} of test digits right")

# %%
colours = ("#0072B2", "#D55E00", "#009E73")
fig, (left_panel, right_panel) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", width_ratios=(1.5, 1))
x1, x2 = np.meshgrid(np.linspace(-2.3, 1.3, 100), np.linspace(-0.85, 0.95, 100))
height = 0.5 * (a[0] * x1**2 + a[1] * x2**2)
left_panel.contour(x1, x2, height, levels=np.geomspace(0.02, 12, 10), colors="#bbbbbb", linewidths=0.7)
for (name, way), colour in zip(ways.items(), colours, strict=True):
    left_panel.plot(*way[:21].T, ".-", color=colour, linewidth=1, markersize=4, label=name)
left_panel.plot(*start, "o", color="black", markersize=5)
left_panel.set(xlabel="w₁, along the valley", ylabel="w₂, across", ylim=(-0.85, 0.95))
left_panel.set_title("20 steps from the black point", fontsize=10)
left_panel.legend(frameon=False, fontsize=8, loc="upper right", ncols=3)
for (name, curve), colour in zip(curves.items(), colours, strict=True):
    smooth = [np.mean(curve[max(0, i - 20) : i + 1]) for i in range(len(curve))]
    right_panel.plot(smooth, color=colour, linewidth=1.3, label=name)
right_panel.set(xlabel="step", ylim=(0, 1.5))
right_panel.set_title("digits: loss, mean of 20 steps", fontsize=10)
right_panel.legend(frameon=False, fontsize=8, loc="upper right")
fig.savefig("lessons_out/04_valley.png", dpi=80)

# %% [markdown]
# Left: gradient descent bounces from wall to wall; momentum bounces, too, but soon runs down the middle; Adam, which
# takes steps of the same length along both axes, goes diagonally at first, and overshoots.

# %% [markdown]
# ## Three things to try
#
# 1. Turn the valley by 45°: `loss = 0.5 * (a * (w @ R) ** 2).sum()`. Which of the three doesn't notice, and why does
#    Adam?
# 2. Multiply the loss of the digits by 1,000. Which of the three learning rates must change, and to what?
# 3. Let the gradients of the valley be noisy: add `0.5 * rng.normal((2,))` to each. How close does Adam come to the
#    bottom with β₁ = 0, 0.9 and 0.99? And if lr falls to 0 on the way (`tg.optim.cosine_decay`)?
