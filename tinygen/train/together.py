"""What the processes of a group must agree on while they train one model."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import to_device, to_host
from ..errors import RunError
from ..layers import Buffer
from ..processes import check_batch, group
from .callbacks import StopTraining

if TYPE_CHECKING:
    from ..models.base import Model
    from ..signals import Interrupt
    from .session import Session


def check_shares(model: Model, batch: Any) -> None:
    """Raise DataError unless a batch can be dealt out to the processes evenly."""
    first = batch[0] if isinstance(batch, tuple) else batch
    check_batch(len(first) // model.batches_per_step, model.batch_unit, group())


def asked_to_stop(interrupt: Interrupt, session: Session) -> bool:
    """Whether the training stops after this step, as it was asked to. What one process was asked to, all do; if a
    callback ended the training of one, `session.raised` is set in all."""
    if group().size == 1:
        return interrupt.asked is not None
    if not group().any(interrupt.asked is not None or session.raised is not None):
        return False
    reasons = group().from_all((interrupt.asked, str(session.raised) if session.raised else None))
    for asked, raised in reasons:
        if asked is not None:
            interrupt.ask(asked)
        if raised is not None and session.raised is None:
            session.raised = StopTraining(raised)
    return any(asked is not None for asked, _ in reasons)


def averaged(values: dict[str, float]) -> dict[str, float]:
    """The means of the processes' metrics, each of which is of a share of the batch."""
    if group().size == 1:
        return values
    means = group().mean_of(np.array(list(values.values()), np.float64))
    return dict(zip(values, means.tolist(), strict=True))


def note_checkpoint(step: int) -> None:
    """Remember the step of the last checkpoint, to be told if another process is lost."""
    if group().size > 1:
        group().saved = step


def check_alike(model: Model, step: int) -> None:
    """Raise RunError if the weights differ between processes; that would be a fault of a machine, or of a train_step.

    Running statistics that each process has of its own share, with local batch norm, become their means first.
    """
    if group().size == 1:
        return
    if group().local_batch_norm:
        for _, t in model.named_tensors():
            if isinstance(t, Buffer) and t.data.dtype.kind == "f":
                t.assign(to_device(group().mean_of(to_host(t.data))))
    sums = group().from_all({name: zlib.crc32(np.ascontiguousarray(to_host(x)).data) for name, x in _arrays(model)})
    apart = [name for name, total in sums[0].items() if any(other[name] != total for other in sums)]
    if apart:
        raise RunError(
            f"the processes hold different values of {', '.join(apart[:3])} after step {step}: does train_step draw or "
            "compute outside of the model's steps? parallel.mean(grads) must be what the optimiser gets"
        )


def _arrays(model: Model) -> list[tuple[str, object]]:
    return [*model.state_dict().items()]
