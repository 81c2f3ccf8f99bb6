"""The Figure that viz returns. Only this module imports matplotlib, and it is imported for the first picture."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

if (backend := os.environ.get("MPLBACKEND")) and "matplotlib" not in sys.modules:
    # Importing matplotlib fails if this backend isn't installed; backends are for windows, and a Picture needs none.
    os.environ["MPLBACKEND"] = "agg"
    import matplotlib

    os.environ["MPLBACKEND"] = backend
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = backend

from matplotlib.figure import Figure


class Picture(Figure):
    """A Figure that belongs to no window and no pyplot state, but that a notebook shows."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
