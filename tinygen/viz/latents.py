"""Pictures of a model's latents: where its codes lie, and what the decoder draws elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, to_device, to_host
from ..colours import COLOURS
from ..errors import ConfigError
from ..losses import gaussian_kls
from ..models.base import has
from ..random import Generator
from .images import made_figure, sheet_figure
from .plots import figure, tidy, write_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LABELS = 20  # more are too many for a legend and for distinct colours


def latent_plane(model: Any, x: Array, labels: Array | None = None) -> Figure:
    """The codes of examples x in the plane of a model's two latents, coloured by label, if given.

    >>> model, digits = tg.models.VAE(tg.models.VAEConfig(latent_dim=2)), tg.data.load("digits")
    >>> x, labels = tg.data.batch_of(digits.test[:50], model.value_range, digits.test_labels[:50])
    >>> tg.viz.latent_plane(model, x, labels).savefig("plane.png")
    """
    codes = to_host(model.codes(x))
    kinds = np.unique(to_host(labels)) if labels is not None else np.empty(0)
    fig = figure(640, 560)
    axes = fig.add_subplot(xlabel="first latent", ylabel="second latent", aspect="equal", adjustable="datalim")
    if not 0 < len(kinds) <= MOST_LABELS:
        axes.scatter(codes[:, 0], codes[:, 1], s=9, color=COLOURS[0], alpha=0.7, linewidths=0)
    else:
        for kind, colour in zip(kinds, _colours(len(kinds)), strict=True):
            u, v = codes[to_host(labels) == kind].T
            axes.scatter(u, v, s=9, color=colour, alpha=0.8, linewidths=0, label=str(kind))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, markerscale=2.5)
    tidy(axes)
    return fig


def manifold(model: Any, x: Array, labels: Array | None = None, side: int = 20) -> Figure:
    """The decoder's output on a grid of side x side points of a model's two latents: the first grows to the right, the
    second upwards. `model.plane(x, side)` gives the points; labels are ignored.

    >>> model = tg.models.VAE(tg.models.VAEConfig(latent_dim=2))
    >>> tg.viz.manifold(model, np.zeros((1, 28, 28, 1), np.float32), side=5).savefig("manifold.png")
    """
    images = to_host(model.decode(model.plane(x, side)))
    return made_figure(images, model.value_range, side, gutter=0)


def traversals(model: Any, x: Array, labels: Array | None = None, columns: int = 11, reach: float = 2.0) -> Figure:
    """A row for each latent, which goes from -reach to reach while the others stay at mu of the first example.

    Rows are sorted by the KL of their latent, in nats, mean over x. A latent with KL 0 carries no information, and its
    row does not change. Labels are ignored.

    >>> model, digits = tg.models.VAE(tg.models.VAEConfig(latent_dim=3)), tg.data.load("digits")
    >>> x = tg.data.batch_of(digits.test[:5], model.value_range)
    >>> tg.viz.traversals(model, x, columns=5).savefig("traversals.png")
    """
    mu, logvar = (to_host(a) for a in model.posterior(x))
    kl: Array = gaussian_kls(mu, logvar)  # of arrays, an array
    order = np.argsort(-kl)
    z = np.tile(mu[0], (len(order), columns, 1))
    for row, latent in enumerate(order):
        z[row, :, latent] = np.linspace(-reach, reach, columns)
    images = to_host(model.decode(to_device(z.reshape(-1, z.shape[-1]))))
    rows = [f"z{latent}\n{kl[latent]:.2f}" for latent in order]
    return sheet_figure(images, model.value_range, columns, rows)


def style_mixing(
    model: Any, x: Array | None = None, labels: Array | None = None, side: int = 6, layers: int | None = None
) -> Figure:
    """A row for each image at the left, a column for each image at the top: where they meet, the image with the styles
    of the left one in the first layers (by default, in half of them) and those of the top one in the rest.

    For models with styles: Karras et al. 2019, figure 3. x and labels are ignored.

    >>> model = tg.models.StyleGAN(tg.models.StyleGANConfig(data_shape=(8, 8, 3)))
    >>> tg.viz.style_mixing(model, side=2).savefig("styles.png")
    """
    w = to_host(model.styles(model.noise(2 * side, Generator(0, "style mixing"))))
    left, top, n = w[:side], w[side:], model.parts[1].styles
    first = (np.arange(n) < (n // 2 if layers is None else layers))[:, None]
    mixed = np.where(first, left[:, None, None], top[None, :, None]).reshape(side * side, n, -1)
    images, sources = (to_host(model.synthesise(to_device(a.astype(np.float32)))) for a in (mixed, w))
    sheet = np.ones((side + 1, side + 1, *images.shape[1:]), images.dtype)
    sheet[1:, 1:] = images.reshape(side, side, *images.shape[1:])
    sheet[1:, 0], sheet[0, 1:] = sources[:side], sources[side:]
    return made_figure(sheet.reshape(-1, *images.shape[1:]), model.value_range, side + 1)


def latent_walk(
    model: Any,
    x: Array | None = None,
    rows: int = 4,
    columns: int = 9,
    labels: Any = None,
    rng: Generator | None = None,
) -> Figure:
    """A row for each walk: the model's examples on the way from one latent to another.

    Without x, between draws of N(0, 1), along an arc of about equally likely points (White 2016, "Sampling
    Generative Networks", section 2.1). With x, on straight lines between the codes of examples 0 and 1, 2 and 3, ...
    labels: a class for each row, if the model learns classes.  Training is not affected. Raises ConfigError
    without x for a model whose latents can't be drawn.

    >>> tg.viz.latent_walk(tg.models.VAE(), rows=2).savefig("walk.png")
    """
    t = np.linspace(0, 1, columns)[:, None]
    if x is not None:
        ends = to_host(model.codes(x))[: len(x) // 2 * 2].reshape(len(x) // 2, 2, 1, -1)
        z = ends[:, 0] * (1 - t) + ends[:, 1] * t
    elif has(model, "noise"):
        ends = to_host(model.noise(2 * rows, rng or Generator(0, "walk", "cpu"))).reshape(rows, 2, 1, -1)
        z = _arc(ends[:, 0], ends[:, 1], t)
    else:
        raise ConfigError(f"latent_walk: {model.name} has no latents to draw; give examples x, to walk between codes")
    y = [model.labels_for(len(z), labels).repeat(columns)] if has(model, "labels_for") else []
    latents = to_device(z.reshape(-1, z.shape[-1]).astype(np.float32))
    images = to_host(model.draw(latents, *y) if has(model, "draw") else model.decode(latents))
    return made_figure(images, model.value_range, columns)


def _arc(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """sin((1 - t) Ω)/sin Ω · a + sin(t Ω)/sin Ω · b, where Ω is the angle between a and b; straight if Ω is 0 or π."""
    cosine = (a * b).sum(-1, keepdims=True) / np.linalg.norm(a, axis=-1, keepdims=True)
    angle = np.arccos((cosine / np.linalg.norm(b, axis=-1, keepdims=True)).clip(-1, 1))
    straight = np.sin(angle) < 1e-4
    sine = np.where(straight, 1.0, np.sin(angle))
    from_a = np.where(straight, 1 - t, np.sin((1 - t) * angle) / sine)
    return from_a * a + np.where(straight, t, np.sin(t * angle) / sine) * b


def _colours(n: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["tab10" if n <= 10 else "tab20"](range(n))


DRAWINGS: dict[str, Callable[..., Figure]] = {
    "latent_plane": latent_plane,
    "manifold": manifold,
    "style_mixing": style_mixing,
    "traversals": traversals,
}


def save_drawing(name: str, model: Any, x: Array, labels: Array | None, path: str | os.PathLike[str]) -> None:
    """Write the drawing of that name as a PNG file. Raises OSError, and leaves the old file, if it can't.

    >>> model = tg.models.VAE(tg.models.VAEConfig(latent_dim=2))
    >>> sorted(tg.viz.DRAWINGS)
    ['latent_plane', 'manifold', 'style_mixing', 'traversals']
    >>> tg.viz.save_drawing("manifold", model, np.zeros((1, 28, 28, 1), np.float32), None, "manifold.png")
    """
    write_png(DRAWINGS[name](model, x, labels), path)
