"""What the threads of a team do, in LLVM's language: walk a table of jobs, wait for each other, sleep between runs.

A team's memory is lines of eight int64, so that no two threads write to one line of the cache:
line 0: the number of runs so far; 1: how many have arrived at the barrier; 2: how often all had; 3: the current run,
(table, first, last); 4: the functions to sleep and to wake; 4 + r: whether thread r sleeps, and what it sleeps on.
A table has four int64 a job: function, arguments, whether thread 0 does it alone, whether all wait at its end.
"""

from __future__ import annotations

import functools
import os
import platform

from .code import address_of
from .ir import Code, Module, Variable
from .values import Value

LINE, JOB = 8, 4  # int64s
_RUNS, _ARRIVED, _TURNS, _RUN, _CALLS = (line * LINE for line in range(5))
_PATIENCE = 150  # pauses, of 10 to 50 ns, before a thread that waits lets others have its processor, again and again
_BEDTIME = 300  # so many in all, before a thread that has no run to do falls asleep
_YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"


@functools.cache
def addresses() -> tuple[int, int]:
    """The addresses of run(memory, table, first, begin, end, last, team) and work(memory, rank, team)."""
    module = Module()
    _barrier(module.function("job.barrier", "memory", "team"))
    _run(module.function("job", "memory", "table", "first", "begin", "end", "last", "team"))
    runs = str(module)
    module = Module()
    _barrier(module.function("job.barrier", "memory", "team"))
    _work(module.function("job", "memory", "rank", "team"))
    return address_of(runs), address_of(str(module))


def _run(f: Code) -> None:
    """Do the jobs from `first` on: those from `begin` to `end` with the team, those before and after it alone."""
    memory, table, first, begin, end, last, team = f.parameters
    zero = f.constant(0, "int64")
    _walk(f, memory, table, first, begin, zero, team, alone=True)
    with f.when(begin < end):
        for i, value in enumerate((table, begin, end)):
            f.store(value, memory, _RUN + i)
        _change(f, "add", memory, _RUNS, 1)
        with f.loop(1, team) as r:
            line = _CALLS + r * LINE
            with f.when(_change(f, "xchg", memory, line, 0) != 0):
                _call(f, f.load("int64", memory, _CALLS + 1), f.load("int64", memory, line + 1))
        _walk(f, memory, table, begin, end, zero, team)
    _walk(f, memory, table, end, last, zero, team, alone=True)


def _work(f: Code) -> None:
    """The life of thread `rank`: wait for a run, and do its share. It ends with the process."""
    memory, rank, team = f.parameters
    runs, line = f.variable(0), _CALLS + rank * LINE
    with f.repeat():
        seen = runs.get()
        spins = f.variable(0)
        with f.repeat() as leave:
            leave(_read(f, memory, _RUNS) != seen)
            _wait(f, spins)
            with f.when(spins.get() > _BEDTIME):
                _sleep(f, memory, line, seen)
        runs.set(seen + 1)
        table, begin, end = (f.load("int64", memory, _RUN + i) for i in range(3))
        _walk(f, memory, table, begin, end, rank, team)


def _sleep(f: Code, memory: Value, line: Value, seen: Value) -> None:
    """Say so, look once more, and sleep until woken. Who takes back the word "asleep" owes a call, or gets one."""
    _change(f, "xchg", memory, line, 1)
    new = _read(f, memory, _RUNS) != seen
    wakes = f.variable(True, "bool")
    with f.when(new):
        wakes.set(_change(f, "xchg", memory, line, 0) == 0)
    with f.when(wakes.get()), f.repeat() as leave:  # a signal ends a sleep, too
        leave(_call(f, f.load("int64", memory, _CALLS), f.load("int64", memory, line + 1)) == 0)


def _walk(
    f: Code, memory: Value, table: Value, first: Value, last: Value, rank: Value, team: Value, alone: bool = False
) -> None:
    with f.loop(first, last) as i:
        entry = i * JOB
        function, args, small, waits = (f.load("int64", table, entry + k) for k in range(JOB))
        with f.when((small == 0) | (rank == 0)):
            f.call_at(function, args, rank, team)
        if not alone:
            with f.when((waits != 0) | (i == last - 1)):
                f.write(f"call void @job.barrier(i64 {memory.text}, i64 {team.text})")


def _barrier(f: Code) -> None:
    """Wait until the whole team is here."""
    memory, team = f.parameters
    turn = _read(f, memory, _TURNS)
    last = _change(f, "add", memory, _ARRIVED, 1) == team - 1
    with f.when(last):
        _change(f, "xchg", memory, _ARRIVED, 0)
        _change(f, "add", memory, _TURNS, 1)
    spins = f.variable(0)
    with f.repeat() as leave:
        leave(_read(f, memory, _TURNS) != turn)
        _wait(f, spins)


# Words that several threads read and write


def _read(f: Code, memory: Value, word: int | Value) -> Value:
    return f.emit("int64", f"load atomic i64, ptr {f.pointer(memory + word * 8)} seq_cst, align 8")


def _change(f: Code, how: str, memory: Value, word: int | Value, number: int) -> Value:
    """Add to a word, or exchange it (xchg). Gives what was there."""
    return f.emit("int64", f"atomicrmw {how} ptr {f.pointer(memory + word * 8)}, i64 {number} seq_cst")


def _call(f: Code, function: Value, argument: Value) -> Value:
    return f.emit("int32", f"call i32 {f.pointer(function)}(i64 {argument.text})")


def _wait(f: Code, spins: Variable) -> None:
    """A turn of a loop that waits."""
    _pause(f)
    spins.set(spins.get() + 1)
    with f.when(spins.get() > _PATIENCE):
        f.module.declarations["yield"] = f"declare i32 @{_YIELD}()"
        f.emit("int32", f"call i32 @{_YIELD}()")


def _pause(f: Code) -> None:
    """Tell the processor that this is one."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        f.module.declarations["pause"] = "declare void @llvm.x86.sse2.pause()"
        f.write("call void @llvm.x86.sse2.pause()")
    elif platform.machine().lower() in ("aarch64", "arm64"):
        f.module.declarations["pause"] = "declare void @llvm.aarch64.hint(i32)"
        f.write("call void @llvm.aarch64.hint(i32 1)")
