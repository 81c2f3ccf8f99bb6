"""`compile`: a training step that is traced once and then runs as a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import current_device, device_of
from ..errors import UserError
from ..kernels.memory import give_back
from ..layers.module import thread_state
from ..places import lines_of
from ..processes import share
from ..tape import mode
from ..tracing import Untraceable, recording, tracing
from .backends import check_back_end, default_back_end, in_words, load_back_end
from .compare import difference
from .memory import likeness
from .nest import key_of, put_together, taken_apart
from .passes import optimised
from .program import Program
from .state import Effects, State
from .trace import Trace

_KEPT = 8  # programs, for batches of as many shapes
_PATIENCE = 20  # traces after which a step whose settings change all the time stays eager


class Compiled:
    """A step that runs as a program; where it can't, it runs as it was written, and `reason` says why.

    The first call with a batch of a new shape traces the step, which computes nothing, and compiles it. When a setting
    of a module or an optimiser, or the array of a Tensor, is replaced, the next call traces again.
    It is for one thread: while a step is traced, the Tensors of its networks hold no numbers, and each call writes into
    the same memory. No other thread may use these networks, or call it, during a call.

    program: the last one that was compiled or run.  back_end: what runs it.  seconds: spent on tracing and compiling so
    far.
    """

    def __init__(self, step: Any, name: str, back_end: str | None = None):
        check_back_end(back_end)
        self.name, self._wanted = name, back_end
        self.back_end = back_end or default_back_end(current_device())
        self.reason: str | None = None
        self.program: Program | None = None
        self.seconds = 0.0
        self._step, self._traces = step, 0
        self._forget()

    def __repr__(self) -> str:
        if self.reason is not None:
            return f"not compiled: {self.reason}"
        if self.program is None:
            return "not compiled yet"
        notes = {ready.executable.note for ready in self._ready.values()} - {""}
        return ", ".join([f"compiled: {self.program.size()}", in_words(self.back_end), *sorted(notes)])

    @property
    def function(self) -> Callable[..., Any]:
        """The step as it is written: a model's train_step, which may have been replaced, or a function."""
        return getattr(self._step, "train_step", self._step)

    def _forget(self) -> None:
        self._state: State | None = None
        self._ready: dict[Any, _Ready] = {}
        self._variants: list[Callable[[], Any]] = []  # what the step asks, to know of which kind it is

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes: no program, whose arrays are those of this step's networks."""
        return vars(self) | {"_state": None, "_ready": {}, "_variants": [], "program": None}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        arrays: list[Any] = []
        ready, why = self._find(arguments, named, arrays)
        if ready is None or ready.effects.lies_in(arrays):
            made = self.function(*arguments, **named)
            self.reason = self.reason or why or None
            return made
        made = ready.executable.run(arrays)
        ready.effects.leave(made)
        return put_together(ready.returned, made, results=True)

    def prepare(self, *arguments: Any, **named: Any) -> None:
        """Compile the step for such a batch, without taking it."""
        _, why = self._find(arguments, named, [])
        self.reason = self.reason or why or None

    def _find(self, arguments: Any, named: Any, arrays: list[Any]) -> tuple[_Ready | None, str]:
        """The program for these arguments, whose arrays are added to `arrays`; if there is none, None and why."""
        if self.reason is not None or mode.tracer is not None or thread_state.watcher is not None or tracing():
            return None, ""
        form = taken_apart((arguments, named), arrays)
        if self._state is None or self._state.changed():
            self._forget()
        try:
            ready = self._ready.get(self._key(form, arrays)) or self._prepare(form, arrays)
        except Untraceable as error:
            return None, reason_of(error)
        except Exception as error:  # perhaps one of the step's own, which it raises again
            return None, f"{type(error).__name__} while it was compiled: {reason_of(error)}"
        self.program = ready.program
        return ready, ""

    def _key(self, form: Any, arrays: list[Any]) -> Any:
        """On what a program depends, besides the state: what it is called with, and of which kind the step is."""
        return _key(form, arrays), *(function() for function in self._variants)

    def _prepare(self, form: Any, arrays: list[Any]) -> _Ready:
        """The program for such a batch. Raises Untraceable if there is none."""
        if self._traces >= _PATIENCE:
            raise Untraceable(f"its settings, or the shapes of its batches, changed {_PATIENCE} times")
        began = time.perf_counter()
        give_back()
        try:
            self._state = self._state or State({"": self._step})
            device = _device_of_all(self._state, arrays)
            self.back_end = self._wanted or default_back_end(device)
            back_end = load_back_end(self.back_end, device)
            variants = {function: function() for function in self._variants}
            program, returned, effects = self._written(self._state, form, arrays, variants)
            self._traces += 1
            self._variants = [*variants]
            while len(self._ready) >= _KEPT:
                self._ready.pop(next(iter(self._ready)))
            program = optimised(program)
            ready = self._ready[self._key(form, arrays)] = _Ready(program, back_end(program), returned, effects)
            give_back()
        finally:
            self.seconds += time.perf_counter() - began
        return ready

    def trace(self, *arguments: Any, **named: Any) -> Program:
        """The step as it is written down for such a batch, before the passes; nothing is computed.

        Raises Untraceable if it can't be compiled.
        """
        arrays: list[Any] = []
        form = taken_apart((arguments, named), arrays)
        return self._written(State({"": self._step}), form, arrays, {})[0]

    def _written(
        self, state: State, form: Any, arrays: list[Any], variants: dict[Callable[[], Any], Any]
    ) -> tuple[Program, Any, Effects]:
        """The step as a program, the form of what it returns, and what else it does, if the next step is the same.

        variants: the answers of `tracing.variant`, to which those of this step are added.
        """
        device, made = _device_of_all(state, arrays), []
        with state.kept():
            for trace in [Trace(self.name, device, variants) for _ in range(2)]:
                with state.traced(trace), recording(trace):
                    batch = [trace.input(a, "x" if i == 0 else f"x{i}") for i, a in enumerate(arrays)]
                    outputs: list[Any] = []
                    (arguments, named) = put_together(form, batch)
                    returned = taken_apart(self.function(*arguments, **named), outputs, state.kept_tensors)
                if any(x.storage.value.op != "input" for x in batch):
                    raise Untraceable("the step writes into its batch; copy it first: x = x.copy()")
                made.append((trace.program([*outputs, *state.gradients()]), returned))
            (program, returned), (again, returned_again) = made
            if why := difference(program, again):
                raise Untraceable(why)
            if key_of(returned) != key_of(returned_again):
                raise Untraceable("what the step returns besides arrays changes from step to step; return arrays")
        return program, returned, state.effects(len(outputs))

    train_step = __call__


class _Ready(NamedTuple):
    """A program that can run, the form of what it returns, and what else the step does."""

    program: Program
    executable: Any
    returned: Any
    effects: Effects


def _device_of_all(state: State, arrays: list[Any]) -> str:
    """The device on which the arrays of a step are. Raises Untraceable if they are on two."""
    devices = {device_of(a) for a in (*arrays, *(t.array for t in state.tensors))} or {current_device()}
    if len(devices) > 1:
        raise Untraceable("some of the step's arrays are on the CPU and some on a GPU")
    return devices.pop()


def _key(form: Any, arrays: list[Any]) -> Any:
    """On what a program depends, besides the state: the kind of the batch, and the blocks around the call."""
    kinds = [(a.shape, a.dtype, None if a.flags.c_contiguous else np.empty_like(likeness(a)).strides) for a in arrays]
    key = key_of(form), *kinds, mode.recording, mode.frozen, thread_state.evaluated, current_device(), share()
    try:
        hash(key)
    except TypeError:
        raise Untraceable("an argument of the step is neither an array nor a setting that can be compared") from None
    return key


def reason_of(error: BaseException) -> str:
    """Why a step can't be compiled, with the line of code outside of the engine, if there is one."""
    places = lines_of(error)
    return f"{error}, in {places[0]}" if places else str(error)


def compile(step: Any, back_end: str | None = None) -> Compiled:
    """A model's train_step, or a function, as a program: the same results, to rounding, in less time.

    step: a Model, or a function of arrays that uses modules, optimisers and generators. Random numbers are those of
    the step as written. A step that does what a program can't, such as to decide by a value, runs as it was written;
    `reason` says why. Use its networks in no other thread during a call: see `Compiled`.
    back_end: "native", "numpy" or "plain"; by default "native" if llvmlite is installed and TINYGEN_NUMBA is not 0,
    else "numpy". On a GPU it is "cupy", and the step is launched as one CUDA graph where it can be.
    Raises UserError unless step is a model or a function, and ConfigError for another back_end.

    >>> @tg.compile
    ... def step(x):
    ...     return (tg.ops.tanh(x) ** 2).mean()
    >>> step(np.zeros(3, np.float32)), step.reason
    (array(0., dtype=float32), None)
    """
    name = getattr(step, "__name__", type(step).__name__)
    if hasattr(step, "train_step"):
        return Compiled(step, step.name, back_end)
    if not callable(step):
        raise UserError(f"compile: expected a model or a function, but got {name}")
    return Compiled(step, name, back_end)
