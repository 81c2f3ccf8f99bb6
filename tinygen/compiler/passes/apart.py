"""Sums over axes that lie apart in memory become two: the first, over the outermost, leaves little for the second.

Images lie as H, N, W, C, and a loop can sum over its outer dimensions, or over its inner ones.

    %2: f32[16, 24] = sum(%1, axes=(1, 2))        %3: f32[16, 32, 24] = sum(%1, axes=(1,))
                                             ->   %2: f32[16, 24] = sum(%3, axes=(1,))
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..memory import outer_first, shadow
from ..program import Instruction, Program, Value


def split_sums(program: Program) -> Program:
    """The program with two sums in place of one over axes that lie apart."""
    made = list[Instruction]()
    for instruction in program.instructions:
        outer = _outermost_of_apart(instruction) if instruction.op == "sum" else ()
        made += _in_two(instruction, outer) if outer else [instruction]
    return replace(program, instructions=made)


def _outermost_of_apart(instruction: Instruction) -> tuple[int, ...]:
    """The summed axes that are outermost in memory, if axes that stay lie between them and others; else none."""
    like, axes = instruction.operands[0].like, instruction.options["axes"]
    summed = [(a, a in axes) for a in outer_first(like) if like.shape[a] > 1]
    first = next((i for i, (_, yes) in enumerate(summed) if not yes), len(summed))
    inner = [yes for _, yes in summed[first:]]
    return tuple(sorted(a for a, _ in summed[:first])) if any(inner) else ()


def _in_two(instruction: Instruction, outer: tuple[int, ...]) -> list[Instruction]:
    (x,), axes = instruction.operands, instruction.options["axes"]
    left = [a for a in range(len(x.shape)) if a not in outer]
    like = np.empty_like(x.like[tuple(0 if a in outer else slice(None) for a in range(len(x.shape)))])
    first = Instruction("sum", (x,), {"axes": outer}, place=instruction.place)
    first.results = [Value(shadow(like.astype(instruction.result.dtype, order="K")), first)]
    rest = tuple(i for i, a in enumerate(left) if a in axes)
    second = Instruction("sum", (first.result,), {"axes": rest}, results=instruction.results, place=instruction.place)
    second.result.maker = second
    return [first, second]
