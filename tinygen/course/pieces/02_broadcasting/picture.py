"""The picture of piece 2, a digit found in noisy photos with the student's gradients; and the same fit by tinygen."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen import ops, tape
from tinygen.colours import COLOURS
from tinygen.data import load
from tinygen.viz.plots import figure, write_png

LEAST = 0.03  # added to the squared error: else s of one photo would go to 0, and w become that photo


def draw(broadcasting, folder: Path) -> list[Path]:
    """photos.png: each photo with the e and s found for it, and the true ones; the mean photo, w, and the digit."""
    photos, digit, exposure, noise = taken()
    with rules_of(broadcasting):
        w, e, s = fit(photos, 300)
    scale = (w * digit).sum() / (digit**2).sum()  # of w: e could as well be twice and w half as large
    fig = figure(980, 620)
    left, right = fig.subfigures(1, 2, width_ratios=[3, 2])
    found = zip(e.ravel() * scale, exposure.ravel(), s.ravel(), noise.ravel())
    for axes, photo, values in zip(left.subplots(4, 4).flat, photos, found):
        axes.imshow(photo, cmap="gray", vmin=-0.5, vmax=2)
        axes.set_title("e {:.2f} ({:.2f})\ns {:.2f} ({:.2f})".format(*values), fontsize=8)
        axes.axis("off")
    left.suptitle("photos: exposure e and noise s as found (as they were)", fontsize=11)
    images = {"the mean photo": photos.mean(0) / exposure.mean(), "w": w / scale, "the digit": digit}
    for axes, (title, image) in zip(right.subplots(3, 1), images.items()):
        axes.imshow(image, cmap="gray", vmin=-0.25, vmax=1.1)
        axes.set_title(title, fontsize=11, color=COLOURS[0] if title == "w" else "black")
        axes.axis("off")
    write_png(fig, folder / "photos.png")
    return [folder / "photos.png"]


def taken():
    """Sixteen photos (16, 28, 28) of one digit; the digit, the exposures and the noise they were taken with."""
    rng = np.random.default_rng(0)
    digit = load("digits").train[7, :, :, 0] / 255
    exposure, noise = rng.uniform(0.3, 2, (16, 1, 1)), rng.uniform(0.2, 1.5, (16, 1, 1))
    return digit * exposure + noise * rng.normal(size=(16, 28, 28)), digit, exposure, noise


def fit(photos, steps):
    """w, e and s at which the photos are most likely, if each is w * e with noise of standard deviation s."""
    w, e, s = (tg.Parameter(np.ones(shape)) for shape in ((28, 28), (16, 1, 1), (16, 1, 1)))
    opt = tg.optim.Adam([w, e, s], lr=0.03)
    for _ in range(steps):
        off = (w * e - photos) / s
        loss = (off**2 + LEAST / s**2).mean() / 2 + ops.log(s**2).mean() / 2
        opt.step(tg.grad(loss, [w, e, s]))
    return w.numpy(), e.numpy(), s.numpy()


@contextmanager
def rules_of(broadcasting):
    """The student's three functions in place of tinygen's own."""
    if broadcasting is None:
        yield
        return
    own = tape.sum_to, ops.multiply.op.rules, ops.divide.op.rules
    multiply, divide = broadcasting.multiply_gradients, broadcasting.divide_gradients
    try:
        tape.sum_to = broadcasting.sum_to
        ops.multiply.rules(
            lambda gy, y, a, b: multiply(gy, a, b, broadcasting.sum_to)[0],
            lambda gy, y, a, b: multiply(gy, a, b, broadcasting.sum_to)[1],
        )
        ops.divide.rules(
            lambda gy, y, a, b: divide(gy, a, b, broadcasting.sum_to)[0],
            lambda gy, y, a, b: divide(gy, a, b, broadcasting.sum_to)[1],
        )
        yield
    finally:
        tape.sum_to, multiply, divide = own
        ops.multiply.rules(*multiply)
        ops.divide.rules(*divide)


def numbers(broadcasting=None):
    """w, e and s after ten steps by tinygen's rules, or by the student's."""
    with rules_of(broadcasting):
        return dict(zip("wes", fit(taken()[0], 10)))
