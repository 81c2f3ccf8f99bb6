"""The auxiliary-classifier GAN: Odena et al. 2017. D isn't given the class of an example; it has to predict it.

    L_S = E log P(real | x) + E log P(fake | G(z, y))      (eq. 2)
    L_C = E log P(y | x) + E log P(y | G(z, y))            (eq. 3)

D raises L_S + w L_C, and G raises w L_C - L_S, so both gain when the class is recognisable. D's last layer gives the
score of an example and, beside it, the logits of its class. Fakes are given the labels of the real batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from .. import layers
from ..backend import Array
from ..fields import NonNegative
from ..losses import cross_entropy
from ..random import Generator
from ..tensor import Tensor
from .cgan import CGAN, CGANConfig
from .gan import plane
from .networks import elements, initial, mlp
from .steps import Loss


@dataclass(frozen=True)
class ACGANConfig(CGANConfig):
    """The hyperparameters: the conditional GAN's, and one more."""

    class_weight: Annotated[NonNegative, "w, the weight of the classes in both losses; 1 in the paper"] = 1.0


class ACGAN(CGAN):
    """A GAN of dense layers that draws a given class; D classifies, too.

    >>> model = tg.models.ACGAN(tg.models.ACGANConfig(classes=10))
    >>> model.sample(4, labels=np.arange(4)).shape
    (4, 28, 28, 1)
    """

    name = "acgan"
    Config: ClassVar[type] = ACGANConfig
    presets: ClassVar = {"plane": plane(3000, label_width=8, r1=0.0)}
    labelled = ("G", "G_mean")

    def discriminator(self, rng: Generator) -> list[layers.Module]:
        """The layers of D: (N, *data_shape) to (N, 1 + classes), the score and the logits of the classes."""
        c = self.config
        widths = (elements(c.data_shape), *c.d_hidden, 1 + c.classes)
        return [layers.Flatten(), *mlp(widths, c.d_activation, "linear", c.slope, None, **initial(c, rng))]

    def loss_D(self, x: Array, fake: Tensor, *y: Array) -> Loss:
        """-L_S - w L_C."""
        x, w = self.augmented(x), self.config.class_weight
        real, made = self.judge(x, self.augmented(fake))
        real_score, fake_score = real[:, :1], made[:, :1]
        value = self.loss_of_scores(real_score, fake_score, x, *y)
        value = value + w * (self.loss_C(real, *y) + self.loss_C(made, *y))
        return Loss(value, named={"D(x)": real_score, "D(G(z))": fake_score})

    def loss_G(self, fake: Tensor, *y: Array) -> Loss:
        """w L_C - L_S, with L_S in the form of the chosen GAN loss; loss_C alone is a metric."""
        made = self.D(self.augmented(fake))
        score, loss_C = made[:, :1], self.loss_C(made, *y)
        value = self.game.G(score) + self.config.class_weight * loss_C
        return Loss(value, {"loss_C": loss_C.detach()}, {"D(G(z))": score})

    def loss_C(self, made: Any, y: Array) -> Any:
        """-E log P(y | x), given D's output for x."""
        return cross_entropy(made[:, 1:], y)

    def score(self, x: Any, *y: Array) -> Any:
        """D's score alone; the labels are ignored."""
        return self.D(x)[:, :1]
