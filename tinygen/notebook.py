"""How a notebook shows a Tensor and a Module: as HTML, by code that is loaded when the first is shown.

The engine and the layers know nothing of it: importing this file gives them the method that notebooks ask for.
"""

from __future__ import annotations

from .layers.module import Module
from .tensor import Tensor


def _show_tensor(t: Tensor) -> str:
    from .graph.html import tensor_html

    return tensor_html(t)


def _show_module(module: Module) -> str:
    from .graph.html import module_html

    return module_html(module)


Tensor._repr_html_ = _show_tensor  # type: ignore[attr-defined]
Module._repr_html_ = _show_module  # type: ignore[attr-defined]
