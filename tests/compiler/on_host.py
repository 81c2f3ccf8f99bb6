"""Programs for a GPU, run by the host: kernels in CUDA that g++ compiles, and all else as it is defined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cuda_on_host
import numpy as np

from tinygen.compiler.columns import THREADS
from tinygen.compiler.cuda_kernel import Kernel, has_kernel, kernel_of, source_of
from tinygen.compiler.definitions import definition
from tinygen.compiler.passes import compute_small_again, in_loops, side_by_side
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import SILENT, VIEWS, Instruction, Program, Value


def for_a_gpu(program: Program) -> Program:
    """A program after the passes for a GPU."""
    return side_by_side(in_loops(compute_small_again(program), has_kernel), has_kernel)


def loops_of(instruction: Instruction) -> list[Instruction]:
    """The loops that one launch runs."""
    return {"fused": [instruction], "beside": instruction.options.get("loops", [])}.get(instruction.op, [])


def launch(
    loops: Sequence[Instruction], arrays: Mapping[Value, Any], numbers: Mapping[Value, Any] | None = None
) -> Kernel:
    """Run the kernel of some loops on arrays."""
    kernel = kernel_of(loops, arrays)
    assert kernel is not None, loops
    params = kernel.params
    given = [arrays[v] for v in (*params.read, *params.written)]
    given += [np.array((numbers or {})[v], kind) for v, kind in params.numbers]
    given += [np.full(n, -77, dtype) for dtype, n in params.partial]
    tickets = [np.zeros(params.tickets, np.uint32)] * (params.tickets > 0)
    if kernel.blocks:
        run = cuda_on_host.RawModule(source_of([kernel])).get_function(kernel.name)
        run((kernel.blocks,), (THREADS,), (*given, *tickets))
    assert not any(t.any() for t in tickets), "the next launch needs them to be 0"
    return kernel


def ran(program: Program, inputs: Sequence[np.ndarray], numbers: Mapping[Value, Any] | None = None) -> list[Any]:
    """What a program for a GPU returns; its states change."""
    plan = Plan(program)
    for value, x in zip(program.inputs, inputs, strict=True):
        plan[value][...] = x
    for instruction in program.instructions:
        if loops := loops_of(instruction):
            launch(loops, plan.arrays, numbers)
        elif instruction.op == "full":
            plan[instruction.result].fill(instruction.options["value"])
        elif instruction.op not in VIEWS | SILENT:
            given = [plan[x] if isinstance(x, Value) else x for x in instruction.operands]
            plan[instruction.result][...] = definition(instruction.op)(*given, **instruction.options)
    return plan.finish()


def races(program: Program, plan: Plan | Mapping[Value, Any]) -> list[str]:
    """What a loop writes where another that may run at the same time reads or writes."""
    found = []
    for instruction in program.instructions:
        loops = loops_of(instruction)
        for loop, other in ((a, b) for a in loops for b in loops if a is not b):
            for value in loop.results:
                touched = [v for v in (*other.values, *other.results) if v.op not in ("call", "full")]
                found += [f"{value} over {v}" for v in touched if np.shares_memory(plan[value], plan[v])]
    return found
