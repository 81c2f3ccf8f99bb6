"""What asks a training to stop while a step is under way: the step is finished and saved first."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from ..signals import DEFAULTS, ending, give_back, leave, stop, take_over


class Interrupt:
    """Within the block Ctrl-C, SIGTERM and SIGHUP only set `asked`, which the loop reads between steps and raises.

    A second Ctrl-C does what Ctrl-C did before the block. A second SIGTERM or SIGHUP does nothing: `timeout` and shells
    send theirs twice.
    """

    asked: BaseException | None = None

    def __enter__(self) -> Interrupt:
        self._before = take_over(self._hear, (*DEFAULTS, leave, stop))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        give_back(self._before)

    def ask(self, reason: BaseException) -> None:
        """Have the loop raise `reason` after the step, unless it has another reason already."""
        self.asked = self.asked or reason

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            self._before[number](number, frame)
        self.ask(ending(number))
