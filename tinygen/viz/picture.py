"""The Figure that viz returns. Only this module imports matplotlib, and it is imported for the first picture."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A Figure that belongs to no window and no pyplot state, and that a notebook shows all the same."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
