"""Why a call failed, in a sentence that names the op, the argument, what was expected and what came."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from .backend import array_module, is_array, is_tensor
from .names import MissingName
from .tape import brief

F = TypeVar("F", bound=Callable[..., Any])

# what Python and NumPy raise
_PLAIN = (TypeError, ValueError, IndexError, KeyError, AttributeError, ZeroDivisionError, OverflowError)
_THEIRS = ("builtins", "numpy", "cupy")
_SENTENCE = re.compile(r"\w+(\(.*\))?: ")  # with the name of an op in front


def arrays_of(signature: inspect.Signature) -> frozenset[str]:
    """The parameters that take Tensors and arrays: those annotated Any."""
    return frozenset(name for name, p in signature.parameters.items() if p.annotation in ("Any", Any))


def refusal(title: str, named: Sequence[tuple[str, Any]], arrays: frozenset[str], error: Exception) -> Exception:
    """The error to raise for one that a call of `title` raised: a clearer one if it is Python's or NumPy's own."""
    origin = "builtins" if isinstance(error, MissingName) else type(error).__module__.partition(".")[0]
    clear = str(error).startswith(f"{title}: ") or (origin == "builtins" and _SENTENCE.match(str(error)))
    if not isinstance(error, _PLAIN) or origin not in _THEIRS or clear:
        return error
    for name, x in named:
        if name in arrays and not _is_numbers(x):
            return TypeError(f"{title}: {name} must be a Tensor, an array or a number, but it is {_what(x)}")
    kinds = (type(error) if type(error).__name__ == "AxisError" else TypeError, TypeError, IndexError, ValueError)
    kind = next((k for k in kinds if isinstance(error, k)), TypeError)
    return kind(f"{title}: {error}")


def _is_numbers(x: Any) -> bool:
    if is_tensor(x) or is_array(x) or isinstance(x, np.generic):
        return x.dtype.kind in "fiub"
    return isinstance(x, (int, float))


def _what(x: Any) -> str:
    if isinstance(x, (list, tuple)):
        advice = "tg.ops.stack joins Tensors" if any(map(is_tensor, x)) else "tg.tensor makes it one"
        return f"a {type(x).__name__}; {advice}, if its rows are of equal length"
    return brief(x)


def read_list(x: Any, others: Sequence[Any]) -> Any:
    """A list of numbers as an array on the device of the first array among the others; in its dtype if that is a float
    type and the list holds floats or whole numbers, as a Python number is. Raises ValueError or TypeError otherwise."""
    like: Any = next((a for a in others if hasattr(a, "dtype") and hasattr(a, "shape")), None)
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError("expected numbers")
    if array.dtype.kind == "f" or (array.dtype.kind == "i" and like is not None):
        kept = like is not None and like.dtype.kind == "f"
        array = array.astype(like.dtype if kept else np.float32 if array.dtype.kind == "f" else array.dtype)
    return array_module(like).asarray(array)


def explained(fn: F) -> F:
    """Give a function made of ops the same kind of errors as the ops."""
    signature = inspect.signature(fn)
    arrays = arrays_of(signature)
    plain = signature.replace(
        parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
        return_annotation=signature.empty,
    )

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except _PLAIN as error:
            try:
                named = list(signature.bind(*args, **kwargs).arguments.items())
            except TypeError as misfit:
                raise TypeError(f"{fn.__name__}{plain}: {misfit}") from None
            better = refusal(fn.__name__, named, arrays, error)
            if better is error:
                raise
            raise better from error

    return call  # type: ignore[return-value]
