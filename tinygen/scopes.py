"""Blocks in which the tape is written differently, and functions that run in such a block: no_grad, frozen, trace.

Each affects its own thread only, even if another thread uses the same module at the same time.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

from .backend import Array, is_array, is_tensor
from .tape import brief, mode

F = TypeVar("F", bound=Callable[..., Any])


class Scope:
    """A `with` block that can be entered any number of times, and a decorator.

    A decorated generator or coroutine runs each of its steps inside the block; between them its caller is outside.
    """

    def __init__(self, block: Callable[[], contextlib.AbstractContextManager[None]]):
        self._block, self._open = block, list[contextlib.AbstractContextManager[None]]()

    def __enter__(self) -> None:
        block = self._block()
        block.__enter__()
        self._open.append(block)

    def __exit__(self, *exception: Any) -> None:
        self._open.pop().__exit__(*exception)

    def __call__(self, function: F) -> F:
        if not callable(function):
            raise TypeError(f"no_grad, frozen and trace decorate functions, but this is {brief(function)}")
        block = self._block
        inside: Callable[..., Any]

        if inspect.isasyncgenfunction(function):

            def inside(*args: Any, **kwargs: Any) -> Any:
                return _async_steps(block, function(*args, **kwargs))

        elif inspect.iscoroutinefunction(function):

            async def inside(*args: Any, **kwargs: Any) -> Any:
                return await _CoroutineSteps(block, function(*args, **kwargs))

        elif inspect.isgeneratorfunction(function):

            def inside(*args: Any, **kwargs: Any) -> Any:
                return (yield from _steps(block, function(*args, **kwargs)))

        else:

            def inside(*args: Any, **kwargs: Any) -> Any:
                with block():
                    return function(*args, **kwargs)

        return functools.wraps(function)(inside)  # type: ignore[return-value]


def _steps(block: Callable[[], Any], steps: Any) -> Generator[Any, Any, Any]:
    """A generator's values, each computed inside a block; what is sent or thrown in is passed on to it."""
    step, argument = steps.send, None
    while True:
        try:
            with block():
                value = step(argument)
        except StopIteration as stop:
            return stop.value
        try:
            step, argument = steps.send, (yield value)
        except GeneratorExit:
            with block():
                steps.close()
            raise
        except BaseException as error:  # passed on, whatever it is
            step, argument = steps.throw, error


class _CoroutineSteps:
    """A coroutine's awaitable, each step run inside a block."""

    def __init__(self, block: Callable[[], Any], coroutine: Any):
        self._block, self._coroutine = block, coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self._block, self._coroutine.__await__())


async def _async_steps(block: Callable[[], Any], values: Any) -> AsyncGenerator[Any, Any]:
    """As _steps, for an asynchronous generator."""
    step, argument = values.asend, None
    try:
        while True:
            try:
                value = await _CoroutineSteps(block, step(argument))
            except StopAsyncIteration:
                return
            try:
                step, argument = values.asend, (yield value)
            except GeneratorExit:
                raise
            except BaseException as error:  # passed on, whatever it is
                step, argument = values.athrow, error
    finally:
        await _CoroutineSteps(block, values.aclose())


@overload
def no_grad(function: None = None) -> Scope: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: Any = None) -> Any:
    """Record nothing: `with no_grad():`, or as a decorator, `@no_grad()` or `@no_grad`. Results are constants.

    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    scope = Scope(_not_recording)
    return scope if function is None else scope(function)


@contextlib.contextmanager
def _not_recording() -> Iterator[None]:
    before, mode.recording = mode.recording, False
    try:
        yield
    finally:
        mode.recording = before


def frozen(module: Any) -> Scope:
    """Let gradients pass through a module (or Tensors) whose parameters are constants inside the block.

    Nests. Buffers, such as running statistics, still update. Raises TypeError for anything else.

    >>> D, x = tg.layers.Dense(2, 1), tg.tensor([[1.0, 2.0]], requires_grad=True)
    >>> with tg.frozen(D):
    ...     D(x).sum().backward()
    >>> x.grad is None, D.w.grad is None
    (False, True)
    """
    return Scope(functools.partial(_freezing, module))


@contextlib.contextmanager
def _freezing(module: Any) -> Iterator[None]:
    before = mode.recording, mode.frozen
    mode.frozen = mode.frozen | {p.node for p in _tensors(module) if p.node is not None}
    if mode.recording:  # True is faster to test than an empty set
        mode.recording = mode.frozen or True
    try:
        yield
    finally:
        mode.recording, mode.frozen = before


def _tensors(x: Any) -> Iterable[Any]:
    """The Tensors of one or more modules, or one or more Tensors themselves."""
    if is_tensor(x):
        return [x]
    if callable(getattr(x, "parameters", None)):
        return list(x.parameters())
    if isinstance(x, (str, bytes)) or is_array(x) or not isinstance(x, Iterable):
        raise TypeError(f"frozen: expected a module, a Tensor, or some of them, but got {brief(x)}")
    return [t for part in x for t in _tensors(part)]


@contextlib.contextmanager
def substituted(tensors: Sequence[Any], doubles: Sequence[Any]) -> Iterator[None]:
    """Within the block, give Tensors that other code holds the values, and the places on the tape, of `doubles`.

    The Tensors themselves change, so every thread sees it.
    """
    before = [(t.array, t.node) for t in tensors]
    try:
        for t, double in zip(tensors, doubles, strict=True):
            t.array, t.node = double.array, double.node
        yield
    finally:
        for t, (array, node) in zip(tensors, before, strict=True):
            t.array, t.node = array, node


def trace(callback: Callable[[str, str, Any, Array, Any], Any]) -> Scope:
    """Call callback(op, "forward" | "backward", inputs, output, where) for each op and each rule.

    `where` is what the callback returned at the op's forward, say the line of the user's code that called it.
    """
    return Scope(functools.partial(_traced, callback))


@contextlib.contextmanager
def _traced(callback: Callable[..., Any]) -> Iterator[None]:
    before, mode.tracer = mode.tracer, callback
    try:
        yield
    finally:
        mode.tracer = before
