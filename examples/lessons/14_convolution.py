# %% [markdown]
# # 14. Convolution as a matrix product, and its transpose
#
# A convolution slides a small window over an image. A *transposed* convolution paints with it, and makes images larger:
# the generators of most GANs are made of them. Both are the same matrix, used from its two sides.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygen as tg
from tinygen import ops

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=3, suppress=True, linewidth=110)
rng = np.random.default_rng(0)

# %% [markdown]
# ## By loops
#
# Lay the kernel on the image, multiply the numbers that lie on top of each other, and add them up: that is one pixel of
# the result. Then move on by one pixel. (A 3x3 kernel fits into a 4x4 image in 2x2 places.)
#
# Images have four axes here: N examples, H rows, W columns, C channels. Kernels: KH, KW, channels in, channels out.

# %%
x = rng.integers(0, 4, (1, 4, 4, 1)).astype("float64")
w = np.arange(1.0, 10.0).reshape(3, 3, 1, 1)  # 1 to 9, so that we recognise them


def conv_by_loops(x, w):
    y = np.zeros((1, 2, 2, 1))
    for i in range(2):
        for j in range(2):
            window = x[0, i : i + 3, j : j + 3, 0]
            y[0, i, j, 0] = (window * w[:, :, 0, 0]).sum()
    return y


by_loops = conv_by_loops(x, w)
by_op = ops.conv2d(x, w)
print("by loops:", by_loops.ravel(), " ops.conv2d:", by_op.ravel())

# %% [markdown]
# A word about the word. In mathematics a *convolution* turns the kernel by 180° before it lies on the image. Without
# the turn, as here, the operation is a *cross-correlation*. All frameworks compute that and call it convolution, and so
# does tinygen. It hardly matters, as a kernel that is learnt is then learnt the other way round. In one dimension NumPy
# has both:

# %%
row, kernel = np.array([0.0, 1.0, 0.0, 0.0, 2.0, 0.0]), np.array([1.0, 2.0, 3.0])
row_by_op = ops.conv2d(row.reshape(1, 1, 6, 1), kernel.reshape(1, 3, 1, 1)).ravel()
print("np.convolve: ", np.convolve(row, kernel, "valid"), " turns the kernel")
print("np.correlate:", np.correlate(row, kernel, "valid"), " does not")
print("ops.conv2d:  ", row_by_op)

# %% [markdown]
# ## First way to a matrix: windows as rows
#
# Write each of the four windows as a row of nine numbers. Then the convolution is (4, 9) @ (9, 1). This is *im2col*,
# "image to columns", the textbook's fast convolution: matrix products are what computers do best.

# %%
windows = ops.im2col(x, (3, 3)).reshape(4, 9)
print("windows @ kernel:", (windows @ w.reshape(9, 1)).ravel())

# %% [markdown]
# The gradient of the kernel comes for free: by lesson 3, for a product `windows @ w` it is `windowsᵀ @ gy`.

# %%
gy = rng.normal(size=(1, 2, 2, 1))  # what arrives from the loss
X, W = tg.tensor(x, requires_grad=True), tg.tensor(w, requires_grad=True)
gx, gw = tg.grad(ops.conv2d(X, W), [X, W], gy)
gw_by_hand = windows.T @ gy.reshape(4, 1)
print("gw by tape:", gw.numpy().ravel())
print("by hand:   ", gw_by_hand.ravel())

# %% [markdown]
# ## Second way to a matrix: the image as one long vector
#
# A convolution is linear in the image, so with the 16 pixels in one row it *is* a matrix C (16, 4): `y = x @ C`.
# Which matrix? Row j of C is the result for an image that is 1 at pixel j and 0 elsewhere. Ask the convolution itself.

# %%
unit_images = np.eye(16).reshape(16, 4, 4, 1)
C = ops.conv2d(unit_images, w).reshape(16, 4)
print("x @ C:", x.reshape(1, 16) @ C)

# %%
fig, axes = plt.subplots(figsize=(6.4, 2.2), layout="constrained")
axes.imshow(C.T, cmap="Oranges", vmin=0, vmax=14)
for i, j in np.ndindex(4, 16):
    axes.text(j, i, f"{C[j, i]:g}" if C[j, i] else "·", ha="center", va="center", fontsize=9)
for j in (3.5, 7.5, 11.5):
    axes.axvline(j, color="black", linewidth=0.8)
axes.set(xticks=range(16), yticks=range(4), xlabel="pixel of the image, row by row", ylabel="pixel of the result")
axes.set_title("Cᵀ: the kernel's three rows, shifted: the same nine numbers in each line", fontsize=10)
fig.savefig("lessons_out/14_matrix.png", dpi=80)

# %% [markdown]
# Much of C is 0 (each result sees 9 of 16 pixels), and the rest repeats nine numbers. A dense layer from 28x28 to 28x28
# has 614,656 weights; a 3x3 convolution between the same images has 9.
#
# ## The transpose
#
# For `y = x @ C` the gradient of x is `gx = gy @ Cᵀ`. So: **a convolution's backward is a product with Cᵀ**. It takes
# 2x2 numbers and gives 4x4. Run it *forwards*, as a layer of its own, and you have the transposed convolution.

# %%
by_matrix = gy.reshape(1, 4) @ C.T
by_transpose = ops.conv_transpose2d(gy, w)
print("gx by tape:      ", gx.numpy().ravel()[:6], "...")
print("gy @ Cᵀ:         ", by_matrix.ravel()[:6], "...")
print("conv_transpose2d:", by_transpose.ravel()[:6], "...")

# %% [markdown]
# What it does is easy to see: each pixel of gy *stamps* the kernel, times its own value, onto a larger image, and
# overlapping stamps are added. (Lesson 2: a pixel of x was used in several windows, so its gradients are summed.)
#
# So here the kernel appears the other way round: *this* is the convolution of mathematics. Put zeros around gy, and
# slide the turned kernel over it; the result is the same.

# %%
padded = np.pad(gy, ((0, 0), (2, 2), (2, 2), (0, 0)))
by_turned_kernel = ops.conv2d(padded, w[::-1, ::-1])
print("stamping w against sliding w turned by 180°: largest difference", np.abs(by_turned_kernel - by_transpose).max())

# %% [markdown]
# Transposed does not mean inverse: `x @ C @ Cᵀ` is not x. What holds is the mirror rule of lesson 2,
# `⟨gy, x @ C⟩ = ⟨gy @ Cᵀ, x⟩`.

# %%
print(f"⟨gy, conv(x)⟩ = {(gy * by_op).sum():.6f}   ⟨convᵀ(gy), x⟩ = {(by_transpose * x).sum():.6f}")
print("x:          ", x.ravel())
print("x @ C @ Cᵀ:", (x.reshape(1, 16) @ C @ C.T).ravel())

# %% [markdown]
# ## Stride 2: smaller, and larger
#
# With stride 2 the window moves two pixels at a time: 28x28 becomes 14x14. The discriminator shrinks images that way.
# The transposed one puts its stamps two pixels apart: 14x14 becomes 28x28. The generator grows images that way.

# %%
digit = tg.data.load("digits").train[1:2].astype("float32") / 255
edges = np.zeros((3, 3, 1, 2), "float32")
edges[:, :, 0, 0] = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]  # bright below, dark above
edges[:, :, 0, 1] = edges[:, :, 0, 0].T  # bright on the right, dark on the left
seen = ops.conv2d(digit, edges, padding="same")
smaller = ops.conv2d(digit, edges, stride=2, padding="same")
print("stride 1:", seen.shape, " stride 2:", smaller.shape, end="")
print("  transposed, stride 2:", ops.conv_transpose2d(smaller, edges, stride=2, padding="same").shape)

# %% [markdown]
# Where stamps overlap unevenly, a pattern appears. Paint with a stamp of ones on an even grey: with a kernel of 3 and a
# stride of 2 some pixels are stamped once, some twice, some four times. With a kernel of 4 every pixel is stamped
# equally often (except at the border). That is the chequerboard in many GANs' images (Odena et al. 2016), and the
# reason to choose kernel sizes that the stride divides.

# %%
grey = np.ones((1, 6, 6, 1), "float32")
counts = {k: ops.conv_transpose2d(grey, np.ones((k, k, 1, 1), "float32"), stride=2)[0, :, :, 0] for k in (3, 4)}
dot = np.zeros((1, 6, 6, 1), "float32")
dot[0, 2, 1], dot[0, 2, 2] = 1, 0.5
stamp = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]], "float32").reshape(3, 3, 1, 1)
stamped = ops.conv_transpose2d(dot, stamp, stride=2)[0, :, :, 0]

blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["#0072B2", "white", "#D55E00"])
fig, panels = plt.subplots(2, 3, figsize=(6.4, 4.4), layout="constrained")
pictures = [
    (digit[0, :, :, 0], "a digit", "gray"),
    (seen[0, :, :, 0], "edges: bright below dark", blue_to_orange),
    (smaller[0, :, :, 1], "stride 2: bright right of dark", blue_to_orange),
    (stamped, "two neighbours, stamped", "gray"),
    (counts[3], "stamps a pixel: kernel 3, stride 2", "gray"),
    (counts[4], "stamps a pixel: kernel 4, stride 2", "gray"),
]
for axes, (picture, title, colours) in zip(panels.ravel(), pictures, strict=True):
    limit = np.abs(picture).max()
    axes.imshow(picture, cmap=colours, vmin=0 if colours == "gray" else -limit, vmax=limit)
    axes.set_title(title, fontsize=8)
    axes.set(xticks=[], yticks=[])
fig.savefig("lessons_out/14_windows_and_stamps.png", dpi=80)
print("kernel 3, inside:", np.unique(counts[3][2:-2, 2:-2]), " kernel 4, inside:", np.unique(counts[4][2:-2, 2:-2]))

# %% [markdown]
# ## Closed under differentiation
#
# The gradient of x is a transposed convolution. The gradient of w is a third operation, `conv2d_weight_grad`. And the
# gradients of these? The same three again. So convolutions can be differentiated as often as you like.

# %%
report = tg.gradcheck(lambda x, w: ops.conv2d(x, w, stride=2, padding="same"), [x, w], order=3)
print(report)

# %% [markdown]
# ## Three things to try
#
# 1. Find a 3x3 kernel that moves the image one pixel to the right. Which one moves it back?
# 2. Compute C for stride 2 (`ops.conv2d(unit_images, w, stride=2, padding="same")`). How many rows and columns does it
#    have now, and what does its picture look like?
# 3. Learn a kernel: draw w at random, and minimise `mse(conv2d(digit, w, padding="same"), seen[..., :1])` by gradient
#    descent on w alone. Do you get the edge detector back?
