"""A list of jobs for each thread, which does its own without waiting for the others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from .code import address_of
from .ir import Module
from .team import Machine
from .values import INT


def add_script(machine: Machine, parts: Sequence[Callable[[Machine], None]]) -> None:
    """Add one job in which thread i does what parts[i] adds to the machine of one thread that it is given.

    No two parts may write to one place, and none may read what another writes.
    """
    alone = []
    for part in parts:
        one = Machine(1)
        one.numbers = machine.numbers
        part(one)
        alone.append(one)
        machine.around += [prepare for prepare in one.around if prepare not in machine.around]
    entries = np.array([job[:2] for one in alone for job in one.jobs], np.int64)
    ends = np.cumsum([0, *(len(one) for one in alone)])
    ends = np.pad(ends, (0, machine.threads + 1 - len(ends)), mode="edge")
    machine.add(address_of(_text()), [entries.ctypes.data, *ends], small=len(parts) == 1, keep=(entries, alone))


@functools.cache
def _text() -> str:
    module = Module()
    f = module.function("job", "args", "rank", "team")
    args, rank, _ = f.parameters
    entries = f.load(INT, args, 0)
    with f.loop(f.load(INT, args, rank + 1), f.load(INT, args, rank + 2)) as i:
        function, its_args = (f.load(INT, entries, i * 2 + k) for k in range(2))
        f.call_at(function, its_args, f.constant(0, INT), f.constant(1, INT))
    return str(module)
