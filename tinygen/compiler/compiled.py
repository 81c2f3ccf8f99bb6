"""`compile`: a training step that is traced once and then runs as a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UserError
from ..layers.module import thread_state
from ..places import lines_above
from ..tape import mode
from ..tracing import Untraceable, recording
from .backends import load_back_end
from .compare import difference
from .nest import key_of, put_together, taken_apart
from .passes import optimised
from .program import Program
from .state import State
from .trace import Trace

_KEPT = 8  # programs, for batches of as many shapes
_PATIENCE = 20  # traces after which a step whose settings change all the time stays eager


class Compiled:
    """A step that runs as a program; where it can't, it runs as it was written, and `reason` says why.

    The first call with a batch of a new shape traces the step, which computes nothing, and compiles it. When a setting
    of a module or an optimiser, or the array of a Tensor, is replaced, the next call traces again.
    """

    def __init__(self, function: Callable[..., Any], roots: dict[str, Any], name: str, back_end: str | None = None):
        self.function, self.name, self._back_end = function, name, load_back_end(back_end)
        self.reason: str | None = None
        self.program: Program | None = None
        self._roots, self._traces = roots, 0
        self._state: State | None = None
        self._ready: dict[Any, tuple[Program, Any, Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        if self.reason is not None or mode.tracer is not None or thread_state.watcher is not None:
            return self.function(*arguments)
        arrays: list[Any] = []
        form = taken_apart(arguments, arrays)
        if self._state is not None and self._state.changed():
            self._ready.clear()
        key = key_of(form), *((a.shape, a.dtype) for a in arrays)
        ready = self._ready.get(key) or self._prepare(key, form, arrays)
        if ready is None:
            return self.function(*arguments)
        self.program, executable, returned = ready
        return put_together(returned, executable.run(arrays))

    def _prepare(self, key: Any, form: Any, arrays: list[Any]) -> Any:
        """The program for such a batch; None if there is none."""
        self._traces += 1
        if self._traces > _PATIENCE:
            self.reason = f"its settings, or the shapes of its batches, changed {_PATIENCE} times"
            return None
        self._state = State(self._roots)
        try:
            program, returned = self._written(self._state, form, arrays)
        except Untraceable as error:
            self.reason = reason_of(error)
            return None
        while len(self._ready) >= _KEPT:
            self._ready.pop(next(iter(self._ready)))
        program = optimised(program)
        self._ready[key] = program, self._back_end(program), returned
        return self._ready[key]

    def trace(self, *arguments: Any) -> Program:
        """The step as it is written down for such a batch, before the passes; nothing is computed.

        Raises Untraceable if it can't be compiled.
        """
        arrays: list[Any] = []
        form = taken_apart(arguments, arrays)
        return self._written(State(self._roots), form, arrays)[0]

    def _written(self, state: State, form: Any, arrays: list[Any]) -> tuple[Program, Any]:
        """The step as a program and the form of what it returns, if the step after it is the same program."""
        made = []
        for trace in (Trace(self.name), Trace(self.name)):
            with state.traced(trace), recording(trace):
                batch = [trace.input(a, "x" if i == 0 else f"x{i}") for i, a in enumerate(arrays)]
                outputs: list[Any] = []
                returned = taken_apart(self.function(*put_together(form, batch)), outputs)
                made.append((trace.program(outputs), returned))
        (program, returned), (again, _) = made
        if why := difference(program, again):
            raise Untraceable(why)
        return program, returned

    train_step = __call__


def reason_of(error: Untraceable) -> str:
    """Why a step can't be compiled, with the line of code."""
    places = lines_above(_innermost(error))
    return f"{error} ({places[0]})" if places else str(error)


def _innermost(error: BaseException) -> Any:
    """The frame in which an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame if trace else None


def compile(step: Any, back_end: str | None = None) -> Compiled:
    """A model's train_step, or a function, as a program: the same results, to rounding, in less time.

    step: a Model, or a function of arrays that uses modules, optimisers and generators. Random numbers are those of
    the step as written. What a program can't do, such as to decide by a value, leaves the step as it is; `reason` says
    what.
    """
    if hasattr(step, "train_step"):
        return Compiled(step.train_step, {"": step}, step.name, back_end)
    if not callable(step):
        raise UserError(f"compile: expected a model or a function, but got {type(step).__name__}")
    return Compiled(step, _held_by(step), step.__name__, back_end)


def _held_by(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function uses besides its arguments, by name: its closure, its globals, the object that it belongs to."""
    roots = {"": function.__self__} if hasattr(function, "__self__") else {}
    inner = getattr(function, "__func__", function)
    code = getattr(inner, "__code__", None)
    if code is None:
        return roots
    cells = zip(code.co_freevars, inner.__closure__ or (), strict=True)
    return {
        **{name: inner.__globals__[name] for name in code.co_names if name in inner.__globals__},
        **{name: cell.cell_contents for name, cell in cells},
        **roots,
    }
