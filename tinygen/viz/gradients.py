"""What D's gradient tells G to change: -dL_G/dx over each of G's images, or as an arrow at each of its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, to_host
from ..colours import COLOURS
from ..errors import ConfigError
from ..gradients import grad
from ..models.base import Model
from ..models.probe import undisturbed
from ..scopes import frozen
from ..tensor import Tensor
from .images import finite_range, grid, sheet_figure
from .points import scatter
from .tiles import GUTTER_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 8
FADED = 0.35  # how much of an image shows below its gradient
FULL = 99.5  # percentile of |gradient| at which a colour is full
BLUE, RED = (np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in COLOURS[:2])


def pixel_gradients(model: Any, z: Array, labels: Any = None) -> Figure:
    """G's images of latents z, and below each the direction in which L_G falls, -dL_G/dpixel, on the faded image.

    Red: the pixel should be brighter; blue: darker; all on one scale. For points in the plane, arrows. labels: for a
    model that learns classes. G is as in `sample`, D as in training but without dropout; the run is not affected.
    Raises ConfigError for a model without a discriminator.

    >>> model = tg.models.GAN()
    >>> tg.viz.pixel_gradients(model, model.noise(4)).savefig("gradients.png")
    """
    fake, push = _push(model, z, labels)
    if fake.shape[1:] == (2,):
        fig = scatter(fake)
        fig.axes[0].quiver(*fake.T, *push.T, color=COLOURS[1], width=0.004)
        return fig
    if fake.ndim == 4 and fake.shape[-1] in (1, 3):
        images = grid_bytes(fake, model.value_range)
        over = _coloured(images, push.mean(axis=-1))
    else:  # can't be coloured: the gradient by itself, with 0 in the middle
        full = float(np.abs(np.nan_to_num(push)).max()) or 1.0
        images, over = grid_bytes(fake, model.value_range or finite_range(fake)), grid_bytes(push, (-full, full))
    columns = min(COLUMNS, len(images))
    blank = np.full((-len(images) % columns, *over.shape[1:]), GUTTER_GREY, np.uint8)
    rows = [np.concatenate([x, blank]).reshape(-1, columns, *over.shape[1:]) for x in (images, over)]
    both = np.stack(rows, axis=1).reshape(-1, *over.shape[1:])
    return sheet_figure(both, None, columns, ["G(z)", "-∂L/∂x"] * (len(both) // (2 * columns)))


def _push(model: Any, z: Array, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """G(z) and -dL_G/dG(z)."""
    if not isinstance(model, Model) or model.game is None:
        raise ConfigError(f"pixel_gradients: {getattr(model, 'name', model)} has no discriminator; give a GAN")
    y = [model.labels_for(len(z), labels)] if model.takes_labels else []
    with undisturbed(model), frozen(model):
        fake = Tensor(model.draw(z, *y)).requires_grad_()
        push = -grad(model.loss_G(fake, *y).value, fake)
    return to_host(fake.data), to_host(push.data)


def grid_bytes(images: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """The tiles of images in colour, (N, H, W, 3) uint8."""
    sheet = grid(images, value_range, columns=1, gutter=0)
    tiles = sheet.reshape(len(images), len(sheet) // len(images), sheet.shape[1], -1)
    return np.broadcast_to(tiles, (*tiles.shape[:3], 3))


def _coloured(images: np.ndarray, push: np.ndarray) -> np.ndarray:
    """The images faded, with red where push > 0 and blue where push < 0."""
    size = np.abs(np.nan_to_num(push))
    full = np.percentile(size, FULL) or size.max() or 1.0
    share = (size / full).clip(0, 1)[..., None]
    colour = np.where(push[..., None] > 0, RED, BLUE)
    return np.rint((255 - FADED * (255 - images.astype(float))) * (1 - share) + colour * share).astype(np.uint8)
