"""How much time recording may take: a share of the training time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..backend import current_device, current_module

ADVANCE = 0.5  # seconds that may be spent before a share of the training time amounts to them
RESERVE = 2  # spendings left for the end: the last step, which is always recorded, and the file


class Budget:
    """A share of the time that a run trains: all of its time except what is spent of the budget.

    Before start() nothing counts. The first half second is an advance. A resumed run begins a new budget.
    """

    def __init__(self, share: float):
        self.share, self.spent, self.least = share, 0.0, 0.0  # spent: seconds in all; least: the shortest spending
        self._since: float | None = None

    def start(self) -> None:
        """Count the time from now on as training."""
        self._since = time.perf_counter()

    @property
    def trained(self) -> float:
        """Seconds of training up to now."""
        since_start = 0.0 if self._since is None else time.perf_counter() - self._since
        return since_start - self.spent

    def allows_more(self) -> bool:
        """Whether as much as the shortest spending may be spent again, with the reserve left for the end."""
        after = self.spent + self.least
        return after <= ADVANCE or after + RESERVE * self.least <= self.share * self.trained

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of the block as spent, except for training that the GPU still has to finish."""
        if current_device() == "cuda":
            current_module().cuda.get_current_stream().synchronize()
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            if self._since is not None:
                self.least = min(seconds, self.least or seconds)
                self.spent += seconds
