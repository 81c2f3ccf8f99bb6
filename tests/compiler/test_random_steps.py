"""Random steps: each back end leaves what NumPy leaves, and memory is shared by values that don't live together."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from compiler.on_host import for_a_gpu, races, ran
from compiler.random_steps import batch, random_step, states
from compiler.written import program_of

from tinygen import compile
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import optimised
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import GROUPS, VIEWS, Program, Value

SEEDS = range(24)
LENGTHS = (4, 8, 16, 30)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_compiled_step_leaves_what_numpy_leaves(length, back_end):
    for seed in SEEDS if back_end == "numpy" else SEEDS[:4]:  # each loop is compiled
        held, twin = states(seed), states(seed)
        step, compiled = random_step(seed, length, held), compile(random_step(seed, length, twin), back_end)
        for k in range(2):
            expected, made = step(*batch(k)), compiled(*batch(k))
            assert compiled.reason is None, seed
            for y, z in zip([*made, *twin], [*expected, *held], strict=True):
                assert (y.shape, y.dtype) == (z.shape, z.dtype), seed
                np.testing.assert_allclose(y, z, 1e-9, 1e-9, err_msg=f"seed {seed}")


def traced_step(seed: int, length: int) -> Callable[..., list[Any]]:
    """A random step as a function of its batch and its states."""
    return lambda x, y, *held: random_step(seed, length, held)(x, y)


def clashes(program: Program, plan: Plan | Mapping[Value, Any]) -> list[str]:
    """What is written where something lies that is read later, or lies in a state without being its new value."""
    found, last = [], dict[int, int]()
    for place, instruction in enumerate(program.instructions):
        for value in instruction.values if instruction.op not in VIEWS else ():
            last[id(value.root)] = place
    for value in (*program.outputs, *program.updates.values()):
        last[id(value.root)] = len(program)
    states = [i.result for i in program.instructions if i.op in ("state", "constant", "input")]
    live = [v for v in states if id(v) in last]
    for place, instruction in enumerate(program.instructions):
        if instruction.op in VIEWS or instruction.op in ("state", "constant", "input"):
            continue
        for value in instruction.results:
            for other in live:
                over = plan[value].ctypes.data == plan[other].ctypes.data and value.shape == other.shape
                alike = last[id(other)] == place and instruction.op in GROUPS and over
                if last[id(other)] >= place and np.shares_memory(plan[value], plan[other]) and not alike:
                    found.append(f"{place}: {value} over {other}")
        live = [v for v in live if last[id(v)] > place]
        live += [v for v in instruction.results if last.get(id(v), -1) > place]
    return found


@pytest.mark.parametrize("length", LENGTHS)
def test_values_that_live_at_the_same_time_share_no_memory(length):
    for seed in SEEDS:
        held = states(seed)
        program = optimised(program_of(traced_step(seed, length), batch(0), held))
        assert clashes(program, Plan(program)) == [], seed


@pytest.mark.parametrize("length", LENGTHS)
def test_what_runs_at_the_same_time_on_a_gpu_shares_no_memory(length):
    for seed in SEEDS:
        held, twin = states(seed), states(seed)
        program = for_a_gpu(optimised(program_of(traced_step(seed, length), batch(0), twin)))
        plan = Plan(program)
        assert clashes(program, plan) == [] and races(program, plan) == [], seed
        expected, made = random_step(seed, length, held)(*batch(0)), interpret(program, batch(0))
        for y, z in zip([*made, *twin], [*expected, *held], strict=True):
            np.testing.assert_allclose(y, z, 1e-9, 1e-9, err_msg=f"seed {seed}")


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++, which compiles the kernels for the host")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.more) for seed in SEEDS[1:])])
def test_kernels_for_a_gpu_leave_what_numpy_leaves(seed):
    held, twin = states(seed), states(seed)
    program = for_a_gpu(optimised(program_of(traced_step(seed, 30), batch(0), twin)))
    for y, z in zip([*ran(program, batch(0)), *twin], [*random_step(seed, 30, held)(*batch(0)), *held], strict=True):
        np.testing.assert_allclose(y, z, 1e-9, 1e-9)


def test_a_clash_is_found():
    program = program_of(
        lambda x, y, s: [np.exp(x) * y, s.__imul__(2)][:1], [*batch(0)[:1], np.ones((4, 6))], [np.ones(3)]
    )
    plan = Plan(program)
    assert clashes(program, plan) == []
    exp = next(i.result for i in program.instructions if i.op == "exp")
    plan.arrays[exp] = plan.arrays[program.inputs[1]]
    assert clashes(program, plan)[0].startswith(f"{program.instructions.index(exp.maker)}: ")


def test_a_race_is_found():
    program = for_a_gpu(optimised(program_of(lambda x, y: [x * 2, y * 3], [np.ones(3), np.ones(4)])))
    plan = Plan(program)
    assert races(program, plan) == []
    plan.arrays[program.outputs[0]] = plan.arrays[program.inputs[1]][:3]
    assert races(program, plan) != []
