"""The picture of piece 3, a network of the student's layers that learns a spiral; and the same network by tinygen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen import ops
from tinygen.colours import COLOURS
from tinygen.losses import cross_entropy
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.viz.plots import figure, write_png

TINYGENS = {"softplus": ops.softplus, "silu": lambda x: x * ops.sigmoid(x), "elu": ops.elu}
STEPS = 20, 100, 500


def draw(layer, folder: Path) -> list[Path]:
    """spiral.png: which arm the network sees where, after 20, 100 and 500 steps."""
    x, labels = spiral()
    place = np.linspace(-1.2, 1.2, 160)
    plane = np.stack(np.meshgrid(place, place), axis=-1).reshape(-1, 2)
    fig = figure(1080, 400)
    for axes, (step, loss, logits) in zip(fig.subplots(1, len(STEPS)), trained(ops_of(layer), x, labels, plane)):
        p = np.exp(layer.log_softmax(logits)).reshape(160, 160, 3)
        colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLOURS[:3]])
        axes.imshow(1 - 0.6 * (1 - p @ colours), origin="lower", extent=(-1.2, 1.2, -1.2, 1.2))
        axes.scatter(*x.T, c=[COLOURS[k] for k in labels], s=12, edgecolors="white", linewidths=0.4)
        axes.set_title(f"step {step}: loss {loss:.3f}", fontsize=11)
        axes.set(xticks=[], yticks=[])
    fig.suptitle(f"dense, {layer.ACTIVATION}, dense, {layer.ACTIVATION}, dense, cross entropy", fontsize=11)
    write_png(fig, folder / "spiral.png")
    return [folder / "spiral.png"]


def spiral():
    """Points (240, 2) on the three arms of a spiral, and which arm each is on."""
    rng = np.random.default_rng(0)
    labels, r = np.repeat([0, 1, 2], 80), np.tile(np.linspace(0.1, 1, 80), 3)
    angle = labels * 2 * np.pi / 3 + 4.5 * r + rng.normal(size=240) * 0.12
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1), labels


def trained(dense_activation_loss, x, labels, plane):
    """Train a network of three layers; yields (step, loss, logits of the plane) at STEPS."""
    dense, activation, loss_of = dense_activation_loss
    rng, sizes = np.random.default_rng(1), [2, 32, 32, 3]
    weights = [tg.Parameter(rng.normal(size=s) * (2 / s[0]) ** 0.5) for s in pairwise(sizes)]
    biases = [tg.Parameter(np.zeros(n)) for n in sizes[1:]]
    opt = tg.optim.Adam([*weights, *biases], lr=0.01)

    def network(x):
        for w, b in zip(weights[:-1], biases[:-1]):
            x = activation(dense(x, w, b))
        return dense(x, weights[-1], biases[-1])

    for step in range(1, STEPS[-1] + 1):
        loss = loss_of(network(x), labels)
        opt.step(tg.grad(loss, [*weights, *biases]))
        if step in STEPS:
            with tg.no_grad():
                yield step, loss.item(), network(plane).numpy()


def ops_of(layer):
    """dense, activation and loss: tinygen's own, or those of the student, with the student's gradients."""
    if layer is None:
        return ops.dense, TINYGENS["softplus"], cross_entropy
    known = set(PRIMITIVES)

    @primitive
    def own_dense(x, w, b):
        return layer.dense(x, w, b)

    @primitive
    def own_activation(x):
        return layer.activation(x)

    @primitive
    def own_loss(logits, labels):
        return np.asarray(layer.cross_entropy(layer.log_softmax(logits), labels))

    own_dense.joint(lambda gy, y, x, w, b: layer.dense_gradients(gy, x, w))
    own_activation.rules(lambda gy, y, x: layer.activation_gradient(gy, x))
    own_loss.rules(
        lambda gy, y, logits, labels: gy * layer.cross_entropy_gradient(layer.log_softmax(logits), labels), None
    )
    for name in PRIMITIVES.keys() - known:  # they are not tinygen's
        del PRIMITIVES[name]
    return own_dense, own_activation, own_loss


def numbers(layer=None):
    """A loss and some logits after 20 steps by tinygen's ops (with softplus), or by the student's functions."""
    x, labels = spiral()
    _, loss, logits = next(trained(ops_of(layer), x, labels, x[::40]))
    return {"loss": loss, "logits": logits}
