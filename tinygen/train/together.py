"""What the processes of a group must agree on while they train one model."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import to_device, to_host
from ..errors import ConfigError, DataError, RunError
from ..layers import Buffer
from ..processes import check_batch, group, sharing
from .callbacks import StopTraining

if TYPE_CHECKING:
    from ..models.base import Model
    from ..signals import Interrupt
    from .session import Session


def check_shares(model: Model, batch: Any) -> None:
    """Raise DataError unless a batch can be dealt out to the processes evenly, and ConfigError within `shares()`."""
    if sharing().size > 1:
        raise ConfigError("fit: it shares each step itself; call it outside of parallel.shares()")
    first = batch[0] if isinstance(batch, tuple) else batch
    check_batch(len(first) // model.batches_per_step, model.batch_unit, group())


def check_data(batch: Any) -> None:
    """Raise DataError unless the first batch of the run is the same in all processes, before it is dealt out."""
    arrays = batch if isinstance(batch, tuple) else (batch,)
    if len(set(group().from_all(tuple(map(_checksum, arrays))))) > 1:
        raise DataError("fit: the processes have different data; give each the same, of which it takes its share")


def asked_to_stop(interrupt: Interrupt, session: Session) -> bool:
    """Whether the training stops after this step, as it was asked to. What one process was asked to, all do; if a
    callback ended the training of one, `session.raised` is set in all."""
    if group().size == 1:
        return interrupt.asked is not None
    if not group().any(interrupt.asked is not None or session.raised is not None):
        return False
    raised = session.raised and (isinstance(session.raised, StopTraining), str(session.raised))
    reasons = group().from_all((interrupt.asked, raised))
    for rank, (asked, raised) in enumerate(reasons):
        if asked is not None:
            interrupt.ask(asked)
        if raised and session.raised is None:
            planned, why = raised
            session.raised = StopTraining(why) if planned else RunError(f"process {rank} has ended: {why}")
    return any(asked is not None for asked, _ in reasons)


def averaged(values: dict[str, float]) -> dict[str, float]:
    """The means of the processes' metrics, each of which is of a share of the batch."""
    if group().size == 1:
        return values
    means = group().mean_of(np.array(list(values.values()), np.float64))
    return dict(zip(values, means.tolist(), strict=True))


def check_alike(model: Model, step: int) -> None:
    """Raise RunError if the weights differ between processes: by a train_step, a callback, or a fault of a machine."""
    if group().size == 1:
        return
    sums = group().from_all({name: _checksum(x) for name, x in model.state_dict().items()})
    apart = [name for name, total in sums[0].items() if any(other.get(name) != total for other in sums)]
    if apart:
        raise RunError(
            f"the processes have different values of {', '.join(apart[:3])} after step {step}. A train_step must give "
            "the optimiser parallel.mean(grads), and draw from the model's generators; a callback, which only process "
            "0 calls, must not change the model"
        )


def average_statistics(model: Model) -> None:
    """With local batch norm, give all processes the means of their running statistics."""
    if group().size > 1 and group().local_batch_norm:
        for _, t in model.named_tensors():
            if isinstance(t, Buffer) and t.data.dtype.kind == "f":
                t.assign(to_device(group().mean_of(to_host(t.data))))


def follow_first(model: Model) -> None:
    """Take the weights of the first process, in which a callback may have put others."""
    if group().size > 1:
        state = group().from_first({name: np.array(to_host(x)) for name, x in model.state_dict().items()})
        if group().rank > 0:
            model.load_state_dict(state)


def note_checkpoint(step: int) -> None:
    """Remember the step of the last checkpoint, to be told if another process is lost."""
    if group().size > 1:
        group().saved = step


def _checksum(x: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(to_host(x)).data)
