"""Numbers in registers: an operator on one writes an instruction of LLVM's language.

Addresses are int64. A Python number beside a Value takes its dtype. A product and a sum may be contracted, with one
rounding for both; nothing else is "fast".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .ir import Code

BOOL, INT, FLOAT, DOUBLE = (np.dtype(name) for name in ("bool", "int64", "float32", "float64"))


def type_of(dtype: np.dtype[Any]) -> str:
    """LLVM's type of a number in a register. Raises ValueError for what is no bool, integer, float32 or float64."""
    if dtype.kind in "iu":
        return f"i{8 * dtype.itemsize}"
    if dtype not in (BOOL, FLOAT, DOUBLE):
        raise ValueError(f"native code has no numbers of {dtype}")
    return {BOOL: "i1", FLOAT: "float", DOUBLE: "double"}[dtype]


class Value:
    """A number in a register. `text` is its name there, or the number itself if it is a constant."""

    __slots__ = ("code", "dtype", "text")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, code: Code, dtype: np.dtype[Any], text: str):
        self.code, self.dtype, self.text = code, dtype, text

    @property
    def type(self) -> str:
        return type_of(self.dtype)

    def __add__(self, other: Any) -> Value:
        return self.code.binary("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.code.binary("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self.code.binary("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.code.binary("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.code.binary("mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self.code.binary("mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self.code.binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.code.binary("div", other, self)

    def __and__(self, other: Any) -> Value:
        return self.code.binary("and", self, other)

    def __or__(self, other: Any) -> Value:
        return self.code.binary("or", self, other)

    def __xor__(self, other: Any) -> Value:
        return self.code.binary("xor", self, other)

    def __lshift__(self, other: Any) -> Value:
        return self.code.binary("shl", self, other)

    def __rshift__(self, other: Any) -> Value:
        return self.code.binary("lshr" if self.dtype.kind in "ub" else "ashr", self, other)

    def __neg__(self) -> Value:
        return self.code.emit(self.dtype, f"fneg {self.type} {self.text}") if self.dtype.kind == "f" else 0 - self

    def __invert__(self) -> Value:
        return self ^ (True if self.dtype.kind == "b" else -1)

    def __lt__(self, other: Any) -> Value:
        return self.code.compare("lt", self, other)

    def __le__(self, other: Any) -> Value:
        return self.code.compare("le", self, other)

    def __gt__(self, other: Any) -> Value:
        return self.code.compare("gt", self, other)

    def __ge__(self, other: Any) -> Value:
        return self.code.compare("ge", self, other)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self.code.compare("eq", self, other)

    def __ne__(self, other: Any) -> Value:  # type: ignore[override]
        return self.code.compare("ne", self, other)

    def view(self, dtype: Any) -> Value:
        """The same bits as another dtype of the same size."""
        dtype = np.dtype(dtype)
        return self.code.emit(dtype, f"bitcast {self.type} {self.text} to {type_of(dtype)}")

    def astype(self, dtype: Any) -> Value:
        """Converted as NumPy does it. A float out of an integer's range becomes the nearest integer, and NaN 0."""
        new, old = np.dtype(dtype), self.dtype
        if new == old:
            return self
        if new.kind == "b":
            return self != 0
        if old.kind == "f" and new.kind == "f":
            verb = "fpext" if new.itemsize > old.itemsize else "fptrunc"
        elif old.kind == "f":
            return self.code.call(f"llvm.fpto{'u' if new.kind == 'u' else 's'}i.sat", self, dtype=new)
        elif new.kind == "f":
            verb = "sitofp" if old.kind == "i" else "uitofp"
        elif type_of(new) == type_of(old):
            return Value(self.code, new, self.text)
        elif old.kind != "b" and new.itemsize < old.itemsize:
            verb = "trunc"
        else:
            verb = "sext" if old.kind == "i" else "zext"
        return self.code.emit(new, f"{verb} {self.type} {self.text} to {type_of(new)}")
