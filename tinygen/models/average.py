"""A network whose weights are a running mean of another network's."""

from __future__ import annotations

import copy
from typing import Any

from ..checks import number
from ..layers import Buffer, Module
from ..optim import Optimizer
from ..scopes import no_grad
from ..tensor import Parameter
from ..tracing import per_step
from .base import Model


class Average(Module):
    """A copy of a network whose weights follow slowly: mean ← d · mean + (1 - d) · weight after each step.

    d = min(decay, (1 + t) / (10 + t)) at step t, so that the first weights, which are noise, are soon forgotten.
    Buffers (running statistics) are means already, and are copied.
    """

    def __init__(self, network: Module, decay: float):
        self.network, self.decay = copy.deepcopy(network), number("Average", "decay", decay, 0, 1)
        for _, module in self.network.named_modules():
            for name, t in list(vars(module).items()):
                if isinstance(t, Parameter):
                    setattr(module, name, Buffer(t.data))

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)

    def _share(self, t: int) -> float:
        """How much of the mean stays at step t."""
        return min(self.decay, (1 + t) / (10 + t))

    @no_grad()
    def update(self, network: Module, t: int) -> None:
        """Add the network's weights after its step t, counted from 1, to the mean."""
        d = per_step(self._share, t)
        for (_, mean), (_, weight) in zip(self.network.named_tensors(), network.named_tensors(), strict=True):
            mean.assign(d * mean.data + (1 - d) * weight.data if isinstance(weight, Parameter) else weight.data)


class AveragedG(Model):
    """A model that draws with a running mean of its G's weights, if `ema` of its Config is above 0."""

    G: Any
    opt_G: Optimizer
    G_mean: Average | None

    def keep_mean(self) -> None:
        """Begin the mean with G's first weights. To be called once G is in `inputs`."""
        self.G_mean = Average(self.G, self.config.ema) if self.config.ema else None
        if self.G_mean is not None:
            self.inputs["G_mean"] = self.inputs["G"]

    def average(self) -> None:
        """Add G's weights after its step to their mean, if there is one."""
        if self.G_mean is not None:
            self.G_mean.update(self.G, self.opt_G.t)

    @property
    def drawing_G(self) -> Any:
        """The G that draws: with the mean of the weights, if there is one."""
        return self.G if self.G_mean is None else self.G_mean.network
