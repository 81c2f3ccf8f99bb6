"""Every model: the steps that several processes share are those of one process with the whole batch.

The same draws, the same metrics, the same buffers, the same weights up to rounding, on each process; in
float64, where rounding is small.
Adam's eps is 1e-3, as in compiler/test_models.py: where the exact gradient is 0, it would divide rounding by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.test_models import SETTINGS, distance, named
from models.small import batches, fed, in_float64, small
from processes import on_threads

from tinygen import compile, processes

STEPS = 4
OF_SHARES = "spread_y", "related"  # metrics of pairs of examples: the mean of those within each share


def trained(
    name: str, options: dict[str, Any], group: processes.Group = processes.ALONE, compiled: bool = False
) -> Any:
    """A small model after some steps of batches that every group deals out, and the metrics of the last."""
    model = in_float64(small(name, eps=1e-3, **options))
    step = compile(model, "numpy") if compiled else model.train_step
    each, metrics = 4 if name == "memory" else 8, dict[str, float]()
    for x in batches(STEPS, size=each * model.batches_per_step).astype(np.float64):
        with processes.shares(model.batch_unit):
            made = step(processes.own_batch(fed(model, x)))
        metrics = {key: np.mean(group.from_all(float(value.numpy()))) for key, value in made.items()}
    assert not compiled or step.reason is None
    return model, metrics


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.more)])
@pytest.mark.parametrize(("name", "options"), [pytest.param(*s, id=named(s)) for s in SETTINGS])
@pytest.mark.families(everywhere=True)
def test_shared_steps_are_those_of_one_process(name, options, size):
    check_equal(name, options, lambda group: trained(name, options, group), size)


@pytest.mark.parametrize(("name", "options"), [pytest.param(*s, id=named(s)) for s in SETTINGS])
@pytest.mark.more
def test_compiled_steps_are_shared_as_well(name, options):
    check_equal(name, options, lambda group: trained(name, options, group, compiled=True), 2)


def check_equal(name: str, options: dict[str, Any], train: Callable[[processes.Group], Any], size: int) -> None:
    """Hold what each process of a group has learnt against what one process learns."""
    alone, expected = trained(name, options)
    for model, metrics in on_threads(size, train):
        state = model.state_dict()
        far = {n: d for n, x in alone.state_dict().items() if (d := distance(x, state[n])) > 1e-11}
        assert far == {}
        compared = [key for key in expected if key not in OF_SHARES]
        far = {k: d for k in compared if (d := distance(expected[k], metrics[k])) > 1e-11}
        assert far == {}
        streams = model.generators()
        assert all(stream.state == streams[n].state for n, stream in alone.generators().items())
