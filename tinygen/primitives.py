"""`primitive` makes an op of a function on arrays, with one derivative rule an argument.

Called with arrays it is just that function; called with a Tensor among its arguments it returns a Tensor and leaves a
Node on the tape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, Protocol, overload

import numpy as np

from .backend import Array
from .cuts import FROZEN, Cut
from .rules import Op
from .tape import Node, Version, mode
from .tensor import Tensor

_new_tensor, _Scalar = Tensor.__new__, np.generic

PRIMITIVES: dict[str, Callable[..., Any]] = {}
P = ParamSpec("P")


class Primitive(Protocol[P]):
    """What `primitive` makes of a function, as a type checker sees it: it returns a Tensor, and takes rules."""

    op: Op

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor: ...
    def rules(self, *rules: Callable[..., Any] | None) -> None: ...
    def joint(self, rule: Callable[..., Any], without: Sequence[str] = ()) -> None: ...
    def fused(self, rule: Callable[..., Any]) -> None: ...


@overload
def primitive(fn: Callable[P, Any]) -> Primitive[P]: ...
@overload
def primitive(*, elementwise: bool = False) -> Callable[[Callable[P, Any]], Primitive[P]]: ...
@overload
def primitive(*, elementwise: bool = False, aux: bool) -> Any: ...


def primitive(fn: Any = None, *, elementwise: bool = False, aux: bool = False) -> Any:
    """Make a function on arrays a primitive, which takes Tensors too and is recorded on the tape.

        @primitive
        def tanh(x): return array_module(x).tanh(x)
        tanh.rules(lambda gy, y, x: gy * (1 - y * y))

    fn takes its differentiable arguments by position. `.rules(...)` gives the gradient of each argument from gy, y and
    all arguments; `flat` in place of one says that the result moves in steps, as sign(x) does, and None that there is
    no rule, so a Tensor that requires grad is an error there. `.joint(rule)` gives all in one tuple; `without` names
    arguments that it leaves out. Rules use operators and tg.ops only.
    elementwise: arguments broadcast, so the engine sums each gradient back to its argument's shape.
    `.fused(rule)` gives all at first order, in a tuple, where a kernel does so faster.
    aux: fn returns (y, *more) and so does the primitive; more are plain arrays without gradients, read only by the
    fused rule, which takes gy, y, the arguments, then more.

    >>> @tg.primitive
    ... def cube(x):
    ...     return x**3
    >>> cube.rules(lambda gy, y, x: 3 * gy * x * x)
    >>> x = tg.tensor([2.0], requires_grad=True)
    >>> tg.grad(cube(x).sum(), x)
    Tensor([12.], dtype=float32)
    """
    if fn is None:
        return functools.partial(primitive, elementwise=elementwise, aux=aux)
    op = Op(fn, elementwise)
    plans, arity = op.plans, op.arity
    unrecorded, in_steps = Cut(f"no_grad(), around {op.title}"), Cut(f"{op.title}, whose result moves in steps")

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or (len(args) != arity and arity >= 0):
            args = op.bind(args, kwargs)
        key, bit, inputs, nodes, any_tensor, lists, cut = 0, 1, [], [], False, False, None
        for a in args:
            if isinstance(a, Tensor):
                any_tensor = True
                inputs.append(a.array)
                node = a.node
                if node is not None:
                    key |= bit
                    nodes.append(node)
                elif a.cut is not None:
                    cut = a.cut
            else:
                inputs.append(a)
                if type(a) is list or type(a) is tuple:
                    lists = True
            bit += bit
        if lists:
            inputs = op.read_lists(inputs)
        try:
            y = fn(*inputs)
        except Exception as error:
            better = op.refusal(inputs, error)
            if better is error:
                raise
            raise better from error
        if aux:
            y, *more = y
        if isinstance(y, _Scalar):
            y = np.asarray(y)
        if not any_tensor:
            return (y, *more) if aux else y
        if key and (recording := mode.recording) is not True:
            if not recording:
                key, cut = 0, unrecorded
            elif recording.issuperset(nodes):  # as in all of a frozen network
                key, cut = 0, nodes[-1].leaf or FROZEN
            elif not recording.isdisjoint(nodes):
                key, nodes, cut = _not_frozen(args, recording, cut)
        node = None
        version = None if y.base is None and y is not inputs[0] and y is not inputs[-1] else _shared_version(y, args)
        if key:
            key |= bit
            plan = None  # integers move in steps
            if y.dtype.kind == "f":
                plan = plans[key] if key in plans else op.plan(key)
            elif y.dtype.kind not in "iub":
                raise TypeError(
                    f"{op.title}: the result would be {y.dtype}, but gradients flow through real numbers only"
                )
            if plan is None:
                cut = in_steps
            else:
                if plan.skips:
                    nodes, cut = [args[i].node for i in plan.positions], in_steps
                node = Node(plan, y, nodes, plan.keep(y, inputs) if plan.blank is None else plan.blank)
                if plan.whole:
                    node.versions = plan.watch(node.saved, args, version)
                if aux:
                    node.aux = more
                if cut is not None:
                    node.cut = cut
        if mode.tracer is not None:
            where = mode.tracer(op.name, "forward", tuple(inputs), y, None)
            if node is not None:
                node.where = where
        result = _new_tensor(Tensor)  # as wrap() does, without the call
        result.array = y
        result.node = node
        if version is not None:
            result.version = version
        if cut is not None and node is None:
            result.cut = cut
        return (result, *more) if aux else result

    call.rules, call.joint, call.fused, call.op = op.set_rules, op.set_joint, op.set_fused, op  # type: ignore[attr-defined]
    PRIMITIVES.setdefault(op.name, call)  # a user's tanh does not replace ours
    return call


def _not_frozen(args: Sequence[Any], frozen: Any, cut: Any) -> tuple[int, list[Node], Any]:
    """The key and the nodes of a call in a frozen() block: those of the arguments that are not frozen."""
    key, bit, nodes = 0, 1, []
    for a in args:
        node = a.node if isinstance(a, Tensor) else None
        if node is not None:
            if node in frozen:
                cut = node.leaf or FROZEN
            else:
                key |= bit
                nodes.append(node)
        bit += bit
    return key, nodes, cut


def _shared_version(y: Array, args: Sequence[Any]) -> Version | None:
    """The version of the argument that y is a view of, if it is one."""
    base = y if y.base is None else y.base
    for a in args:
        if isinstance(a, Tensor) and (base is a.array or base is a.array.base):
            return a.version
    return None


elementwise: Any = functools.partial(primitive, elementwise=True)
