"""Whether the step of a training runs as a program: decided and said when it begins, and kept to when it is resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ..backend import current_device
from ..options import CompileMode

if TYPE_CHECKING:
    from ..models.base import Model

# Tracing and compiling take what 40 (dense GAN, WGAN-GP) to 150 steps (VAE) win back, or up to 400 if no loop is on the
# disk yet: 0.2 to 0.7 s of one core, and 0.5 to 1.5 s for the loops. NumPy's calls take 0.79 (dense GAN, batch 32)
# to 0.92 (batch 128) of the time of the step as it is written, which is won back after 3 (DCGAN) to 90 steps. On an
# H200 the first step takes 0.3 to 0.9 s, or 1.5 to 7.5 s if no kernel is on the disk yet; the others save 4 to 10 ms.
PAYS_FROM = 1000  # steps


class Decision(NamedTuple):
    """How a training's step runs: "on" or "off", as it is recorded; and if off, why."""

    mode: str
    why: str = ""


def decide(asked: CompileMode, recorded: str | None, steps: int) -> Decision:
    """Whether the step is compiled.

    asked: "auto", "on" or "off".  recorded: of a run that is resumed, how its step ran.  steps: of the whole run.
    """
    from ..compiler.backends import load_back_end

    mode = recorded or "on" if asked == "auto" else asked
    if mode == "off":
        return Decision("off", "compile is off" if asked == "off" else "the run began so")
    if asked == "auto" and recorded is None and steps < PAYS_FROM:
        return Decision("off", f"that pays from {PAYS_FROM:,} steps on")
    try:
        load_back_end(device=current_device())
    except ImportError as error:
        return Decision("off", str(error))
    return Decision("on")


class CompiledStep:
    """A model's training step as a program, as far as it can be one; and what is to be said about it."""

    def __init__(self, model: Model):
        from ..compiler import compile

        self._step = compile(model)
        self._seconds, self._reason = 0.0, self._step.reason
        self._restore: Callable[[], None] | None = None  # gives the BLAS its threads back

    def __call__(self, batch: Any) -> Any:
        return self._step(batch)

    def prepare(self, batch: Any) -> str:
        """Compile the step for such a batch, without taking it. Returns a line about it."""
        from ..compiler.backends import compiled_so_far

        before = compiled_so_far()
        self._step.prepare(batch)
        self.news()
        loops, seconds = (now - then for now, then in zip(compiled_so_far(), before, strict=True))
        what = f"{loops:,} loop{'s' * (loops != 1)}"
        once = f"; {what} took {seconds:.1f} s to compile, once on this machine" if loops else ""
        return f"step {self._step}{once}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For the length of the block NumPy's BLAS computes on one thread, as far as the step is compiled.

        After a product outside of the step, as in a look at the gradients, its own threads would wait for the next one,
        and for 0.1 s take the cores from the step: the dense GAN made 69 steps a second instead of 98.
        """
        from ..kernels.openblas import blas

        library = blas()
        if library is not None and self._reason is None:
            self._restore = library.alone()
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self._restore is not None:
            self._restore()
        self._restore = None

    def news(self) -> tuple[float, str]:
        """The seconds since the last call that went to compiling, and a line if the step is no longer compiled."""
        seconds, reason = self._step.seconds - self._seconds, self._step.reason
        if reason is not None:
            self._give_back()
        line = "" if reason == self._reason else f"step no longer compiled: {reason}"
        self._seconds, self._reason = self._step.seconds, reason
        return seconds, line
