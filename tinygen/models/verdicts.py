"""How D judges: the metrics that every GAN logs."""

from __future__ import annotations

from .. import kernels
from ..backend import array_module
from ..losses import GANLoss
from ..tensor import Tensor


def verdicts(game: GANLoss, real_score: Tensor, fake_score: Tensor) -> dict[str, Tensor]:
    """How D judged a real and a fake batch: its accuracy, and its mean verdict on each.

    The verdict is D's probability that an image is real, where the loss defines one, else its score. A critic's scores
    only rank images, so instead of an accuracy it has the gap E D(x) - E D(G(z)).
    """
    first, of_real, of_fake = kernels.verdicts(real_score.data, fake_score.data, game.threshold, game.probability)
    values = {"gap" if game.threshold is None else "acc": first, "D(x)": of_real, "D(G(z))": of_fake}
    return {name: Tensor(array_module(real_score).asarray(value)) for name, value in values.items()}
