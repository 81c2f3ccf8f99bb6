# %% [markdown]
# # 2. Broadcasting, and why gradients are summed
#
# A layer adds one bias to every example of a batch. NumPy stretches the bias to fit; nobody writes the copies.
# What is the gradient of a number that was copied? This lesson answers that, and explains half of all shape errors.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## One number, three places
#
# Take `y = x + b` with three numbers x and a single b, and a loss that weighs the results: `L = Σ cᵢ yᵢ`.
# Then `∂L/∂yᵢ = cᵢ`: this is the gradient that *arrives* at y. tinygen calls it gy.
#
# Push b by h: *every* yᵢ moves by h, and L moves by `c₁h + c₂h + c₃h`. So `∂L/∂b = c₁ + c₂ + c₃`: the sum of gy.
# This is lesson 1's rule again: b was used three times, and the paths are added.

# %%
x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
b = tg.tensor(0.5, requires_grad=True)
c = np.array([10.0, -2.0, 4.0], "float32")

loss = (c * (x + b)).sum()
gx, gb = tg.grad(loss, [x, b])
print("gradient of x:", gx.numpy(), " each xᵢ moves only its own yᵢ")
print("gradient of b:", gb.numpy(), " by hand: 10 - 2 + 4 =", c.sum())

# %% [markdown]
# ## A column and a row
#
# A column (3, 1) and a row (1, 4) stretch each other to a table (3, 4). All of row 0 uses entry a₀ of the column, so
# its gradient is the sum of row 0 of gy; entry r₀ of the row gets the sum of column 0.
#
# The rule: **what was copied along an axis is summed along that axis on the way back.**

# %%
a = tg.tensor([[10.0], [20.0], [30.0]], requires_grad=True)
r = tg.tensor([[1.0, 2.0, 3.0, 4.0]], requires_grad=True)
gy = np.array([[1, 0, 2, 0], [0, 3, 0, 1], [5, 0, 0, 1]], "float32")  # any numbers: what comes back from a loss

table = a + r
ga, gr = tg.grad(table, [a, r], gy)
print("ga by tape:", ga.numpy().ravel(), " by hand, Σ over axis 1:", gy.sum(axis=1))
print("gr by tape:", gr.numpy().ravel(), " by hand, Σ over axis 0:", gy.sum(axis=0))

# %%
fig, (forward, backward) = plt.subplots(1, 2, figsize=(8, 3.0), layout="constrained")


def write(axes, numbers, at, colour):
    """A table of numbers as coloured squares, its upper left corner at (column, row)."""
    for i, j in np.ndindex(numbers.shape):
        place = (at[0] + j - 0.5, at[1] + i - 0.5)
        axes.add_patch(plt.Rectangle(place, 1, 1, facecolor=colour, edgecolor="white", linewidth=2))
        axes.text(at[0] + j, at[1] + i, f"{numbers[i, j]:g}", ha="center", va="center")


for axes, entries, column, row in (
    (forward, table.numpy(), a.numpy(), r.numpy()),
    (backward, gy, ga.numpy(), gr.numpy()),
):
    write(axes, column, (-2, 0), "#f6cba9")
    write(axes, row, (0, -2), "#b3d4ea")
    write(axes, entries, (0, 0), "#e9e9e9")
    tail, head = (-1.45, -0.55) if axes is forward else (-0.55, -1.45)
    for i in range(3):
        axes.annotate("", (head, i), (tail, i), arrowprops={"arrowstyle": "->", "color": "#D55E00"})
    for j in range(4):
        axes.annotate("", (j, head), (j, tail), arrowprops={"arrowstyle": "->", "color": "#0072B2"})
    axes.set(xlim=(-2.6, 3.6), ylim=(2.6, -2.6), aspect="equal")
    axes.set_axis_off()
forward.set_title("forward: a + r copies along rows and columns", fontsize=10)
backward.set_title("backward: gy is summed along rows and columns", fontsize=10)
fig.savefig("lessons_out/02_copy_and_sum.png", dpi=90)

# %% [markdown]
# ## When they multiply
#
# With `a · r` each copy first gets its own factor (the other number), and then the copies are summed as before:
# `gaᵢ = Σⱼ gyᵢⱼ rⱼ`. Summing always comes last.

# %%
ga, gr = tg.grad(a * r, [a, r], gy)
print("ga by tape:", ga.numpy().ravel(), " by hand, Σⱼ gyᵢⱼ rⱼ:", (gy * r.numpy()).sum(axis=1))
print("gr by tape:", gr.numpy().ravel(), " by hand, Σᵢ gyᵢⱼ aᵢ:", (gy * a.numpy()).sum(axis=0))

# %% [markdown]
# ## Copying and summing are mirror images
#
# Forward copy, backward sum. What about a forward sum? Push xᵢ by h: the sum moves by h, whatever i is.
# So every xᵢ gets the same gradient: backward *copies*. And a mean copies gy / n.
#
# Both follow from `⟨g, copy(b)⟩ = ⟨sum(g), b⟩` for any g and b. (⟨ , ⟩ multiplies entry by entry and adds everything
# up.) Two operations that belong together like this are *adjoint*, or *transposed*. Lesson 14 has another pair:
# convolutions.

# %%
g, v = np.array([3.0, -1.0, 2.0, 7.0]), 0.25
print(f"⟨g, copy(v)⟩ = {g @ np.full(4, v)}   ⟨sum(g), v⟩ = {g.sum() * v}")

xs = tg.tensor([5.0, 6.0, 7.0, 8.0], requires_grad=True)
print("gradient of x.sum(): ", tg.grad(xs.sum(), xs).numpy())
print("gradient of x.mean():", tg.grad(xs.mean(), xs).numpy())

# %% [markdown]
# ## A bias, as in every layer
#
# A batch of N examples with 3 features each, plus a bias (3,): the bias is copied N times, so its gradient is a sum
# over the batch. If the loss is a *mean* over the batch, gy carries 1/N and the sum becomes a mean: a batch of 1,000
# gives a gradient of about the same size as a batch of 10, only steadier.

# %%
rng = np.random.default_rng(0)
for n in (10, 1000):
    batch = rng.normal(2.0, 1.0, (n, 3))  # float64
    bias = tg.tensor(np.zeros(3), requires_grad=True)
    loss = ((batch + bias) ** 2).sum(axis=1).mean()
    print(f"N = {n:4}: by tape {tg.grad(loss, bias).numpy()}, by hand 2 · mean(x + b) = {2 * batch.mean(axis=0)}")

# %% [markdown]
# ## The accident
#
# Broadcasting never asks. Scores (N, 1) minus targets (N,) is not N differences: it is a table (N, N) of every score
# against every target. The loss is a number, the gradient has the right shape, and the network learns nonsense.
# tinygen's losses refuse it.

# %%
scores = tg.tensor(rng.normal(size=(4, 1)), requires_grad=True)
targets = rng.normal(size=4)
print("score - target has the shape", (scores - targets).shape)
try:
    tg.losses.mse(scores, targets)
except ValueError as error:
    print("tg.losses.mse:", error)

# %% [markdown]
# What does the network learn from it? With the right gradient each score moves to its own target; with the wrong one
# all of them move to the *mean* of the targets.

# %%
steps = 200
learnt = {}
for name, target in (("right", targets[:, np.newaxis]), ("wrong", targets)):
    s = tg.tensor(np.zeros((4, 1)), requires_grad=True)
    for _ in range(steps):
        loss = ((s - target) ** 2).mean()
        s.data = s.data - 0.1 * tg.grad(loss, s).data
    learnt[name] = s.numpy().ravel()
    print(f"{name}: {learnt[name]}")
print(f"targets {targets}, their mean {targets.mean():.4f}")

# %% [markdown]
# ## Three things to try
#
# 1. What is the gradient of a, (3, 1), for `(a + r + 1).mean()`? Work it out on paper first, then ask the tape.
# 2. Forget the sum, in NumPy alone: `column = a.numpy().copy()`, of shape (3, 1), and then `column -= 0.1 * gy`, with
#    gy of shape (3, 4). What does NumPy say? And what shape has column after `column = column - 0.1 * gy`?
# 3. Write `copy_to_batch(b, n)` with `tg.ops.broadcast_to`, and check it with
#    `tg.gradcheck(lambda b: tg.ops.broadcast_to(b, (5, 3)), [np.ones(3)])`. Lesson 3 says what that does.
