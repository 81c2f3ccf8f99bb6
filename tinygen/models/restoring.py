"""What models share that restore images: a true image x, what is left of it, and two ways back to it.

degrade(x)              what is left: fewer pixels, or a hole
translate(degrade(x))   restored by the model
plain(degrade(x))       restored by the simplest means: what the model must be better than
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .. import losses, ops
from ..backend import Array
from ..parallel import mean
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor, tensor
from .average import AveragedG
from .collapse import Recent, Sign

COLUMNS = 4  # of the sample picture: what is left, restored plainly, restored, true


class Restoring(AveragedG):
    """A model with degrade(), translate() and plain(), whose images lie from 0 to 1."""

    value_range = (0.0, 1.0)
    columns = COLUMNS

    def reconstruct(self, x: Array) -> Array:
        """Images x, degraded and restored."""
        return self.translate(self.degrade(x))

    @no_grad()
    def preview(self, x: Array, n: int, rng: Generator | None = None) -> Array:
        """Rows of what is left of an image, in its own size, what plain() and translate() make of it, and the image."""
        x = x[: max(n // COLUMNS, 1)]
        z = self.degrade(x)
        rows = ops.stack([ops.resize(z, x.shape[1:3]), self.plain(z), self.translate(z), x], 1)
        return rows.reshape(-1, *x.shape[1:])

    @no_grad()
    def likeness(self, error: Any, z: Array, x: Array) -> dict[str, Tensor]:
        """The metrics of a step: the PSNR for this mean squared error of restored images, and that of plain(z)."""
        return {"psnr": psnr(error), "psnr_plain": psnr(losses.mse(self.plain(z), x))}

    def signs(self, recent: Recent) -> Iterator[Sign]:
        """Those of its game, if it has one, and images that are restored worse than by the simplest means."""
        yield from super().signs(recent)
        last = recent.rows[-1]
        if all(row.get("psnr", math.inf) < row.get("psnr_plain", -math.inf) for row in recent.rows):
            evidence = f"the PSNR is {last['psnr']:.1f} dB, and {last['psnr_plain']:.1f} dB by the simplest means"
            remedy = "a lower lr, more steps down the pixels' error alone before the game, or a smaller weight of it"
            yield Sign("restored worse than plainly", evidence, remedy)


def psnr(error: Any) -> Tensor:
    """-10 log₁₀ of a mean squared error of images from 0 to 1, in dB."""
    return tensor(ops.log(mean(error)) * (-10 / math.log(10)))
