"""The mean of a model's weights over its training, as a callback: for any model, without an effect on its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..backend import Array
from ..checks import number
from ..errors import ConfigError
from ..models.average import Average
from ..scopes import no_grad
from ..settings import did_you_mean
from .callbacks import Callback

if TYPE_CHECKING:
    from ..models.base import Model
    from .run import RunDirectory


class EMA(Callback):
    """mean ← d · mean + (1 - d) · weights after each step, of a whole model or of one of its networks.

    decay: d, from 0 to 1; smaller at first, see models.average.  network: "G", say, by default all of the model.
    `with ema.applied():` gives the model the means, which are in the checkpoints too. The GANs' own `ema` is the
    same for G, and they sample with it. Raises ConfigError for an invalid decay or an unknown network.

    >>> model = tg.models.VAE()
    >>> ema = tg.train.EMA(0.999)
    >>> history = tg.fit(model, tg.data.load("digits"), steps=2, callbacks=[ema], progress=False)
    >>> with ema.applied():
    ...     print(model.sample(1).shape)
    (1, 28, 28, 1)
    """

    def __init__(self, decay: float, network: str | None = None):
        self.decay, self.network = number("EMA", "decay", decay, 0, 1), network

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        networks = dict(model.named_children())
        if self.network is not None and self.network not in networks:
            raise ConfigError(
                f"EMA: {model.name} has no network {self.network!r}{did_you_mean(self.network, networks)}; "
                f"it has {', '.join(networks)}"
            )
        self._watched = model if self.network is None else networks[self.network]
        self.mean = Average(self._watched, self.decay)

    def on_step(self, step: int, metrics: dict[str, Any]) -> None:
        self.mean.update(self._watched, step)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the means instead of the weights for the length of a block; then the weights are restored exactly."""
        weights = [(t, t.data.copy()) for _, t in self._watched.named_tensors()]
        means = [t for _, t in self.mean.network.named_tensors()]
        with no_grad():
            for (t, _), mean in zip(weights, means, strict=True):
                t.assign(mean.data)
        try:
            yield
        finally:
            with no_grad():
                for t, weight in weights:
                    t.assign(weight)

    def state_dict(self) -> dict[str, Array]:
        return self.mean.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean.load_state_dict(state)
