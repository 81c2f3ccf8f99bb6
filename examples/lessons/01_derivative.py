# %% [markdown]
# # 1. A derivative, by hand and by tape
#
# A derivative answers one question: *if I push this number a little, how much does that number move?*
# Training a network means asking this for every weight, and then pushing each weight the right way.
#
# We ask it of one formula in three ways: by trying, by hand, and by tape. All three must agree.

# %%
from math import exp
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen.graph import explain

Path("lessons_out").mkdir(exist_ok=True)


def sigmoid(s):
    return 1 / (1 + exp(-s))


def f(w, x, b):
    return sigmoid(w * x + b)


w, x, b = 0.5, 3.0, -1.0
y = f(w, x, b)
print(f"y = σ(w·x + b) = σ({w}·{x} + {b}) = {y:.6f}")

# %% [markdown]
# ## By trying
#
# Push w up by a tiny h, then down by h, and see how far y went: `(f(w + h) - f(w - h)) / 2h`.
# This *finite difference* needs no mathematics, only patience: the formula runs twice for each number.

# %%
h = 1e-5
by_trying = {
    "w": (f(w + h, x, b) - f(w - h, x, b)) / (2 * h),
    "x": (f(w, x + h, b) - f(w, x - h, b)) / (2 * h),
    "b": (f(w, x, b + h) - f(w, x, b - h)) / (2 * h),
}
print(f"∂y/∂w is about {by_trying['w']:.6f}: if w grows by 0.01, y grows by about {0.01 * by_trying['w']:.4f}")

# %% [markdown]
# ## By hand
#
# Cut the formula into steps so small that each has an easy derivative:
#
#     p = w·x      ∂p/∂w = x    ∂p/∂x = w
#     s = p + b    ∂s/∂p = 1    ∂s/∂b = 1
#     y = σ(s)     ∂y/∂s = y (1 - y)
#
# The chain rule multiplies along the path from y back to w: `∂y/∂w = ∂y/∂s · ∂s/∂p · ∂p/∂w`.

# %%
dy_ds = y * (1 - y)
by_hand = {"w": dy_ds * 1 * x, "x": dy_ds * 1 * w, "b": dy_ds * 1}
print(f"∂y/∂w = y(1 - y) · 1 · x = {dy_ds:.6f} · 1 · {x} = {by_hand['w']:.6f}")

# %% [markdown]
# ## A tape in three lines
#
# Write down each step as you make it: what came out, what went in, and the derivative of the first with respect to the
# second. That list is a *tape*. Read it backwards, and pass each result's gradient on to what it was made from.
# That is all there is to backpropagation.

# %%
tape = [("p", "w", x), ("p", "x", w), ("s", "p", 1.0), ("s", "b", 1.0), ("y", "s", y * (1 - y))]

gradient = {"y": 1.0}  # ∂y/∂y
for result, source, local in reversed(tape):
    gradient[source] = gradient.get(source, 0.0) + gradient[result] * local

# %% [markdown]
# Note the `+`: had w been used twice, both uses would be added up. We come back to it below.
#
# ## By tinygen's tape
#
# tinygen writes the tape for you. `requires_grad=True` says "I will ask about this one"; `tg.grad` reads backwards.
# (We use float64, about 16 digits, to have something to compare; networks make do with the 7 digits of float32.)

# %%
W = tg.tensor(w, requires_grad=True, dtype="float64", name="w")
X = tg.tensor(x, requires_grad=True, dtype="float64", name="x")
B = tg.tensor(b, requires_grad=True, dtype="float64", name="b")
Y = tg.ops.sigmoid(W * X + B)
gW, gX, gB = tg.grad(Y, [W, X, B])
by_tape = {"w": float(gW), "x": float(gX), "b": float(gB)}

print("        by trying     by hand  three lines     tinygen")
for name in "wxb":
    numbers = by_trying[name], by_hand[name], gradient[name], by_tape[name]
    print(f"∂y/∂{name} " + " ".join(f"{number:11.8f}" for number in numbers))

# %% [markdown]
# And this is the tape, with its numbers. Forward goes from left to right and computes the *values*. Backward takes the
# same arrows from right to left: it starts with the gradient 1 at the end, multiplies by the local derivative on each
# arrow (`×`), and so gets the *gradient* at the box where the arrow began. (In a terminal,
# `tinygen explain "sigmoid(w*x + b)" w=0.5 x=3 b=-1` prints the same tape as a table, with every rule.)

# %%
picture = explain("sigmoid(w*x + b)", {"w": w, "x": x, "b": b}).picture
picture.save("lessons_out/01_tape.svg")
picture

# %% [markdown]
# Why bother with a tape if trying works? A GAN on small digits has two million weights. Trying costs two runs of the
# formula for *each* weight; reading the tape backwards costs about two runs for *all of them together*.
#
# ## Used twice
#
# In `g(x) = x · sin(x)` the number x moves the result in two ways: as a factor, and inside the sine.
# Each path gives a product, and the paths are added: `g'(x) = sin(x) + x cos(x)`.

# %%
t = tg.tensor(2.0, requires_grad=True, dtype="float64")
twice = tg.grad(t * tg.ops.sin(t), t)
print(f"path 1: sin(2) = {np.sin(2):.6f}    path 2: 2 cos(2) = {2 * np.cos(2):.6f}")
print(f"their sum {np.sin(2) + 2 * np.cos(2):.6f}, by tape {twice:.6f}")

# %% [markdown]
# ## A derivative of a derivative
#
# A gradient is computed by ordinary operations, so these can be taped as well: `create_graph=True`. Then the gradient
# itself has a gradient. Lesson 13 needs that for a GAN.
#
# To ask at 200 points at once we differentiate the sum of all results: point i moves only result i, so no
# derivative mixes with another.

# %%
points = tg.tensor(np.linspace(-6, 6, 200), requires_grad=True)
g = points * tg.ops.sin(points)
first = tg.grad(g.sum(), points, create_graph=True)
second = tg.grad(first.sum(), points)

at = np.linspace(-6, 6, 200)
error_1 = np.abs(first.numpy() - (np.sin(at) + at * np.cos(at))).max()
error_2 = np.abs(second.numpy() - (2 * np.cos(at) - at * np.sin(at))).max()
print(f"largest error: {error_1:.0e} against g' = sin x + x cos x, {error_2:.0e} against g'' = 2 cos x - x sin x")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
ws = np.linspace(-1.5, 2.5, 100)
left.plot(ws, [f(v, x, b) for v in ws], color="#0072B2", label="y = σ(w·3 - 1)")
near = np.array([w - 0.7, w + 0.7])
left.plot(near, y + by_hand["w"] * (near - w), color="#D55E00", label=f"slope ∂y/∂w = {by_hand['w']:.3f}")
left.plot([w], [y], "o", color="#D55E00")
left.set_xlabel("w")
left.set_title("A derivative is the slope where we stand", fontsize=10)
for curve, name, colour in ((g, "g = x sin x", "#0072B2"), (first, "g'", "#D55E00"), (second, "g''", "#009E73")):
    right.plot(at, curve.numpy(), color=colour, label=name)
right.axhline(0, color="#bbbbbb", linewidth=0.8)
right.set_xlabel("x")
right.set_title("Where g has a peak or a valley, g' is 0", fontsize=10)
left.legend(frameon=False, fontsize=8, loc="upper left")
right.legend(frameon=False, fontsize=8, loc="lower center")
fig.savefig("lessons_out/01_slopes.png", dpi=90)

# %% [markdown]
# ## Three things to try
#
# 1. Make h smaller and smaller: 1e-8, 1e-12, 1e-16. Why does trying get worse instead of better?
# 2. Replace σ by `tanh`, whose derivative is `1 - y²`. Which entry of the three-line tape changes?
# 3. Write the tape of `x · sin(x)` as a list like ours, with x as the source of two entries. What would happen
#    without the `+`?
