"""What each op of a loop is in CUDA: an expression, and the function that it calls.

%4 = add(%3, G.0.b)                add_<float>(e0, e1)
%5 = multiply(%4, s)        ->     multiply_<float>(v0, s0)
%6 = normal(1)                     normal_<float>(s1, k)

cuda_kernel.py puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from ..kernels.noise import CUDA as NOISE
from ..kernels.noise import MIX_CUDA
from ..random import as_16_bits
from .definitions import operand_dtypes
from .program import DRAWS, Instruction

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


DRAWN = {  # each draw with its place in the stream, that of the first one and what else it takes
    "normal": ("", "const double unit = 1.0 / 9007199254740992; T x;", "x"),
    "uniform": ("", "const int digits = sizeof(T) > 4 ? 53 : 24; const T unit = T(1) / T(1ULL << digits); T u;", "u"),
    "bernoulli": (", unsigned long long below", "bool drawn;", "drawn"),
}

Write: TypeAlias = "Callable[[Any, np.dtype[Any]], str]"


def expression_of(member: Instruction, operand: Write, place: Callable[[], str]) -> tuple[str, str]:
    """What a member of a loop makes of an element, and the op whose function it calls, "" if none.

    operand: writes an operand, of which an element of a dtype is wanted.  place: writes the place of a draw in its
    stream, as two numbers.  Raises KeyError if there is no text for the op, or for its dtypes.
    """
    op, y = member.op, member.result
    kind = C_TYPES[y.dtype.name]
    if op == "astype":
        return f"({kind}){operand(member.operands[0], y.dtype)}", ""
    if op in DRAWS:
        if op not in DRAWN or (op != "normal" and any(member.values)):  # a normal draw of any width is the same
            raise KeyError(op)
        bound = f", {as_16_bits(*member.operands)}ULL" if op == "bernoulli" else ""
        return f"{op}_<{kind}>({place()}{bound})", op
    types = operand_dtypes(member)
    mixed = op != "where" and len(set(types)) > 1
    if op not in TEXTS or mixed or (op in _FLOATS_ONLY and types[-1].kind != "f"):
        raise KeyError(op)
    operands = ", ".join(operand(x, t) for x, t in zip(member.operands, types, strict=True))
    return f"{op}_<{C_TYPES[types[-1].name]}>({operands})", op


def functions_of(ops: Iterable[str]) -> str:
    """The functions that the expressions of some ops call."""
    ops = {*ops}
    helpers = [HELPERS] * bool(ops & {"remainder", "floor_divide"}) + [MIX_CUDA] * bool(ops & {*DRAWN})
    return "\n".join([*helpers, *map(_function_of, sorted(ops))])


def arguments_of(op: str) -> int:
    """How many operands an op has."""
    return {"copy": 1, "where": 3}.get(op) or getattr(np, op).nin


def _function_of(op: str) -> str:
    if op in DRAWN:
        more, before, made = DRAWN[op]
        arguments = f"unsigned long long first, unsigned long long i{more}"
        return (
            f"template <class T> __device__ auto {op}_({arguments}) {{\n{before}\n{NOISE[op][2]};\nreturn {made};\n}}"
        )
    arguments = ", ".join(f"T {name}" for name in "abc"[: arguments_of(op)])
    return f"template <class T> __device__ auto {op}_({arguments}) {{ return {TEXTS[op]}; }}"


def literal(x: Any, dtype: np.dtype[Any]) -> str:
    """A number in C, rounded to the dtype. Raises KeyError for a dtype that has no name in C."""
    kind = C_TYPES[dtype.name]
    if dtype.kind == "b":
        return "true" if x else "false"
    if dtype.kind in "iu":
        return f"({kind}){int(x)}{'LL' if dtype.kind == 'i' else 'ULL'}"
    x = float(x)
    text = "0.0 / 0.0" if math.isnan(x) else f"{math.copysign(1, x)} / 0.0" if math.isinf(x) else repr(x)
    return f"{kind}({text})"
