"""Is a derivative right? Backward against differences, at first order and above.

For y = f(x), J = dy/dx, a random u and a direction v, backward gives ⟨Jᵀu, v⟩ and differences give ⟨u, Jv⟩. The two
must agree, for each input separately. Order 2 checks the function (x, u) -> Jᵀu in the same way, and so on: order n
checks the gradients that order n - 1 found. All in float64.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

from .backend import to_host
from .checks import number, type_of, whole
from .differences import STEPS, Neighbourhood, typical_size
from .gradients import grad
from .random import Generator
from .scopes import substituted
from .tensor import Tensor, tensor

Function: TypeAlias = "Callable[[Sequence[Tensor], bool], list[Tensor]]"  # of the inputs, and whether to keep the graph

DIRECTIONS = 32  # at most, per input: one with more elements is moved group by group
SAFETY = 10.0  # so many times the measured rounding is allowed


class _Options(NamedTuple):
    """The options of a check."""

    elementwise: bool
    rtol: float
    atol: float
    eps: float
    draw: Callable[[tuple[int, ...]], np.ndarray]


class Comparison(NamedTuple):
    """One number found both ways: how an output changes with an input."""

    order: int
    output: str  # y, or the gradient of an input; one element of it, or their sum weighted by u
    moved: str  # the input, and which of its elements
    numeric: float
    analytic: float
    error: float  # relative

    def __str__(self) -> str:
        return f"order {self.order}: relative error {self.error:.1e} in how {self.output} changes with {self.moved}"


class GradcheckError(AssertionError):
    """A gradient that differs from the differences (`worst` says which), or a function that can't be checked.

    >>> tg.gradcheck(lambda x: x.detach(), [tg.tensor([1.0])])
    Traceback (most recent call last):
        ...
    tinygen.gradcheck.GradcheckError: gradcheck, order 1: 1 of 1 comparisons disagree; ...
    """

    worst: Comparison | None = None


class GradcheckReport(NamedTuple):
    """What gradcheck found: how many comparisons it made, and the worst of each order."""

    comparisons: int = 0
    worst: dict[int, Comparison] = {}  # noqa: RUF012

    @property
    def error(self) -> float:
        """The worst relative error of all orders."""
        return max((c.error for c in self.worst.values()), default=0.0)

    def __repr__(self) -> str:
        return f"GradcheckReport({self.comparisons} comparisons agree, relative error {self.error:.1e})"

    def __str__(self) -> str:
        return "\n  ".join([f"gradcheck: {self.comparisons} comparisons agree", *map(str, self.worst.values())])


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    order: int = 2,
    *,
    elementwise: bool = False,
    rtol: float = 1e-8,
    atol: float = 1e-11,
    eps: float = 3e-3,
    rng: Generator | None = None,
) -> GradcheckReport:
    """Check the gradients of f, of orders 1 to `order`, with respect to every floating input; report the worst errors.

        tg.gradcheck(tg.ops.matmul, [a, b])                         a function of its arguments
        tg.gradcheck(model, x)                                      a Module: its parameters as well
        tg.gradcheck(lambda: loss(model(x)), model.parameters())    Tensors that f uses but does not take

    f returns a Tensor or a tuple of them. Inputs are Tensors or arrays; float64 copies are checked, integers are passed
    on. f is called some hundred times per input, and what it changes (running statistics) stays changed.

    elementwise: compare every dy[j]/dx[i]. By default u has no element near 0, and v moves one element of an input, or
    one group of elements with gradients of like size if there are more than 32.
    rtol: the error allowed, in units of Σ |(Jᵀu)ᵢ vᵢ|; right rules stay below 2e-9. On top of it, atol and
    the measured rounding of the differences are allowed.
    eps: the step of the differences (of sixth order), in units of the element moved; near kinks it shrinks to eps/1024.
    rng: draws u and v; the same in each call by default.

    Raises GradcheckError with both values, where, and what to check; TypeError or ValueError for unusable arguments.

    >>> tg.gradcheck(tg.ops.tanh, [tg.tensor([0.3, -1.2])])
    GradcheckReport(6 comparisons agree, relative error ...)
    """
    order, rtol = whole("gradcheck", "order", order, 1), number("gradcheck", "rtol", rtol, above=0)
    atol, eps = number("gradcheck", "atol", atol, 0), number("gradcheck", "eps", eps, above=0)
    if not callable(f) or not (hasattr(inputs, "shape") or isinstance(inputs, (int, float, Iterable))):
        raise TypeError(f"gradcheck: expected a function and its inputs, not {type_of(f)} and {type_of(inputs)}")
    if rng is not None and not isinstance(rng, Generator):
        raise TypeError(f"gradcheck: rng is {rng!r}, but it must be a Generator, such as Generator(0)")
    fn, points, names = _function_of_floats(f, inputs)
    draw = functools.partial(_off_zero, rng or Generator(0, "gradcheck", "cpu"))
    options = _Options(elementwise, rtol, atol, eps, draw)
    comparisons, worst = 0, {}
    for n in range(1, order + 1):
        check = _Order(n, fn, points, names, options)
        found = check.run()
        if found is not None:
            worst[n] = found
        comparisons += check.comparisons
        fn, points = functools.partial(_gradients, fn, len(points)), [*points, *map(draw, check.near.shapes)]
        names = [*names, *("g" * n + y for y in check.outputs)]
    return GradcheckReport(comparisons, worst)


# The functions that are checked: f, its gradients, their gradients ...


def _function_of_floats(f: Callable[..., Any], inputs: Any) -> tuple[Function, list[np.ndarray], list[str]]:
    """f as a function of the floating inputs alone; their values, in float64; their names."""
    given = [inputs] if hasattr(inputs, "shape") or isinstance(inputs, (int, float)) else list(inputs)
    arguments = _argument_names(getattr(f, "forward", f))  # a Module takes what its forward() takes
    if arguments is None:  # f takes none: the inputs are Tensors that it uses
        passed, used = [], given
        if not all(isinstance(t, Tensor) for t in used):
            raise TypeError("gradcheck: f takes no arguments, so the inputs must be the Tensors that it uses")
    else:
        passed, used = [tensor(x) for x in given], f.parameters() if hasattr(f, "parameters") else []
    floats = [i for i, t in enumerate(passed) if t.dtype.kind == "f"]
    used = [t for t in used if t.dtype.kind == "f"]
    if not floats and not used:
        raise TypeError("gradcheck: no input is floating; write 2.0 for 2, or dtype=float")

    def fn(xs: Sequence[Tensor], graph: bool) -> list[Tensor]:
        args = list(passed)
        for i, x in zip(floats, xs, strict=False):
            args[i] = x
        with substituted(used, xs[len(floats) :]):
            ys = f(*args)
        ys = ys if isinstance(ys, (tuple, list)) else (ys,)
        for y in ys:
            if not isinstance(y, Tensor) or (y.dtype.kind == "f" and y.dtype != np.float64):
                raise TypeError(
                    "gradcheck: f must return a Tensor, or a tuple of them, in float64 for inputs in float64; got "
                    f"{getattr(y, 'dtype', type(y).__name__)}; does it call .numpy(), or astype()?"
                )
        return [y for y in ys if y.dtype.kind == "f"]

    points = [to_host(t.data).astype(np.float64) for t in (*(passed[i] for i in floats), *used)]
    names = [(arguments or [])[i] if i < len(arguments or []) else f"inputs[{i}]" for i in floats]
    return fn, points, [*names, *(t.name or f"inputs[{i}]" for i, t in enumerate(used))]


def _argument_names(f: Callable[..., Any]) -> list[str] | None:
    """The names of f's positional arguments, as far as they have one; None if f takes no arguments at all."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # written in C
        return []
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] if parameters else None


def _gradients(fn: Function, n: int, args: Sequence[Any], graph: bool) -> list[Tensor]:
    """Jᵀu: the gradients of Σ ⟨u, y⟩ over fn's outputs y. args: fn's n inputs, and a u for each y, or None for none."""
    xs, us = args[:n], args[n:]
    total = [tensor(np.zeros(x.shape)) for x in xs]
    for y, u in zip(fn(xs, True), us, strict=True):
        if u is not None and y.requires_grad:
            try:
                gs = grad(y, xs, u, create_graph=graph, retain_graph=True, unused="zeros")
            except Exception as error:
                advice = "; a rule that is to be differentiated again consists of operators and tg.ops" if graph else ""
                raise GradcheckError(
                    f"gradcheck: backward failed with {type(error).__name__}: {error}{advice}"
                ) from error
            total = [a + b for a, b in zip(total, gs, strict=True)]
    return total


# Backward against differences


def _off_zero(rng: Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of size 0.5 to 1.5 and either sign: none of them hides what it multiplies."""
    return to_host(rng.uniform(shape, 0.5, 1.5, np.float64) * (2 * rng.integers(0, 2, shape) - 1))


class _Order:
    """The comparisons of one order: of each seed (a row of u's) with each group of elements of an input."""

    def __init__(self, order: int, fn: Function, points: list[np.ndarray], names: list[str], options: _Options):
        self.order, self.fn, self.names, self.options = order, fn, names, options
        directions = [options.draw(x.shape) * typical_size(x) for x in points]
        self.near = near = Neighbourhood(self._values, points, directions, options.eps, options.rtol)
        self._require_a_function()
        each = np.arange(len(near.sizes))
        self.owner = np.repeat(each, near.sizes)  # which output an element of the value belongs to
        self.u = options.draw(near.value.shape)
        self.seeds = np.diag(self.u) if options.elementwise else self.u * (self.owner == each[:, None])
        gradients = [self._backward(seed) for seed in self.seeds]
        self.terms = [  # of ⟨Jᵀu, v⟩, a row a seed
            np.reshape([g[i] * v for g in gradients], (len(gradients), v.size)) for i, v in enumerate(directions)
        ]
        self.outputs = names[: len(each)] if order > 1 else ["y"] if len(each) == 1 else [f"y{k}" for k in each]
        self.comparisons = self.wrong = 0

    def _values(self, points: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [to_host(y.data) for y in self.fn([tensor(x, requires_grad=True) for x in points], False)]

    def _require_a_function(self) -> None:
        value, again = self.near.value, self.near.at(0.0)
        if not np.isfinite(value).all():
            raise GradcheckError("gradcheck: f, or a gradient of it, is not finite at these inputs; move them")
        if np.abs(again - value).max(initial=0) > 1e-12 * np.abs(value).max(initial=0):
            raise GradcheckError(
                "gradcheck: f gives another result when it is called again with the same inputs; does it draw random "
                "numbers (dropout: use eval(), or set the generator's state in f), or change what it reads?"
            )

    def _backward(self, seed: np.ndarray) -> list[np.ndarray]:
        """The gradient of ⟨seed, value⟩ with respect to each input."""
        parts = np.split(seed, np.cumsum(self.near.sizes)[:-1])
        us = [tensor(u.reshape(shape)) if u.any() else None for u, shape in zip(parts, self.near.shapes, strict=True)]
        xs = [tensor(x, requires_grad=True) for x in self.near.points]
        return [to_host(g.data) for g in _gradients(self.fn, len(xs), [*xs, *us], False)]

    def run(self) -> Comparison | None:
        """Make all comparisons and return the worst; None if there are none. Raises GradcheckError if it is too bad."""
        tried = []
        for i in range(len(self.terms) if len(self.seeds) else 0):
            for group in self._groups(i):
                *_, error = self._compare(i, group)
                self.comparisons += error.size
                self.wrong += int((error > self.options.rtol).sum())
                tried.append((error.max(), (i, group, int(error.argmax()))))
        if not tried:
            return None
        error, worst = max(tried, key=lambda t: t[0])
        if error > self.options.rtol:
            self._fail(*worst)
        return self._describe(*worst)

    def _groups(self, i: int) -> list[np.ndarray]:
        """The elements of an input, in groups of like terms, so that no small one hides behind a large one."""
        size = np.abs(self.terms[i])
        share = (size / np.maximum(size.max(axis=1, keepdims=True, initial=0), np.finfo(float).tiny)).sum(axis=0)
        n = share.size if self.options.elementwise else min(share.size, DIRECTIONS)
        return np.array_split(np.argsort(share, kind="stable"), n) if n else []

    def _compare(self, i: int, group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """⟨u, Jv⟩ by differences and ⟨Jᵀu, v⟩ by backward, with v at 0 outside the group; and their relative error."""
        slope, rounding, _ = self.near.slope(i, group)
        terms = self.terms[i][:, group]
        numeric, analytic = self.seeds @ slope, terms.sum(axis=1)
        allowed = self.options.atol + SAFETY * (np.abs(self.seeds) @ rounding)
        size = np.abs(terms).sum(axis=1) + allowed / self.options.rtol
        difference = np.abs(numeric - analytic)
        with np.errstate(divide="ignore"):
            error = np.divide(difference, size, out=np.zeros_like(size), where=difference != 0)
        return numeric, analytic, np.nan_to_num(error, nan=np.inf)

    # The report

    def _describe(self, i: int, group: np.ndarray, row: int) -> Comparison:
        numeric, analytic, error = (a[row] for a in self._compare(i, group))
        v, x = self.near.directions[i], self.names[i]
        k = self.owner[row] if self.options.elementwise else row
        y = self.outputs[k] if self.order == 1 else f"the gradient of {self.outputs[k]}"
        scale = 1.0
        if self.options.elementwise:
            y += _index(row - int((self.owner < k).sum()), self.near.shapes[k])
            scale = self.u[row]
        if group.size == 1:
            x += _index(group[0], v.shape)
            scale *= v.ravel()[group[0]]
        else:
            x += f" along a random direction in {group.size} of its {v.size} elements"
        y = y if self.options.elementwise else f"u · {y}"
        return Comparison(self.order, y, x, float(numeric / scale), float(analytic / scale), float(error))

    def _fail(self, i: int, group: np.ndarray, row: int) -> NoReturn:
        """Raise the error for a comparison that failed, narrowed down to one element."""
        while group.size > 1:
            group = max(np.array_split(group, 2), key=lambda half: self._compare(i, half)[2][row])
        found = self._describe(i, group, row)
        weights = "(u: random weights of the elements; elementwise=True compares them one by one)"
        failure = GradcheckError(
            f"gradcheck, order {self.order}: {self.wrong} of {self.comparisons} comparisons disagree; the worst is\n"
            f"how {found.output} changes with {found.moved}:\n"
            f"  numeric   {found.numeric:.12g}\n"
            f"  analytic  {found.analytic:.12g}\n"
            f"  relative error {found.error:.1e}, allowed {self.options.rtol:.0e}\n"
            f"{self._advice(i, group, row, found)}" + ("" if self.options.elementwise else f"\n{weights}")
        )
        failure.worst = found
        raise failure

    def _advice(self, i: int, group: np.ndarray, row: int, found: Comparison) -> str:
        """The usual cause of such a discrepancy."""
        seed, h = np.abs(self.seeds[row]), self.options.eps * STEPS[-1]
        difference = abs(np.subtract(*[a[row] for a in self._compare(i, group)[:2]]))
        ratio = found.analytic / found.numeric if found.numeric else 0.0
        factor = 1 / ratio if 0 < abs(ratio) < 1 else ratio
        if not np.isfinite([found.numeric, found.analytic]).all():
            return "One is not finite: the input is at the edge of where f, or its derivative, is defined; move it."
        kink, doubt = seed @ np.abs(self.near.bend(h, i, group)) / h, seed @ self.near.slope(i, group)[2]
        if max(kink / 2, doubt) > difference / 4:
            return (
                "f has a kink here (relu or abs at 0, a tie in max), where it has no derivative, or changes too fast "
                "for the differences;\nmove the input, or try a smaller eps."
            )
        if self.order == 1 and found.analytic == 0:
            return "No gradient arrives: is there a rule that gives None, or a detach(), .data or .numpy() on the way?"
        if abs(ratio + 1) < 0.01:
            return "The sign is wrong."
        if self.order > 1:
            return (
                f"Order {self.order - 1} is right, so the rule's value is right, but not as a function of gy, y and "
                "the arguments:\ndoes it use what the forward pass left, .data, detach() or numpy? Recompute that."
            )
        if 1.5 < abs(factor) < 1e5 and abs(factor - round(factor)) < 1e-6:
            return f"It is off by a factor of {round(factor)}: is a sum over a broadcast axis missing, or a mean's 1/n?"
        return "Compare the rule with the textbook: is each factor there, in its place, and not transposed?"


def _index(i: int, shape: tuple[int, ...]) -> str:
    """[1, 2] for element i, in C order, of an array of the shape; nothing if it is 0-d."""
    return f"[{', '.join(map(str, np.unravel_index(i, shape)))}]" if shape else ""
