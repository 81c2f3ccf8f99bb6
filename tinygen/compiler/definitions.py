"""What each op of a program means, in NumPy or CuPy: one line an op. The back ends compute the same, faster."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..backend import Array, array_module
from ..kernels import sums
from .program import DRAWS, Instruction, Program, Value
from .traced import joined


def _put(x: Array, value: Array, index: Any) -> Array:
    y = x.copy()
    y[index] = value
    return y


def _put_at(x: Array, value: Array, *arrays: Array, index: Any) -> Array:
    y = x.copy()
    y[joined(index, arrays)] = value
    return y


def _add_at(x: Array, value: Array, *arrays: Array, index: Any) -> Array:
    y = x.copy()
    kernels.add_at(y, joined(index, arrays), value)
    return y


VIEW_OPS: dict[str, Callable[..., Array]] = {
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.transpose(axes),
    "getitem": lambda x, index: x[index if ... in index else (*index, ...)],
    "broadcast_to": lambda x, shape: array_module(x).broadcast_to(x, shape),
    "bitcast": lambda x, dtype: x.view(dtype),
}

OPS: dict[str, Callable[..., Array]] = {
    **VIEW_OPS,
    "copy": lambda x: x.copy(),
    "astype": lambda x, dtype: x.astype(dtype),
    "sum": lambda x, axes: sums.total(x, axes),
    "max": lambda x, axes: x.max(axes),
    "min": lambda x, axes: x.min(axes),
    "argmax": lambda x, axis: x.argmax(axis),
    "argmin": lambda x, axis: x.argmin(axis),
    "argsort": lambda x, axis, kind: x.argsort(axis=axis, kind=kind),
    "cumsum": lambda x, axis: x.cumsum(axis),
    "matmul": kernels.matmul,
    "einsum": lambda a, b, subscripts: array_module(a).einsum(subscripts, a, b),
    "conv2d": lambda x, w, stride, padding: kernels.conv2d(x, w, stride, padding),
    "conv_transpose2d": lambda gy, w, stride, padding, size: kernels.conv_transpose2d(gy, w, stride, padding, size),
    "conv2d_weight_grad": lambda x, gy, kernel_size, stride, padding: kernels.conv2d_weight_grad(
        x, gy, kernel_size, stride, padding
    ),
    "concatenate": lambda *xs, axis: array_module(*xs).concatenate(xs, axis),
    "mean_of_processes": lambda x, group: group.mean_of(x),
    "take": lambda x, *arrays, index: x[joined(index, arrays)],
    "put": _put,
    "put_at": _put_at,
    "add_at": _add_at,
}


def definition(op: str, xp: Any = np) -> Callable[..., Array]:
    """The function of NumPy, or of another array module, that an op stands for."""
    return OPS[op] if op in OPS else getattr(xp, op)


def operand_dtypes(member: Instruction) -> list[np.dtype[Any]]:
    """The dtypes in which NumPy takes the operands of a function of elements."""
    op, result = member.op, member.result
    if op == "copy":
        return [result.dtype]
    if op == "where":
        return [np.dtype(bool), result.dtype, result.dtype]
    kinds = [(float if x.op == "call" else x.dtype) if isinstance(x, Value) else type(x) for x in member.operands]
    kinds = [np.dtype(bool) if kind is bool else kind for kind in kinds]  # Python's other numbers adapt themselves
    return [np.dtype(kinds[0])] if op == "astype" else list(getattr(np, op).resolve_dtypes((*kinds, None))[:-1])


def interpret(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """Run a program one instruction after the other, as it reads; its states change. Returns its outputs."""
    values: dict[Value, Any] = dict(zip(program.inputs, inputs, strict=True)) | program.arrays
    for instruction in program.instructions:
        if not all(v in values for v in instruction.results):
            values |= zip(instruction.results, _results(instruction, values), strict=True)
    new = {state: np.array(values[value]) for state, value in program.updates.items()}
    outputs = [np.array(values[value]) for value in program.outputs]
    for state, value in new.items():
        program.arrays[state][...] = value
    return outputs


def _given(value: Value, values: dict[Value, Any]) -> Any:
    """What a value is; one number, where the same element is everywhere."""
    if value not in values and value.op == "full":
        return np.asarray(value.maker.options["value"], value.dtype)
    return values[value]


def _results(instruction: Instruction, values: dict[Value, Any]) -> Sequence[Any]:
    op, options = instruction.op, instruction.options
    if op == "update":
        terms = [np.matmul(*term.factors(values)) for term in options["terms"]]
        gradient = functools.reduce(np.add, terms).reshape(options["gradient"].shape)
        return _results(options["loop"], {**values, options["gradient"]: gradient})
    if op == "beside":
        return [made for loop in options["loops"] for made in _results(loop, values)]
    if op == "fused":
        inside = dict(values)
        for member in instruction.body:
            inside |= zip(member.results, _results(member, inside), strict=True)
        return [inside[v] for v in instruction.results]
    result = instruction.result
    operands = [_given(x, values) if isinstance(x, Value) else x for x in instruction.operands]
    if op == "call":
        made = options["function"](*operands)
        return made if isinstance(made, tuple) else (made,)
    if op == "full":
        return (np.full_like(result.like, options["value"]),)
    if op in DRAWS:
        return (options["generator"].fill(op, np.empty_like(result.like), *operands),)
    y = definition(op)(*operands, **options)
    return (np.asarray(y).astype(result.dtype, copy=False),)


class Interpreted:
    """A program run as it reads."""

    note = ""

    def __init__(self, program: Program):
        self._program = program

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Take a step."""
        return interpret(self._program, inputs)
