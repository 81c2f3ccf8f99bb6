"""Numbers in a trace: what Python computes anew in each step, such as a learning rate."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..tracing import Untraceable
from .program import Value

if TYPE_CHECKING:
    from .trace import Trace


class Number:
    """A number that changes from step to step: its value in this step, and where a program computes it."""

    def __init__(self, trace: Trace, value: Value, now: Any):
        self.trace, self.value, self.now = trace, value, now

    def _refuse(self, *_: Any) -> Any:
        raise Untraceable(
            "a number that changes from step to step decides what Python does, or is lost in a function of Python's; "
            "compute with it in tg.per_step(function, number)"
        )

    __bool__ = __float__ = __int__ = __index__ = __round__ = __floor__ = __str__ = __format__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse
    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return self.trace.call(operator.neg, (self,))

    def __abs__(self) -> Any:
        return self.trace.call(operator.abs, (self,))


def _number_operator(function: Callable[[Any, Any], Any], swapped: bool) -> Callable[[Number, Any], Any]:
    def apply(x: Number, other: Any) -> Any:
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        return x.trace.call(function, (other, x) if swapped else (x, other))

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "floordiv"):
    setattr(Number, f"__{_name}__", _number_operator(getattr(operator, _name), False))
    setattr(Number, f"__r{_name}__", _number_operator(getattr(operator, _name), True))
