"""The pictures of piece 7, by the student's convolutions; and a GAN's numbers by tinygen's convolutions or theirs."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen import kernels
from tinygen.course.games import film, save_digits, train_step
from tinygen.layers import BatchNorm, Conv, ConvTranspose, Dense, Flatten, LeakyReLU, Reshape, Sequential, Tanh

STEPS, EVERY, SECONDS = 400, 20, 120
FOUR = {"kernel_size": 4, "stride": 2, "padding": 1}  # halves or doubles an image
EDGES = {
    "edges between columns": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "edges between rows": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
}


def draw(convolution, folder: Path) -> list[Path]:
    """convolution.png: a border, two kernels, and overlaps.  film.gif: a GAN of the student's convolutions."""
    return [draw_parts(convolution, folder / "convolution.png"), draw_film(convolution, folder / "film.gif")]


def draw_parts(convolution, path: Path) -> Path:
    """A digit with its border and its edges; the number of windows that each pixel of a larger image is in."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    x = tg.data.load("digits").train[7:8, 4:24, 4:24].astype(float) / 255
    rows, columns = (convolution.border(n, 8) for n in x.shape[1:3])
    padded = convolution.pad(x, rows, columns)
    fig = Figure(figsize=(10, 6.8), dpi=100, layout="constrained")
    above, below = fig.subplots(2, 3)
    above[0].imshow(padded[0, :, :, 0], cmap="gray")
    above[0].add_patch(Rectangle((7.5, 7.5), 20, 20, fill=False, edgecolor="#D55E00", linewidth=2))
    above[0].set_title(f"part of a digit in your border: {convolution.PADDING}")
    for axes, (name, kernel) in zip(above[1:], EDGES.items()):
        w = np.array(kernel, float)[:, :, None, None]
        y = convolution.conv(convolution.im2col(padded, 3, 3, 1), w)
        axes.imshow(y[0, :, :, 0], cmap="gray", vmin=-4, vmax=4)
        axes.set_title(name)
    for axes, size in zip(below, (3, 4, 5)):
        H = 6 * 2 + size
        count = convolution.col2im(np.ones((1, 7, 7, size, size, 1)), H, H, 2)[0, :, :, 0]
        axes.imshow(count, cmap="viridis", vmin=0, vmax=9)
        for i, j in np.ndindex(H, H):
            colour = "black" if count[i, j] > 5 else "white"
            axes.text(j, i, f"{count[i, j]:.0f}", ha="center", va="center", fontsize=6, color=colour)
        axes.set_title(f"windows at each pixel: {size} x {size}, stride 2")
    for axes in (*above, *below):
        axes.set_axis_off()
    fig.savefig(path)
    return path


def draw_film(convolution, path: Path) -> Path:
    """A small DCGAN learns digits by the student's convolutions; it ends early if they take long."""
    digits = tg.data.load("digits")
    loader = tg.data.Loader(digits.train, batch=32, value_range=(-1, 1), rng=tg.Generator(7, "batches"))
    tg.seed(7)
    G = Sequential(
        *(Dense(32, 7 * 7 * 32), Reshape((7, 7, 32)), BatchNorm(32, momentum=0.8), LeakyReLU(0.2)),
        *(ConvTranspose(32, 16, **FOUR), BatchNorm(16, momentum=0.8), LeakyReLU(0.2)),
        *(ConvTranspose(16, 1, **FOUR), Tanh()),
    )
    D = Sequential(
        *(Conv(1, 16, **FOUR), LeakyReLU(0.2), Conv(16, 32, **FOUR), LeakyReLU(0.2)),
        *(Flatten(), Dense(7 * 7 * 32, 1)),
    )
    opt_G = tg.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.999))
    opt_D = tg.optim.Adam(D.parameters(), lr=5e-4, betas=(0.5, 0.999))
    noise, z = tg.Generator(7, "noise"), tg.Generator(7, "shown").normal((32, 32))
    with transplanted(convolution):
        return film(
            path,
            STEPS,
            range(0, STEPS + 1, EVERY),
            lambda: train_step(G, D, opt_G, opt_D, loader.next_batch(), noise),
            lambda frame, step: save_digits(G, z, frame),
            SECONDS,
        )


@contextmanager
def transplanted(convolution):
    """The student's functions in place of tinygen's kernels, for square strides and a padding alike on all sides."""
    own = kernels.conv2d, kernels.conv_transpose2d, kernels.conv2d_weight_grad

    def conv2d(x, w, stride, padding):
        return convolution.conv(windows(x, w.shape[:2], stride, padding), w).astype(x.dtype)

    def conv_transpose2d(gy, w, stride, padding, size):
        return convolution.conv_transpose(gy, w, stride[0], padding[0][0], convolution.col2im).astype(gy.dtype)

    def conv2d_weight_grad(x, gy, kernel_size, stride, padding):
        return convolution.conv_grad(gy, windows(x, kernel_size, stride, padding)).astype(x.dtype)

    def windows(x, kernel_size, stride, padding):
        return convolution.im2col(np.pad(x, ((0, 0), *padding, (0, 0))), *kernel_size, stride[0])

    kernels.conv2d, kernels.conv_transpose2d, kernels.conv2d_weight_grad = conv2d, conv_transpose2d, conv2d_weight_grad
    try:
        yield
    finally:
        kernels.conv2d, kernels.conv_transpose2d, kernels.conv2d_weight_grad = own


def numbers(convolution=None):
    """What a small GAN of convolutions has after 5 steps, and a border's gradient, by tinygen or by the student."""
    if convolution is None:
        return trained() | bordered(None)
    with transplanted(convolution):
        return trained() | bordered(convolution)


def trained():
    tg.seed(7)
    wide = {"dtype": "float64"}
    G = Sequential(Dense(3, 4 * 4 * 3, **wide), Reshape((4, 4, 3)), LeakyReLU(), ConvTranspose(3, 2, **FOUR, **wide))
    D = Sequential(Conv(2, 4, **FOUR, **wide), LeakyReLU(), Flatten(), Dense(4 * 4 * 4, 1, **wide))
    opt_G, opt_D = (tg.optim.SGD(network.parameters(), lr=0.1) for network in (G, D))
    batches, noise = tg.Generator(7, "batches"), tg.Generator(7, "noise")
    for _ in range(5):
        losses = train_step(G, D, opt_G, opt_D, batches.normal((4, 8, 8, 2), dtype="float64"), noise)
    kernels_after = {"G's kernel": G[3].w, "D's kernel": D[0].w}
    return {"D's loss": losses[0], "G's loss": losses[1]} | {
        name: float(np.abs(w.numpy()).sum()) for name, w in kernels_after.items()
    }


def bordered(convolution):
    """How the student's border differs from tinygen's of the same kind; a gradient that comes back through a border."""
    rng = tg.Generator(7, "border")
    x, g = rng.normal((2, 4, 5, 1), dtype="float64"), rng.normal((2, 8, 9, 1), dtype="float64")
    widths = (0, 0), (2, 2), (2, 2), (0, 0)
    inside = tg.tensor(x, requires_grad=True)
    gx = tg.grad((tg.ops.pad(inside, widths, "reflect") * g).sum(), inside).numpy()
    off = 0.0
    if convolution is not None:
        rows, columns = ([2, 1, *range(n), n - 2, n - 3] for n in x.shape[1:3])
        gx = convolution.pad_grad(g, np.array(rows), np.array(columns), *x.shape[1:3])
        own = convolution.pad(x, *(convolution.border(n, 2) for n in x.shape[1:3]))
        off = float(np.abs(own - tg.ops.pad(x, widths, convolution.PADDING)).sum())
    return {"the border less tinygen's": off, "a border's gradient": float(np.abs(gx).sum())}
