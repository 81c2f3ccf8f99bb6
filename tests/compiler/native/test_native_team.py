"""The team of threads: jobs in order, runs from several threads, in a signal's handler, in a forked process."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygen.compiler.native import team
from tinygen.compiler.native.code import address_of
from tinygen.compiler.native.ir import Module
from tinygen.compiler.native.team import Machine
from tinygen.compiler.native.values import INT

SOURCE = Path(__file__).parents[3]


@functools.cache
def adding() -> int:
    """A job: new[rank] = Σ old + rank + 1, of lines of eight int64 a thread. Each needs what all others did before."""
    module = Module()
    f = module.function("job", "args", "rank", "team")
    args, rank, size = f.parameters
    old, new, total = f.load(INT, args, 0), f.load(INT, args, 1), f.variable(0)
    with f.loop(0, size) as i:
        total.set(total.get() + f.load(INT, old, i * 8))
    f.store(total.get() + rank + 1, new, rank * 8)
    return address_of(str(module))


class Chain:
    """Jobs that pass numbers to each other."""

    def __init__(self, threads: int, length: int = 10):
        self.machine, self.threads = Machine(threads), threads
        self.lines = np.zeros((length + 1, threads, 8), np.int64)
        for old, new in zip(self.lines[:-1], self.lines[1:], strict=True):
            self.machine.add(adding(), [old.ctypes.data, new.ctypes.data])

    def run(self, **part: int) -> Any:
        """What each job gave."""
        self.lines[1:] = -1
        self.machine.run(**part)
        return self.lines[1:, :, 0]

    def expected(self) -> Any:
        lines = [np.zeros(self.threads, np.int64)]
        for _ in range(len(self.machine)):
            lines.append(lines[-1].sum() + np.arange(self.threads) + 1)
        return np.array(lines[1:])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_jobs_wait_for_each_other(threads: int) -> None:
    chain = Chain(threads)
    expected = chain.expected()
    for _ in range(1000 if threads < 3 else 50):  # three threads on two processors take long
        np.testing.assert_array_equal(chain.run(), expected)


def test_a_part_of_the_table() -> None:
    chain = Chain(2)
    expected = chain.expected()
    chain.lines[3, :, 0] = expected[2]
    chain.lines[4:] = -1
    chain.machine.run(first=3, last=7)
    np.testing.assert_array_equal(chain.lines[4:8, :, 0], expected[3:7])
    assert (chain.lines[8:] == -1).all()
    with pytest.raises(IndexError, match=r"run: jobs 3 to 11 of 10"):
        chain.machine.run(first=3, last=11)
    Machine(2).run()  # nothing to do


def test_small_jobs_are_done_by_one_thread() -> None:
    machine, lines = Machine(2), np.zeros((9, 2, 8), np.int64)
    for i, small in enumerate([True, True, False, True, True, False, False, True]):
        machine.add(adding(), [lines[i].ctypes.data, lines[i + 1].ctypes.data], small=small)
    for _ in range(200):
        lines[1:] = 0
        machine.run()
        assert lines[:, 0, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 22, 46]
        assert lines[:, 1, 0].tolist() == [0, 0, 0, 4, 0, 0, 11, 23, 0]


def test_jobs_may_be_added_after_a_run() -> None:
    chain = Chain(2, 3)
    before = chain.run().copy()
    more = np.zeros((2, 8), np.int64)
    assert chain.machine.add(adding(), [chain.lines[-1].ctypes.data, more.ctypes.data]) == 3
    chain.run()
    assert more[:, 0].tolist() == [before[-1].sum() + 1, before[-1].sum() + 2]


def test_two_threads_of_python_take_turns() -> None:
    wrong = []

    def work() -> None:
        chain = Chain(2)
        expected = chain.expected()
        wrong.extend(i for i in range(200) if (chain.run() != expected).any())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_python_locks_do_where_there_are_no_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_teams", {})
    monkeypatch.setattr(team, "_ways_to_sleep", team._python_locks)
    monkeypatch.setattr(team.sys, "platform", "elsewhere")
    chain = Chain(2)
    expected = chain.expected()
    for i in range(30):
        np.testing.assert_array_equal(chain.run(), expected)
        threading.Event().wait(0.001 if i % 3 == 0 else 0)  # long enough to fall asleep


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of signals")
def test_runs_in_a_signal_handler() -> None:
    chain, other, seen = Chain(2, 200), Chain(2), []
    expected, expected_other = chain.expected(), other.expected()

    def handle(*_: Any) -> None:
        seen.append((other.run() == expected_other).all())
        signal.setitimer(signal.ITIMER_REAL, 0.002)  # the next one comes after this one, however slow the machine is

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        for _ in range(2000):
            np.testing.assert_array_equal(chain.run(), expected)
            if len(seen) >= 5:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen and all(seen)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of signals")
def test_ctrl_c_comes_after_the_run() -> None:
    chain = Chain(2, 2000)
    expected = chain.expected()[-1].tolist()
    chain.run()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            for _ in range(100_000):
                chain.lines[1:] = -1
                chain.machine.run()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert chain.lines[-1, :, 0].tolist() in ([-1, -1], expected)  # no run, or a whole one
    assert chain.run()[-1].tolist() == expected


def test_the_team_has_as_many_threads_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    everything = team.default_size()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1000")
    assert team.default_size() == everything
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert team.default_size() == Machine().threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "0")  # nonsense
    assert team.default_size() == everything


def run_script(code: str, tmp_path: Path) -> str:
    """What a process of its own prints, which has the helpers of this file."""
    path = os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_a_team_of_its_own(tmp_path: Path) -> None:
    code = """
        import os
        from test_native_team import Chain
        chain = Chain(2)
        expected = chain.expected()
        for _ in range(20): assert (chain.run() == expected).all()
        child = os.fork()
        for _ in range(20): assert (chain.run() == expected).all()
        if child:
            print(os.waitpid(child, 0)[1])
        else:
            os._exit(0)
    """
    assert run_script(code, tmp_path) == "0\n"


def test_a_process_ends_while_threads_wait(tmp_path: Path) -> None:
    code = """
        from test_native_team import Chain
        for threads in (2, 3): Chain(threads).run()
        print("done")
    """
    assert run_script(code, tmp_path) == "done\n"


def test_borrowed_memory_is_lent_again() -> None:
    machine = Machine(1)
    with machine.borrowed("float32", (100, 5), (7,)) as (a, b):
        assert (a.shape, b.shape, a.dtype, b.dtype) == ((100, 5), (7,), np.float32, np.float32)
        with machine.borrowed("float64", (3,)) as (c,):
            assert not any(np.shares_memory(x, y) for x, y in ((a, b), (a, c), (b, c)))
    with machine.borrowed("int64", (250,), (251,)) as (d, e):
        assert np.shares_memory(a, d) and not np.shares_memory(d, e)
    with machine.borrowed("float32") as nothing:
        assert nothing == []


def waiting(machine: Machine) -> list[int]:
    """After which jobs all threads wait."""
    _, table = machine._laid_out()
    return [i for i, row in enumerate(table) if row[3]]


def test_who_waits_for_whom() -> None:
    machine, lines = Machine(2), np.zeros((2, 2, 8), np.int64)
    where = [lines[0].ctypes.data, lines[1].ctypes.data]
    machine.add(adding(), where)
    with machine.at_once():
        machine.add(adding(), where)
        machine.add(adding(), where, small=True)
        with machine.at_once():
            machine.add(adding(), where)
        with machine.in_turn():
            machine.add(adding(), where)
            machine.add(adding(), where)
    with machine.at_once():
        machine.add(adding(), where)
        machine.add(adding(), where, small=True)
    for small in (True, True, False):
        machine.add(adding(), where, small=small)
    assert waiting(machine) == [0, 3, 4, 5, 7, 9, 10]


def test_a_run_that_ends_within_a_group_waits_for_all() -> None:
    machine, lines = Machine(2), np.zeros((3, 2, 8), np.int64)
    with machine.at_once():
        for new in (1, 2):
            machine.add(adding(), [lines[0].ctypes.data, lines[new].ctypes.data])
    for _ in range(100):
        lines[...] = 0
        machine.run(0, 1)
        assert lines[:, :, 0].tolist() == [[0, 0], [1, 2], [0, 0]]
        machine.run()
        assert lines[:, :, 0].tolist() == [[0, 0], [1, 2], [1, 2]]
