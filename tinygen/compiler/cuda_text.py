"""A fused group as the text of one kernel for CuPy's ElementwiseKernel, which broadcasts and takes any strides.

%4 = add(%3, G.0.b)                const float v0 = add<float>(x0, x1);
%5 = multiply(%4, s)               const float v1 = multiply<float>(v0, s0);
%6 = maximum(%4, %5)       ->      const float v2 = maximum<float>(v0, v1);
                                   y0 = v2;

All is read before anything is written: an output may lie where an input does. A number that changes from step to step
is an argument; one that does not stands in the text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .definitions import operand_dtypes
from .program import Instruction, Value

TEXTS = {  # what each op does with elements a, b and c, which are of the type T, as NumPy does it
    "copy": "a",
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "power": "pow(a, b)",
    "remainder": "modulo(a, b)",
    "floor_divide": "floored(a, b)",
    "negative": "-a",
    "absolute": "a > 0 ? a : T(0) - a",
    "sign": "a > 0 ? T(1) : a < 0 ? T(-1) : a == 0 ? T(0) : a",
    "square": "a * a",
    "sqrt": "sqrt(a)",
    "exp": "exp(a)",
    "expm1": "expm1(a)",
    "log": "log(a)",
    "log1p": "log1p(a)",
    "tanh": "tanh(a)",
    "sin": "sin(a)",
    "cos": "cos(a)",
    "floor": "floor(a)",
    "ceil": "ceil(a)",
    "rint": "rint(a)",
    "maximum": "a > b || a != a ? a : b",
    "minimum": "a < b || a != a ? a : b",
    "equal": "a == b",
    "not_equal": "a != b",
    "less": "a < b",
    "less_equal": "a <= b",
    "greater": "a > b",
    "greater_equal": "a >= b",
    "logical_and": "a && b",
    "logical_or": "a || b",
    "logical_not": "!a",
    "logical_xor": "!a != !b",
    "bitwise_and": "a & b",
    "bitwise_or": "a | b",
    "bitwise_xor": "a ^ b",
    "invert": "T(-1) - a",
    "left_shift": "(unsigned long long)b < 8 * sizeof(T) ? T(a << b) : T(0)",
    "right_shift": "(unsigned long long)b < 8 * sizeof(T) ? T(a >> b) : a < 0 ? T(-1) : T(0)",
    "isfinite": "a - a == 0",
    "isnan": "a != a",
    "isinf": "a == a && a - a != 0",
    "where": "a ? b : c",
}
_FLOATS_ONLY = {"power", "floor", "ceil", "remainder", "floor_divide"}

HELPERS = """
template <class T> __device__ T modulo(T a, T b) {  // has the sign of b
  const T r = fmod(a, b);
  return r == 0 ? copysign(T(0), b) : (r < 0) != (b < 0) ? r + b : r;
}
template <class T> __device__ T floored(T a, T b) {  // ⌊a / b⌋, from the remainder, as that is exact
  if (b == 0) return a / b;
  const T r = fmod(a, b), q = (a - r) / b - (r != 0 && (r < 0) != (b < 0) ? T(1) : T(0));
  const T whole = floor(q);
  return q == 0 ? copysign(T(0), a / b) : q - whole > T(0.5) ? whole + 1 : whole;
}
"""

C_TYPES = {
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float32": "float",
    "float64": "double",
}


class Text(NamedTuple):
    """An elementwise kernel of CuPy, and what to call it with: arrays, then numbers, then what it writes."""

    in_params: str
    out_params: str
    operation: str
    name: str
    preamble: str
    arrays: list[Value]
    numbers: list[tuple[Value, str]]  # with the dtype in which it is read

    def kernel(self, xp: Any) -> Any:
        """The kernel, made by CuPy."""
        return xp.ElementwiseKernel(self.in_params, self.out_params, self.operation, self.name, preamble=self.preamble)


def text_of(body: Sequence[Instruction], outputs: Sequence[Value]) -> Text | None:
    """The kernel that makes these of the body's values; None if the body has an op or a dtype that no text has."""
    writer = _Writer()
    try:
        for member in body:
            if member.op != "sum":
                writer.write(member)
    except KeyError:
        return None
    if any(v.dtype.name not in C_TYPES for v in (*writer.arrays, *outputs)):
        return None
    return writer.text(outputs)


class _Writer:
    """A kernel in the making: its lines, and the names of its values."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}
        self.arrays: list[Value] = []
        self.numbers: dict[tuple[Value, str], str] = {}
        self.ops: list[str] = []

    def write(self, member: Instruction) -> None:
        """Add a line. Raises KeyError if there is no text for it."""
        op, y = member.op, member.result
        kind = C_TYPES[y.dtype.name]
        if op == "astype":
            value = f"({kind}){self._operand(member.operands[0], y.dtype)}"
        else:
            types = operand_dtypes(member)
            mixed = op != "where" and len(set(types)) > 1
            if op not in TEXTS or mixed or (op in _FLOATS_ONLY and types[-1].kind != "f"):
                raise KeyError(op)
            operands = ", ".join(self._operand(x, t) for x, t in zip(member.operands, types, strict=True))
            value = f"{op}_<{C_TYPES[types[-1].name]}>({operands})"
            self.ops.append(op)
        self.names[y] = f"v{len(self.names)}"
        self.lines.append(f"const {kind} {self.names[y]} = {value};")

    def _operand(self, x: Any, dtype: np.dtype[Any]) -> str:
        """An operand, of which an element of this dtype is wanted."""
        if not isinstance(x, Value):
            return _literal(x, dtype)
        if x in self.names:
            return self.names[x]
        if x.op == "full":
            return _literal(x.maker.options["value"], x.dtype)
        if x.op == "call":
            kind = dtype.name if dtype.kind == "f" else "float64"
            return self.numbers.setdefault((x, kind), f"s{len(self.numbers)}")
        if x not in self.arrays:
            self.arrays.append(x)
        return f"x{self.arrays.index(x)}"

    def text(self, outputs: Sequence[Value]) -> Text:
        inputs = [f"{v.dtype.name} x{n}" for n, v in enumerate(self.arrays)]
        inputs += [f"{kind} {name}" for (_, kind), name in self.numbers.items()]
        stores = [f"y{n} = {self.names[v]};" for n, v in enumerate(outputs)]
        ops = list(dict.fromkeys(self.ops))
        return Text(
            ", ".join(inputs),
            ", ".join(f"{v.dtype.name} y{n}" for n, v in enumerate(outputs)),
            "\n".join([*self.lines, *stores]),
            "_".join(["tinygen", *ops])[:60],
            HELPERS * ("remainder" in ops or "floor_divide" in ops) + "\n".join(map(function_of, ops)),
            self.arrays,
            [*self.numbers],
        )


def arguments_of(op: str) -> int:
    """How many operands an op has."""
    return {"copy": 1, "where": 3}.get(op) or getattr(np, op).nin


def function_of(op: str) -> str:
    """The function of CUDA for an op."""
    arguments = ", ".join(f"T {name}" for name in "abc"[: arguments_of(op)])
    return f"template <class T> __device__ auto {op}_({arguments}) {{ return {TEXTS[op]}; }}"


def _literal(x: Any, dtype: np.dtype[Any]) -> str:
    """A number in C, rounded to the dtype."""
    kind = C_TYPES[dtype.name]
    if dtype.kind == "b":
        return "true" if x else "false"
    if dtype.kind in "iu":
        return f"({kind}){int(x)}{'LL' if dtype.kind == 'i' else 'ULL'}"
    x = float(x)
    text = "0.0 / 0.0" if math.isnan(x) else f"{math.copysign(1, x)} / 0.0" if math.isinf(x) else repr(x)
    return f"{kind}({text})"
