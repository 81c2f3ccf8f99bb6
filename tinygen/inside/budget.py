"""How much time may go into looking: a share of the training's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..backend import current_device, current_module

ADVANCE = 0.5  # seconds that may be spent before there was much training to take a share of
AT_THE_END = 2  # times what a look takes: for the last look, which is always taken, and for the file


class Budget:
    """A share of the time that a run trains, which is all of its time but for what is spent of the budget.

    Before start() nothing counts. The first half second is an advance on what the run will earn. A run that is resumed
    begins a new one.
    """

    def __init__(self, share: float):
        self.share, self.spent, self.least = share, 0.0, 0.0  # spent, least: seconds, in all and at a time
        self._since: float | None = None

    def start(self) -> None:
        """From here on the run trains."""
        self._since = time.perf_counter()

    @property
    def trained(self) -> float:
        """Seconds of training up to now."""
        since_start = 0.0 if self._since is None else time.perf_counter() - self._since
        return since_start - self.spent

    def allows_more(self) -> bool:
        """Whether as much as it takes, when nothing gets in the way, may be spent again, and is left for the end."""
        after = self.spent + self.least
        return after <= ADVANCE or after + AT_THE_END * self.least <= self.share * self.trained

    @contextmanager
    def spending(self) -> Iterator[None]:
        """The time of the block is spent, but for what the GPU still has to do of the training."""
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
