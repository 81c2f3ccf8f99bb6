"""What a notebook shows while `fit` runs in one of its cells: samples and curves, which replace those before them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import terminal
from ..checks import installed
from ..rows import Rows
from .batches import Batches
from .callbacks import Callback, History, save_preview
from .shown import pictures_html

if TYPE_CHECKING:
    from ..models.base import Model
    from .run import RunDirectory

SHARE = 0.1  # of the time, at most, goes into drawing


class Live(Callback):
    """Samples of a model beside its curves so far, in one output of the cell, drawn anew while it learns.

    `fit` adds it in a notebook, unless progress=False. It draws at logged steps, in at most a tenth of the time, and
    after the last step. The samples are always of the same noise.
    """

    def __init__(self, batches: Batches):
        self._batches = batches
        self._handle: Any = None  # of the output
        self._shown_at, self._took = 0.0, 0.0

    def on_start(self, model: Model, run: RunDirectory | None, step: int) -> None:
        self._model, self._rows = model, Rows()

    def on_log(self, step: int, values: dict[str, float]) -> None:
        self._rows.append({"step": step, **values})
        if time.perf_counter() - self._shown_at >= self._took / SHARE:
            self._show()

    def on_end(self, history: History) -> None:
        self._rows = history.rows
        self._show()

    def _show(self) -> None:
        from IPython.display import HTML, display

        began = time.perf_counter()
        page = HTML(pictures_html(self._samples(), self._rows))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)
        self._shown_at = time.perf_counter()
        self._took = self._shown_at - began

    def _samples(self) -> bytes | None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "samples.png")
            why_none = save_preview(self._model, self._batches, path)
            return None if why_none else path.read_bytes()


def live(batches: Batches, progress: bool) -> list[Callback]:
    """The callback that shows a training in a notebook, if this is one and has what draws."""
    drawn = progress and terminal.in_notebook() and installed("matplotlib") and installed("PIL")
    return [Live(batches)] if drawn else []
