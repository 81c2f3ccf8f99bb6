# %% [markdown]
# # 5. Four images, learnt by heart
#
# A generator turns a code into an image. Before any GAN or VAE, take the simplest case: four images, four codes, and a
# network that has to draw image i when it is given code i. Then we ask the question behind autoencoders, VAEs and GANs:
# *what does it draw for a code that it has never seen?*

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen.layers import Dense, ReLU, Reshape, Sequential, Sigmoid
from tinygen.losses import mse

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
tg.seed(0)

digits = tg.data.load("digits")
four = [list(digits.labels).index(label) for label in (0, 1, 3, 4)]  # the first of each
x = digits.train[four].astype("float32") / 255  # (4, 28, 28, 1), from 0 (black) to 1 (white)
print("the images:", x.shape)

# %% [markdown]
# ## A code is a name
#
# The four codes are *one-hot*: one entry for each image, all of them 0 but for a single 1.
#
#     e₀ = (1, 0, 0, 0)    e₁ = (0, 1, 0, 0)    e₂ = (0, 0, 1, 0)    e₃ = (0, 0, 0, 1)
#
# Multiply such a code by a matrix, and the 1 picks out a row: `eᵢ @ w = w[i]`. So a single layer without a bias can
# hold four images, one in each row of its weights.

# %%
codes = np.eye(4, dtype="float32")
layer = Dense(4, 784, bias=False)
print("e₂ @ w is row 2 of w:", np.array_equal(layer(codes[2:3]).numpy()[0], layer.w.numpy()[2]))

# %% [markdown]
# ## One step is enough
#
# With the loss `L = ½ Σ (y - x)²`, what arrives at y is `gy = y - x`: how much each pixel is too bright.
# By lesson 3, `gw = eᵀ @ gy`. All four codes together are the identity matrix, so `gw = gy`: row i of the gradient is
# the error of image i, and no image disturbs another. One step with learning rate 1 puts each row where it should be.

# %%
target = x.reshape(4, 784)
y = layer(codes)
loss = 0.5 * ((y - target) ** 2).sum()
gw = tg.grad(loss, layer.w)
largest_difference = np.abs(gw.numpy() - (y.numpy() - target)).max()
print(f"gw by tape against y - x by hand: largest difference {largest_difference:.0e}")

layer.w.data = layer.w.data - 1.0 * gw.data
after = 0.5 * ((layer(codes) - target) ** 2).sum()
print(f"loss before {loss:.1f}, after one step {after:.1e}")

# %% [markdown]
# ## A network
#
# Now add a hidden layer. Its weights still have one row for each image, but the layer after it is *shared*: all four
# images are made from the same 128 strokes. Now they do disturb each other, and learning takes a few hundred steps.

# %%
steps = 300
decoder = Sequential(Dense(4, 128), ReLU(), Dense(128, 784), Sigmoid(), Reshape((28, 28, 1)))
optimizer = tg.optim.Adam(decoder.parameters(), lr=3e-3)
film = []
for step in range(1, steps + 1):
    y = decoder(codes)
    loss = mse(y, x)
    optimizer.step(tg.grad(loss, decoder.parameters()))
    if step in (1, 3, 6, 10, 15, 25, 50, 300):
        film.append(y.numpy())
        print(f"step {step:3}  loss {loss:.5f}")

# %% [markdown]
# Each row is an image, each column one of the steps printed above. In the middle each row is still a mixture of all
# four, because they share their strokes; then they separate.

# %%
rows = np.stack(film, axis=1).reshape(-1, 28, 28, 1)
tg.viz.save_grid(rows, "lessons_out/05_learning.png", value_range=(0, 1), columns=len(film))

# %% [markdown]
# ## Between two codes
#
# What is halfway from e₀ to e₁, at (½, ½, 0, 0)? The single layer must answer `½ w[0] + ½ w[1]`: a double exposure.
# The network may answer anything: nobody has told it what to draw there.

# %%
mix = np.linspace(0, 1, 9, dtype="float32")[:, np.newaxis]
between = (1 - mix) * codes[0] + mix * codes[1]
with tg.no_grad():
    by_layer = layer(between).numpy().reshape(-1, 28, 28, 1)
    by_network = decoder(between).numpy()
both = np.concatenate([by_layer, by_network])
tg.viz.save_grid(both, "lessons_out/05_between.png", value_range=(0, 1), columns=9)

exposure = (x[0] + x[1]) / 2
print(f"halfway, distance from a double exposure: layer {np.abs(by_layer[4] - exposure).max():.0e}, ", end="")
print(f"network {np.abs(by_network[4] - exposure).max():.2f}")

# %% [markdown]
# The layer is above, the network below: a 0 becomes a 1. The network's way is no better. There is no digit in between,
# only what is left over from learning the two ends.
#
# ## Codes that are learnt
#
# Who says that the codes must be one-hot? Give each image two numbers, and learn *them*, too. The gradient does not
# stop at the weights: it reaches the codes by lesson 3's `gx = gs · wᵀ`, and says how each should move.

# %%
places = tg.tensor(tg.Generator(0, "places").normal((4, 2), std=0.1), requires_grad=True)
painter = Sequential(Dense(2, 128), ReLU(), Dense(128, 784), Sigmoid(), Reshape((28, 28, 1)))
learnt = [places, *painter.parameters()]
optimizer = tg.optim.Adam(learnt, lr=1e-2)
way = [places.data.copy()]
for _ in range(steps):
    loss = mse(painter(places), x)
    optimizer.step(tg.grad(loss, learnt))
    way.append(places.data.copy())
print(f"loss {loss:.5f}; the codes of 0, 1, 3, 4:", *(f"({u:.2f}, {v:.2f})" for u, v in places.numpy()))

# %% [markdown]
# They began close together and fled from each other: the further apart two codes are, the easier it is to draw two
# different images. The network made up what lies between them.

# %%
way = np.stack(way)
reach = 1.25 * np.abs(way).max()
ticks = np.linspace(-reach, reach, 7, dtype="float32")
with tg.no_grad():
    drawn = painter(np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1).reshape(-1, 2)).numpy()
fig = plt.figure(figsize=(4.2, 4.2), layout="constrained")
axes = fig.add_subplot(aspect="equal")
edge = reach * 7 / 6
axes.imshow(tg.viz.grid(drawn, (0, 1), gutter=0), cmap="gray", extent=(-edge, edge, -edge, edge))
for i, name in enumerate("0134"):
    axes.plot(*way[:, i].T, color="#56B4E9", linewidth=1)
    axes.text(*way[-1, i], name, color="black", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "#E69F00"})
axes.set(xlabel="first number of the code", ylabel="second number of the code")
fig.savefig("lessons_out/05_plane.png", dpi=75)

# %% [markdown]
# Two things are missing. For a new image we would have to search for its code: an **autoencoder** has a second network,
# the *encoder*, that computes it. And nobody knows which codes give digits: a **VAE** (lesson 8) makes sure that all
# do. A **GAN** (lesson 9) has no codes for given images at all; it judges what it draws instead.

# %% [markdown]
# ## Three things to try
#
# 1. Learn ten images, one of each digit, from ten one-hot codes. With how many images does the network with 128 hidden
#    neurons begin to struggle?
# 2. Give the two-number codes only *one* number. Which images end up as neighbours?
# 3. Freeze the painter after training, and find the code of a fifth image (another 3, say): gradient descent on the
#    code alone, 200 steps of `tg.grad(mse(painter(code), image), code)`. Can it be drawn?
