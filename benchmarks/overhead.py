"""What a tape costs: forward and backward of a chain of adds of one float32, for each installed library.

The array is so small that nearly all the time is bookkeeping. `python -m benchmarks.overhead --help`
"""

from __future__ import annotations

import argparse
import gc
import importlib
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygen as tg

from .machine import version
from .ratios import ratio, spread

Run = Callable[[int], Any]  # does n adds and their backward; returns dy/dx, and dy/db if b learns


def tinygen(learns: bool) -> Run:
    x, b = tg.tensor(np.ones(1, np.float32), True), tg.tensor(np.ones(1, np.float32), learns)

    def run(n: int) -> Any:
        x.grad = b.grad = None
        y = x
        for _ in range(n):
            y = y + b
        y.backward()
        return x.grad, b.grad

    return run


def torch(learns: bool) -> Run:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    x, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=learns)

    def run(n: int) -> Any:
        x.grad = b.grad = None
        y = x
        for _ in range(n):
            y = y + b
        y.backward()
        return x.grad, b.grad

    return run


def mygrad(learns: bool) -> Run:
    mg = importlib.import_module("mygrad")
    x, b = mg.tensor(np.ones(1, np.float32)), mg.tensor(np.ones(1, np.float32), constant=not learns)

    def run(n: int) -> Any:
        x.null_grad()
        b.null_grad()
        y = x
        for _ in range(n):
            y = y + b
        y.backward()
        return x.grad, b.grad

    return run


def autograd(learns: bool) -> Run:
    make_vjp = importlib.import_module("autograd").make_vjp
    x, b = np.ones(1, np.float32), np.ones(1, np.float32)

    def run(n: int) -> Any:
        def f(x: Any, b: Any) -> Any:
            for _ in range(n):
                x = x + b
            return x

        vjp, y = make_vjp(f, (0, 1) if learns else 0)(x, b)
        return vjp(np.ones_like(y)) if learns else (vjp(np.ones_like(y)), None)

    return run


def dezero(learns: bool) -> Run:
    vars(np).setdefault("int", int)  # DeZero 0.0.13 needs it; NumPy dropped it in 1.24
    Variable = importlib.import_module("dezero").Variable
    x, b = Variable(np.ones(1, np.float32)), Variable(np.ones(1, np.float32))  # it has no constants: b always learns

    def run(n: int) -> Any:
        x.cleargrad()
        b.cleargrad()
        y = x
        for _ in range(n):
            y = y + b
        y.backward()
        return x.grad.data, b.grad.data if learns else None

    return run


def chainer(learns: bool) -> Run:
    Variable = importlib.import_module("chainer").Variable
    x, b = Variable(np.ones(1, np.float32)), Variable(np.ones(1, np.float32), requires_grad=learns)

    def run(n: int) -> Any:
        x.cleargrad()
        b.cleargrad()
        y = x
        for _ in range(n):
            y = y + b
        y.backward()
        return x.grad, b.grad

    return run


def micrograd(learns: bool) -> Run:
    Value = importlib.import_module("micrograd.engine").Value

    def run(n: int) -> Any:
        sys.setrecursionlimit(10 * n + 1000)  # its backward recurses
        x, b = Value(1.0), Value(1.0)
        y = x
        for _ in range(n):
            y = y + (b if learns else 1.0)
        y.backward()
        return x.grad, b.grad if learns else None

    return run


def numpy(learns: bool) -> Run:
    """No tape and no backward: the adds alone."""
    x, b = np.ones(1, np.float32), np.ones(1, np.float32)

    def run(n: int) -> Any:
        y = x
        for _ in range(n):
            y = y + b
        return 1, n if learns else None

    return run


LIBRARIES: list[Callable[[bool], Run]] = [tinygen, torch, mygrad, dezero, autograd, chainer, micrograd, numpy]
VARIANTS = {"y + constant": False, "y + b, b learns": True}


def installed() -> tuple[dict[str, Callable[[bool], Run]], list[str]]:
    """The libraries that run in this environment, and why the others don't."""
    found, missing = {}, []
    for library in LIBRARIES:
        try:
            library(True)
            found[library.__name__] = library
        except Exception as error:  # a library that is too old for this NumPy may raise anything
            missing.append(f"{library.__name__} ({error})")
    return found, missing


def measure(libraries: dict[str, Callable[[bool], Run]], n: int, rounds: int, clock: Callable[[], float]) -> Any:
    """Microseconds per op of each (library, variant); they take turns, so that drift of the machine affects all."""
    runs = {(name, v): make(learns) for name, make in libraries.items() for v, learns in VARIANTS.items()}
    for (name, v), run in runs.items():
        gx, gb = run(n)  # warm-up, and does it compute the gradients?
        if np.asarray(gx).item() != 1 or (VARIANTS[v] and np.asarray(gb).item() != n):
            raise AssertionError(f"{name}: dy/dx is {gx} and dy/db is {gb}, but expected 1 and {n}")
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            gc.collect()  # no library pays for another's garbage
            start = clock()
            run(n)
            times[key].append((clock() - start) / n * 1e6)
    return times


def shown(median: float, least: float, most: float) -> str:
    return f"{median:6.2f} ({least:.2f} to {most:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--ops", type=int, default=1000, help="length of the chain (default 1000)")
    parser.add_argument("--rounds", type=int, default=50, help="how often each library is timed (default 50)")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu", help="CPU time (default) or elapsed time")
    options = parser.parse_args()
    libraries, missing = installed()
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    times = measure(libraries, options.ops, options.rounds, clock)
    print(
        f"us an op ({options.clock} time): forward and backward of {options.ops:,} adds of one float32\n"
        f"median (min to max) of {options.rounds} interleaved rounds; ratio to tinygen, round by round\n"
        f"Python {platform.python_version()}, {platform.machine()}"
    )
    for v in VARIANTS:
        print(f"\n{v:<20}{'us an op':<26}ratio to tinygen")
        for name in libraries:
            own, against = spread(times[name, v]), ratio(times[name, v], times["tinygen", v])
            print(f"{name + ' ' + version(name):<20}{shown(*own):<26}{shown(*against)}")
    if missing:
        print("\nmissing: " + "\n         ".join(missing))


if __name__ == "__main__":
    main()
