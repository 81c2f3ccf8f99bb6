"""`grad`: dy/dx for each x asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, overload

from .backend import array_module, array_of, is_array
from .cuts import CONSTANT, NO_GRAPH, check_used
from .errors import GradientError
from .tape import Node, brief, describe, walk_back
from .tensor import Tensor, start, wrap


@overload
def grad(  # type: ignore[overload-overlap]
    y: Tensor,
    xs: Tensor,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    unused: Literal["error", "zeros"] = "error",
) -> Tensor: ...
@overload
def grad(
    y: Tensor,
    xs: Iterable[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    unused: Literal["error", "zeros"] = "error",
) -> list[Tensor]: ...
def grad(
    y: Tensor,
    xs: Any,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    unused: Literal["error", "zeros"] = "error",
) -> Any:
    """dy/dx for each x of xs (a Tensor, or a sequence, which gives a list), times grad_outputs if y is not a scalar.

    Touches no `.grad`. create_graph: the gradients are on the tape themselves. retain_graph: keep the graph for another
    backward; None means the same as create_graph. unused: what to do about an x that y does not depend on: "error"
    says where the tape was cut, "zeros" gives zeros. (A derivative that has lost its x, as 2 of 2x, has derivative 0.)
    Raises GradientError as backward does.

    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> dy = tg.grad((x**3).sum(), x, create_graph=True)
    >>> tg.grad(dy.sum(), x)
    Tensor([ 6., 12., 18.], dtype=float32)
    """
    if unused not in ("error", "zeros"):
        raise ValueError(f'grad: unused is {unused!r}, but it must be "error" or "zeros"')
    many = _targets(xs)
    root, gy = start(y, grad_outputs, "grad")
    gy = (gy if isinstance(gy, Tensor) else wrap(gy, None)) if create_graph else array_of(gy)
    retain = create_graph if retain_graph is None else retain_graph
    found = walk_back(root, gy, {x.node for x in many}, retain, wrap if create_graph else None) if many else {}
    missing = [i for i, x in enumerate(many) if x.node not in found]
    if missing and unused == "error":
        check_used(y, many, missing)
    results = []
    for x in many:
        g, fresh = found.get(x.node, (None, False))
        results.append(_result(x, g, fresh, create_graph))
        found[x.node] = g, False  # an x named twice gets two gradients
    return results[0] if isinstance(xs, Tensor) else results


def _targets(xs: Any) -> list[Any]:
    """The Tensors whose gradients are wanted. Raises GradientError for anything that can't have one."""
    if isinstance(xs, Tensor):
        many = [xs]
    elif isinstance(xs, Iterable) and not isinstance(xs, (str, dict)) and not is_array(xs):
        many = list(xs)
    else:
        raise GradientError(f"grad: xs must be a Tensor or a list of Tensors, but it is {brief(xs)}{_advice(xs)}")
    for i, x in enumerate(many):
        if not isinstance(x, Tensor):
            raise GradientError(f"grad: xs[{i}] must be a Tensor, but it is {brief(x)}{_advice(x)}")
        if not x.requires_grad:
            raise GradientError(f"grad: xs[{i}], {describe(x)}, does not require grad; is it frozen, or a constant?")
    return many


def _advice(x: Any) -> str:
    return "; give its parameters()" if hasattr(x, "parameters") else ""


def _result(x: Tensor, g: Any, fresh: bool, create_graph: bool) -> Tensor:
    """The gradient of x as the user gets it: sharing memory with nothing; under create_graph always on the tape."""
    if isinstance(g, Tensor) and g.node is not None:
        return g
    if g is None:
        result = Tensor(array_module(x).zeros(x.shape, x.dtype))
    else:
        data = array_of(g)
        result = Tensor(data if fresh else data.copy())
    if create_graph:
        result.node = Node(None, result.array)  # the derivative of a constant is 0, not an error
        result.node.cut = CONSTANT
    else:
        result.cut = NO_GRAPH
    return result
