"""The types of the ops and of Tensor's methods, written from the tables: `python tests/stubs.py` after a new op.

    tinygen/ops/__init__.pyi    every name of tinygen.ops
    tinygen/methods.pyi         METHODS of ops/operators.py, which are set on Tensor when tinygen is imported

The rules, which work on arrays too, import ops from their own files, where everything is Any.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tinygen
from tinygen import ops
from tinygen.ops.operators import METHODS

PACKAGE = Path(tinygen.__file__).parent

OPS = '''\
"""The ops as a type checker sees them; written by tests/stubs.py.

Called with arrays alone, an op returns an array. Its type says Tensor all the same: to a type checker CuPy's arrays are
Any, so an overload for arrays would match every call, and no call would be known to return a Tensor.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..backend import Array
from ..kernels.reference_conv import Pair
from ..tensor import Tensor
from .reduce import Axis
from .windows import PaddingOption, RowPadding

Operand: TypeAlias = "Tensor | np.ndarray[Any, Any] | np.generic | float | list[Any] | tuple[Any, ...]"
'''

METHODS_OF_TENSOR = '''\
"""The operators and methods that ops/ gives to Tensor, as a type checker sees them; written by tests/stubs.py."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from .ops import Operand
from .ops.reduce import Axis
from .tensor import Tensor

class Methods:
'''

LEFT_TO_OBJECT = {"__setitem__", "__format__", "__repr__", "__copy__", "__deepcopy__", "__reduce_ex__", "_repr_html_"}
LEFT_TO_TENSOR = {"__array__", "__array_ufunc__"}  # NumPy is to see no array in a Tensor: `array + tensor` is a Tensor
OF_PYTHON = {"__int__": "int", "__float__": "float"}
ANYTHING = {"index", "pad_width", "new_shape", "axes"}  # options whose forms have no short type


def ops_stub() -> str:
    """The text of tinygen/ops/__init__.pyi."""
    functions = [
        f"def {name}({_parameters(getattr(ops, name))}) -> {_result(getattr(ops, name))}: ..." for name in ops.__all__
    ]
    return OPS + "\n" + "\n".join(functions) + "\n"


def methods_stub() -> str:
    """The text of tinygen/methods.pyi."""
    return METHODS_OF_TENSOR + "".join(_methods())


def _methods() -> Iterator[str]:
    for name, method in METHODS.items():
        if name in LEFT_TO_OBJECT | LEFT_TO_TENSOR:
            continue
        if isinstance(method, property):
            yield f"    @property\n    def {name}(self) -> Tensor: ...\n"
            continue
        parameters = _parameters(method, 1)
        override = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
        result = OF_PYTHON.get(name) or _result(method)
        yield f"    def {name}(self{', ' if parameters else ''}{parameters}) -> {result}: ...{override}\n"


def _parameters(function: Callable[..., Any], first: int = 0) -> str:
    return ", ".join(map(_parameter, [*inspect.signature(function).parameters.values()][first:]))


def _parameter(p: inspect.Parameter) -> str:
    kind = "Any" if p.annotation is p.empty else p.annotation
    if p.name not in ANYTHING:
        kind = re.sub(r"\bAny\b", "Operand" if p.default is not None else "Operand | None", kind)
    default = "" if p.default is p.empty else f" = {p.default!r}"
    return f"{'*' if p.kind is p.VAR_POSITIONAL else ''}{p.name}: {kind}{default}"


def _result(function: Callable[..., Any]) -> str:
    """What it returns; of an op a Tensor where its source says that anything, or an array, may come."""
    kind = inspect.signature(function).return_annotation
    return "Tensor" if kind in (inspect.Signature.empty, "Array") else re.sub(r"\bAny\b", "Tensor", kind)


STUBS = {PACKAGE / "ops" / "__init__.pyi": ops_stub, PACKAGE / "methods.pyi": methods_stub}

if __name__ == "__main__":
    for path, text in STUBS.items():
        path.write_text(text(), encoding="utf-8")
