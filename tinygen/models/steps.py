"""What a training step is made of: a loss, the networks that learn from it, and those it passes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..checks import type_of
from ..errors import ConfigError, GradientError
from ..gradients import grad
from ..layers import Module
from ..optim import Optimizer
from ..parallel import mean
from ..scopes import frozen
from ..tensor import Tensor


class Loss(NamedTuple):
    """What a step lowers, and what it is made of.

    value: a 0-d Tensor.  metrics: other numbers worth logging, off the tape.
    named: what it is made of, still on the tape, by the letters of the paper. The recorder, the report and the metrics
    use these names: "x" a batch; "z" noise, "G(z)" samples, "D(x)" and "D(G(z))" scores; "x̂" points at which D's slope
    is penalised; "mu", "logvar" and "eps" of an encoder; "reconstruction" and "KL", the terms of its loss.

    >>> loss = tg.models.Loss(tg.tensor(0.5), named={"z": np.zeros((8, 2))})
    >>> loss.value.item(), sorted(loss.named)
    (0.5, ['z'])
    """

    value: Tensor
    metrics: Mapping[str, Tensor] = {}
    named: Mapping[str, Any] = {}

    def naming(self, named: Mapping[str, Any]) -> Loss:
        """The same loss with more named values."""
        return self._replace(named={**named, **self.named})


def nothing() -> None:
    """The default of Step.then: do nothing."""


@dataclass(frozen=True)
class Step:
    """A step of one optimiser, such as a line of the paper's algorithm.

    name: the letter of the network that learns, "D", "G", "E"; or "loss", if all share one.
    loss: computes the loss, including its random draws.
    learns, frozen: by name, the networks that learn, and those that the gradient only passes through.
    optimizer: of the networks that learn.  then: called after the step, for example to clip weights.
    Raises ConfigError for a field of another kind.

    >>> model = tg.models.GAN()
    >>> d_step, g_step = model.steps(np.zeros((8, 28, 28, 1), np.float32))
    >>> isinstance(d_step, tg.models.Step), d_step.name, g_step.name, sorted(g_step.frozen)
    (True, 'D', 'G', ['D'])
    """

    name: str
    loss: Callable[[], Loss]
    learns: Mapping[str, Module]
    optimizer: Optimizer
    frozen: Mapping[str, Module] = field(default_factory=dict)
    then: Callable[[], None] = nothing

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"Step: name is {self.name!r:.60}, but it must be a letter such as 'D', or 'loss'")
        if not callable(self.loss) or not callable(self.then):
            raise ConfigError(
                f"Step {self.name!r}: loss and then must be functions that take no arguments; see partial()"
            )
        for option, networks in (("learns", self.learns), ("frozen", self.frozen)):
            if not isinstance(networks, Mapping) or not all(isinstance(x, Module) for x in networks.values()):
                raise ConfigError(
                    f"Step {self.name!r}: {option} is {networks!r:.60}, but it must be a dict of modules: "
                    f'{{"{self.name}": self.{self.name}}}'
                )
        if not isinstance(self.optimizer, Optimizer):
            raise ConfigError(
                f"Step {self.name!r}: optimizer is {type_of(self.optimizer)}, but it must be an Optimizer"
            )

    @property
    def metric(self) -> str:
        """The name of its loss among the metrics: "loss_D", or "loss"."""
        return self.name if self.name == "loss" else f"loss_{self.name}"

    @property
    def networks(self) -> dict[str, Module]:
        """All networks that the loss depends on."""
        return {**self.learns, **self.frozen}

    @property
    def mixes_examples(self) -> bool:
        """Whether a network that the gradient passes through, such as a D with batch norm, mixes examples."""
        return any(network.mixes_examples for network in self.frozen.values())

    def compute_loss(self, freeze: bool = True) -> Loss:
        """The loss. Raises ConfigError unless it is a Loss, or a Tensor, which is made one, and GradientError unless
        it is a single number with a tape.

        freeze: whether the networks that the gradient only passes through get none.
        """
        with frozen(self.frozen.values() if freeze else ()):
            loss: Any = self.loss()
        if isinstance(loss, Tensor):
            loss = Loss(loss)
        if not isinstance(loss, Loss) or not isinstance(loss.value, Tensor):
            found = type_of(loss.value if isinstance(loss, Loss) else loss)
            raise ConfigError(f"Step {self.name!r}: its loss is {found}, but it must be a Loss or a Tensor")
        if not isinstance(loss.metrics, Mapping) or not isinstance(loss.named, Mapping):
            raise ConfigError(f"Step {self.name!r}: metrics and named of its Loss must be dicts")
        if loss.value.node is None or loss.value.size != 1:
            self.gradients_of(loss)  # raises the error
        return loss

    def gradients_of(self, loss: Loss, retain_graph: bool = False) -> list[Tensor]:
        """The gradients of its loss by what its optimizer moves. Raises GradientError, which names the step."""
        try:
            return grad(loss.value, self.optimizer.params, retain_graph=retain_graph)
        except GradientError as error:
            raise GradientError(f"step {self.name!r}: {error}") from error

    def take(self) -> Loss:
        """Move the networks that learn one step down their loss; return the loss."""
        loss = self.compute_loss()
        self.optimizer.step(mean(self.gradients_of(loss)))
        self.then()
        return loss


def take_together(steps: Sequence[Step]) -> list[Loss]:
    """Take steps whose losses are all computed before the first network moves, perhaps in one pass."""
    losses = [step.compute_loss(freeze=False) for step in steps]  # one step's frozen network is another's learner
    gradients = [step.gradients_of(loss, retain_graph=True) for step, loss in zip(steps, losses, strict=True)]
    for step, its_gradients in zip(steps, gradients, strict=True):
        step.optimizer.step(mean(its_gradients))
    for step in steps:
        step.then()
    return losses
