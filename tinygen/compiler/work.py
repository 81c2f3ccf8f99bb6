"""What kind of work each instruction does, and how much: multiplications, bytes."""

from __future__ import annotations

import math

from .program import CONVOLUTIONS, DRAWS, Instruction

KINDS = ("product", "convolution", "loop", "sum", "draw", "copy", "number")  # a "number" is Python's, such as a count
_SUMS = frozenset({"sum", "max", "min", "argmax", "argmin", "argsort", "cumsum"})
_COPIES = frozenset({"copy", "astype", "full", "concatenate", "take", "put", "put_at", "add_at"})


def kind_of(instruction: Instruction) -> str:
    """Which of KINDS an instruction is.

    A loop that leaves nothing but sums is a "sum"; a product that goes into the update of a weight is a "product".
    """
    op = instruction.op
    if op in DRAWS or op == "call":
        return "draw" if op in DRAWS else "number"
    if op == "fused":
        left = {v: member.op for member in instruction.body for v in member.results}
        kinds = {left[v] for v in instruction.results} or {"loop"}
        return "sum" if kinds == {"sum"} else "copy" if kinds <= _COPIES else "loop"
    if op in CONVOLUTIONS:
        return "convolution"
    if op in ("matmul", "einsum", "update"):
        return "product"
    return "sum" if op in _SUMS else "copy" if op in _COPIES else "loop"


def flops(instruction: Instruction) -> int:
    """Multiplications and additions of a product or a convolution, padding included; of others 0."""
    if instruction.op == "update":
        return sum(flops(term.product) for term in instruction.options["terms"])
    if instruction.op == "matmul":
        a, _ = instruction.operands
        return 2 * instruction.result.like.size * a.shape[-1]
    if instruction.op == "einsum":
        terms = instruction.options["subscripts"].partition("->")[0].split(",")
        lengths = {
            n: size
            for term, x in zip(terms, instruction.operands, strict=True)
            for n, size in zip(term, x.shape, strict=True)
        }
        return 2 * math.prod(lengths.values())
    if instruction.op == "conv2d":
        _, w = instruction.operands
        return 2 * instruction.result.like.size * math.prod(w.shape[:3])
    if instruction.op == "conv_transpose2d":
        gy, w = instruction.operands
        return 2 * gy.like.size * math.prod(w.shape[:3])
    if instruction.op == "conv2d_weight_grad":
        _, gy = instruction.operands
        return 2 * gy.like.size * math.prod(instruction.result.shape[:3])
    return 0


def traffic(instruction: Instruction) -> tuple[int, int]:
    """The bytes of the arrays that an instruction reads, and of those that it writes."""
    read = {v for v in instruction.values if v.op != "call"}
    return sum(v.like.nbytes for v in read), sum(v.like.nbytes for v in instruction.results)
