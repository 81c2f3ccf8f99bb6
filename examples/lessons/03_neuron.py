# %% [markdown]
# # 3. A neuron, a layer, and how to check a gradient
#
# A neuron weighs its inputs, adds a bias, and squashes the sum. We teach one neuron to tell two kinds of points apart,
# see it fail, and give it colleagues. We write out all gradients by hand first: there are only four formulas.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygen as tg
from tinygen.layers import Dense, Sequential, Tanh
from tinygen.losses import bce_logits

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=5, suppress=True)
tg.seed(0)

# %% [markdown]
# ## The points
#
# Points of kind 1 lie in a disc, points of kind 0 in a ring around it.

# %%
rng = np.random.default_rng(0)
n = 300
t = np.arange(n) % 2  # the kinds
radius = np.where(t == 1, 0.8 * np.sqrt(rng.uniform(size=n)), rng.uniform(1.2, 2.0, n))
turn = rng.uniform(0, 2 * np.pi, n)
x = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)  # (300, 2), float64
t = t[:, np.newaxis].astype("float64")  # (300, 1): the shape of the scores

# %% [markdown]
# ## One neuron
#
#     s = x·w + b        the score: x (N, 2), w (2, 1), b (1,)
#     p = σ(s)           how probable kind 1 is
#     L = mean of -log p where t = 1, and of -log(1 - p) where t = 0
#
# That loss is the *cross entropy*. Since `p' = p (1 - p)`, its derivative at the score is `-(1 - p)` where t = 1 and
# `p` where t = 0. Both are `p - t`: what the neuron said, minus what it should have said. So `gs = (p - t) / N`.
#
# From there the same rules take us through every layer of k neurons, with x (N, in), w (in, k), s (N, k). Write out one
# entry of the product, `s_nk = Σᵢ x_ni w_ik + b_k`, and add up over all the places where a number was used:
#
#     gw_ik = Σₙ gs_nk x_ni      gw = xᵀ · gs        each weight: its input, times what arrives, over the batch
#     gb_k  = Σₙ gs_nk           gb = Σ gs           lesson 2: the bias was copied to all examples
#     gx_ni = Σₖ gs_nk w_ik      gx = gs · wᵀ        what is passed on to the layer before

# %%
w = tg.tensor([[0.3], [-0.2]], requires_grad=True, dtype="float64")
b = tg.tensor([0.1], requires_grad=True, dtype="float64")
X = tg.tensor(x, requires_grad=True)

s = X @ w + b
loss = bce_logits(s, t)
by_tape = dict(zip(["gw", "gb", "gx"], tg.grad(loss, [w, b, X]), strict=True))

gs = (1 / (1 + np.exp(-s.numpy())) - t) / n
by_hand = {"gw": x.T @ gs, "gb": gs.sum(axis=0), "gx": gs @ w.numpy().T}
for name, hand in by_hand.items():
    tape = by_tape[name].numpy()
    print(f"{name} {hand.shape!s:8}  by hand {hand.ravel()[:2]}  by tape {tape.ravel()[:2]}")

# %% [markdown]
# The shapes help to remember which factor comes first and which is transposed: gw is (in, k), and `xᵀ · gs` is
# (in, N) · (N, k). But they don't prove it. Where N = in = k, the wrong order fits just as well:

# %%
square = {name: rng.normal(size=(3, 3)) for name in ("x", "w", "gs")}
v = tg.tensor(square["w"], requires_grad=True)
gv = tg.grad(square["x"] @ v, v, square["gs"]).numpy()
orders = {"xᵀ · gs": square["x"].T @ square["gs"], "gs · xᵀ": square["gs"] @ square["x"].T}
for name, product in orders.items():
    print(f"{name}: shape {product.shape}, largest difference from the tape {np.abs(product - gv).max():.0e}")

# %% [markdown]
# ## It learns, and fails
#
# A step of gradient descent pushes each weight against its gradient, here with a learning rate of 1. Training is
# nothing but this loop.

# %%
steps = 300
for _ in range(steps):
    loss = bce_logits(x @ w + b, t)
    gw, gb = tg.grad(loss, [w, b])
    w.data = w.data - 1.0 * gw.data
    b.data = b.data - 1.0 * gb.data


def accuracy(score):
    return float(((score(x).numpy() > 0) == t).mean())


print(f"one neuron: loss {loss:.3f} (guessing has log 2 = {np.log(2):.3f}), {accuracy(lambda x: x @ w + b):.0%} right")

# %% [markdown]
# No wonder: the neuron's score is 0 along a straight line. On one side it says 1, on the other 0, and no line separates
# a disc from a ring.
#
# ## A layer
#
# Put k neurons side by side: their weights are the k columns of a matrix w (2, k), and `x @ w + b` computes all their
# scores at once. That is `Dense(2, k)`. Squash the scores with tanh, and feed the k results to one more neuron.
# Each of the k neurons draws a line of its own; the last one combines them. (`Adam` is gradient descent in which each
# weight has a step length of its own: lesson 4.)

# %%
networks = {}
for k in (3, 16):
    network = Sequential(Dense(2, k, dtype="float64"), Tanh(), Dense(k, 1, dtype="float64"))
    optimizer = tg.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(steps):
        loss = bce_logits(network(x), t)
        optimizer.step(tg.grad(loss, network.parameters()))
    networks[k] = network
    print(f"{k:2} neurons and one: loss {loss:.3f}, {accuracy(lambda x, f=network: f(x)):.0%} right")

# %%
blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["#0072B2", "white", "#D55E00"])
fig, panels = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
side = np.linspace(-2.2, 2.2, 80)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
scores = {"one neuron: a line": plane @ w + b}
scores |= {f"{k} neurons and one" + ": a triangle" * (k == 3): networks[k](plane) for k in networks}
for axes, (title, score) in zip(panels, scores.items(), strict=True):
    p = tg.ops.sigmoid(score).numpy().reshape(80, 80)
    axes.contourf(side, side, p, levels=np.linspace(0, 1, 9), cmap=blue_to_orange, alpha=0.45)
    axes.contour(side, side, p, levels=[0.5], colors="black", linewidths=1)
    for kind, colour in ((0, "#0072B2"), (1, "#D55E00")):
        axes.scatter(*x[t[:, 0] == kind].T, s=6, color=colour)
    axes.set_title(title, fontsize=10)
    axes.set_aspect("equal")
    axes.set_axis_off()
fig.savefig("lessons_out/03_neurons.png", dpi=80)

# %% [markdown]
# ## gradcheck: is the gradient right?
#
# Lesson 1 compared the tape with trying. `tg.gradcheck` does that for any function: it pushes every input, and the
# two must agree. It then checks the second order: the gradient of the gradient.
# Here it checks the loss of our network with respect to all its weights.

# %%
network = networks[3]
report = tg.gradcheck(lambda: bce_logits(network(x), t), network.parameters())
print(report)

# %% [markdown]
# ## A primitive of your own
#
# tinygen knows a function if it knows one rule for each argument: how the gradient gy that arrives at the result y
# becomes the gradient of the argument. Let us add *swish*, `y = x · σ(x)`. The product rule:
#
#     y' = σ(x) + x · σ(x)(1 - σ(x))


# %%
@tg.primitive
def swish(x):
    return x * tg.ops.sigmoid(x)


swish.rules(lambda gy, y, x: gy * (tg.ops.sigmoid(x) + y * (1 - tg.ops.sigmoid(x))))
points = tg.tensor(rng.normal(size=5))
print(tg.gradcheck(swish, [points]))

# %% [markdown]
# Everybody forgets a term now and then. A network often still learns with a slightly wrong gradient, only worse, and
# you would not notice. gradcheck does.


# %%
@tg.primitive
def wrong_swish(x):
    return x * tg.ops.sigmoid(x)


wrong_swish.rules(lambda gy, y, x: gy * tg.ops.sigmoid(x))  # forgot that σ(x) depends on x, too
try:
    tg.gradcheck(wrong_swish, [points])
    caught = None
except tg.GradcheckError as error:
    caught = error
    print(error)

# %% [markdown]
# ## Three things to try
#
# 1. Two neurons and one: can they do it? Look at the picture for k = 2, and say why not.
# 2. Leave out the `Tanh()`. With 16 neurons, what percentage is right now? Two layers without a bend between them are
#    one layer: work out its w.
# 3. Write a primitive for the softplus, `log(1 + eˣ)`, with its rule; its derivative is an old friend.
#    (`tg.array_module(x)` is NumPy for arrays on the CPU: use its `log` and `exp`.)
