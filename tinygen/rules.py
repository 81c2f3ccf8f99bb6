"""A primitive's derivative rules, and what the tape has to keep of a call for them.

Nobody declares what a rule needs: it is read off the rule. `lambda gy, y, x: gy * (1 - y * y)` keeps y and not x, and
`lambda gy, y, x: gy.reshape(x.shape)` keeps the shape of x and not its values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .backend import Array, is_array
from .bytecode import reads
from .errors import GradientError
from .refusals import arrays_of, read_list, refusal
from .tape import Version, brief

_FIXED = {int, float, bool, str, tuple, type(None)}  # types of arguments that can't change


class Fact(NamedTuple):
    """What the tape keeps of an argument if the rules read only its shape or dtype."""

    shape: tuple[int, ...]
    dtype: Any
    ndim: int


def flat(gy: Any, y: Any, *arguments: Any) -> Any:
    """Instead of a rule: the result moves in steps with this argument, so the derivative is zero where there is one.

    >>> @tg.primitive
    ... def steps(x):
    ...     return tg.array_module(x).floor(x)
    >>> steps.rules(tg.flat)
    >>> x = tg.tensor([1.5], requires_grad=True)
    >>> tg.grad((x * steps(x)).sum(), x)
    Tensor([1.], dtype=float32)
    """
    raise NotImplementedError("flat stands for a rule that is never called")


class Plan:
    """What the tape does for one set of arguments that require grad. In `saved`, y is 0 and argument i is i + 1."""

    op: Op
    rules: tuple[Callable[..., Any] | None, ...] | None  # one an argument; None if one serves all
    first_rules: tuple[Callable[..., Any] | None, ...] | None  # the same, of first order
    positions: tuple[int, ...]  # of the arguments whose gradients are wanted
    skips: bool  # whether y also depends, in steps, on others that require grad
    whole: tuple[int, ...]  # what the rules read, in `saved`
    facts: tuple[int, ...]  # that of which they read only the shape or dtype
    unread: tuple[int, ...]
    blank: tuple[None, ...] | None  # `saved`, if they read nothing

    __slots__ = ("blank", "facts", "first_rules", "op", "positions", "rules", "skips", "unread", "whole")

    def __init__(self, **values: Any):  # a dataclass takes a millisecond of `import tinygen`
        for name, value in values.items():
            setattr(self, name, value)

    def keep(self, y: Array, inputs: Sequence[Any]) -> Sequence[Any]:
        """What the rules will get: each value, a Fact of it, or None if no rule reads it."""
        saved = [y, *inputs]
        for i in self.facts:
            x = saved[i]
            saved[i] = Fact(x.shape, x.dtype, x.ndim) if hasattr(x, "shape") else x
        for i in self.unread:
            saved[i] = None
        return saved

    def watch(self, saved: Any, args: Sequence[Any], y: Version | None) -> dict[int, tuple[Version, int]] | None:
        """The versions of the values kept whole, with their present counts; None if none of the values can change.

        A value without a version is a constant, or an array from outside, which can change unnoticed: so an index, a
        mask or labels are copied. (Floats are not: they may be a whole batch of images.)
        """
        found = {}
        for i in self.whole:
            a: Any = args[i - 1] if i else None
            version = getattr(a, "version", None) if i else y
            if version is not None:
                found[i] = version, version.count
            elif saved[i] is a and type(a) not in _FIXED and is_array(a) and a.dtype.kind in "iub":
                saved[i] = a.copy()
        return found or None

    def joint_gradients(self, gy: Any, saved: Sequence[Any], aux: Sequence[Any], on_tape: bool) -> Sequence[Any]:
        """The gradients of all arguments: by the fused rule at first order, if there is one, else by the joint one."""
        op = self.op
        made = op.joint(gy, *saved) if on_tape or op.fused is None else op.fused(gy, *saved, *aux)  # type: ignore[misc]
        if not isinstance(made, (tuple, list)) or len(made) <= self.positions[-1]:
            got = f"a tuple of {len(made)}" if isinstance(made, tuple) else brief(made)
            raise GradientError(f"{op.title}: its joint rule must return a tuple, one gradient per argument, not {got}")
        return made


class Op:
    """A primitive's function, name and derivative rules: one an argument, or one for all (`joint`)."""

    def __init__(self, fn: Callable[..., Any], elementwise: bool):
        self.fn, self.name, self.elementwise = fn, fn.__name__, elementwise
        self.title = self.name.lstrip("_")  # for errors: _matmul is what matmul and @ come down to
        annotated = inspect.signature(fn)
        self.arrays = arrays_of(annotated)  # the parameters that take arrays, including those that have a rule
        parameters = [p.replace(annotation=p.empty) for p in annotated.parameters.values()]
        self.signature = inspect.Signature(parameters)
        self.defaults = tuple(p.default for p in parameters if p.default is not p.empty)
        self.arity = -1 if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(parameters)
        self.rules: tuple[Callable[..., Any] | None, ...] = ()
        self.joint: Callable[..., Any] | None = None
        self.without: Sequence[str] = ()
        self.fused: Callable[..., Any] | None = None
        self.plans: dict[int, Plan | None] = {}

    def set_rules(self, *rules: Callable[..., Any] | None) -> None:
        """One rule an argument, in order: `flat` where the derivative is zero, None where none is known."""
        if 0 <= self.arity < len(rules):
            raise TypeError(f"{self.title}.rules: {len(rules)} rules for {self.arity} arguments")
        for rule in rules:
            self._check(rule, "rules")
        self.rules = rules
        self.arrays |= {name for name, rule in zip(self.signature.parameters, rules, strict=False) if rule}
        self.plans.clear()

    def set_joint(self, rule: Callable[..., Any], without: Sequence[str] = ()) -> None:
        """One rule that returns the gradients of all arguments in a tuple, except those named in `without`."""
        self._check(rule, "joint")
        self.joint, self.without = rule, without
        self.plans.clear()

    def set_fused(self, rule: Callable[..., Any]) -> None:
        """The rule of first order that replaces the joint one, or those of the arguments."""
        self.fused = rule
        self.plans.clear()

    def _check(self, rule: Callable[..., Any] | None, what: str) -> None:
        """Raise TypeError unless the rule can be called with gy, y and the arguments."""
        if not inspect.isfunction(rule) or self.arity < 0:
            return
        code, expected = rule.__code__, self.arity + 2
        optional, any_number = len(rule.__defaults__ or ()), code.co_flags & inspect.CO_VARARGS
        if code.co_argcount - optional > expected or (code.co_argcount < expected and not any_number):
            raise TypeError(
                f"{self.title}.{what}: a rule takes (gy, y, {', '.join(self.signature.parameters)}), but this one "
                f"takes ({', '.join(code.co_varnames[: code.co_argcount])})"
            )

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments in order, defaults filled in, as fn and the rules take them."""
        if not kwargs and self.arity - len(self.defaults) <= len(args) < self.arity:
            return args + self.defaults[len(args) - self.arity :]
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            if "out" in kwargs:  # np.sum(x) calls x.sum(out=None) if x is not an array
                advice = f"np.{self.title} can't take a Tensor: NumPy would drop its tape; call tg.ops.{self.title}"
                raise TypeError(f"{advice}, or pass x.numpy()") from None
            raise TypeError(f"{self.title}{self.signature}: {error}") from None
        bound.apply_defaults()
        return bound.args

    def read_lists(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs with lists made arrays where arrays are meant, and copied elsewhere, as the rules read them later.
        (An op of *xs makes them arrays itself.)"""
        if self.arity < 0:
            return list(inputs)
        others = [a for a in inputs if not isinstance(a, (list, tuple))]
        try:
            return [
                read_list(a, others) if name in self.arrays and isinstance(a, (list, tuple)) else _own(a)
                for name, a in zip(self.signature.parameters, inputs, strict=True)
            ]
        except (TypeError, ValueError) as error:
            raise self.refusal(inputs, error) from None

    def refusal(self, inputs: Sequence[Any], error: Exception) -> Exception:
        """The error to raise for one that the function raised."""
        return refusal(self.title, list(zip(self.signature.parameters, inputs, strict=False)), self.arrays, error)

    def plan(self, key: int) -> Plan | None:
        """The plan for one set of arguments that require grad; None if the derivatives of all are zero.

        key: bit i is set if argument i requires grad; bit n, for n arguments, always is. Raises GradientError if one of
        them has no rule.
        """
        n = key.bit_length() - 1
        rules = self.rules if self.joint is None else (self.joint,) * n
        wanted = [i for i in range(n) if key >> i & 1]
        for i in wanted:
            name = self._argument(i)
            if i >= len(rules) or rules[i] is None or name in self.without:
                raise GradientError(
                    f"{self.title}: {name} requires grad, but {self.title} has no rule for it, so it would get no "
                    f"gradient; pass {name}.detach() or a number, or write what you need with other ops"
                )
        positions = tuple(i for i in wanted if rules[i] is not flat)
        read = [reads(rule, n, Fact._fields) for rule in ({rules[i] for i in positions} | {self.fused}) if rule]
        whole = set().union(*(w for w, _ in read))
        facts = set().union(*(f for _, f in read)) - whole
        self.plans[key] = None
        if positions:
            self.plans[key] = Plan(
                op=self,
                rules=rules if self.joint is None else None,
                first_rules=rules if self.joint is None and self.fused is None else None,
                positions=positions,
                skips=len(positions) < key.bit_count() - 1,
                whole=tuple(whole),
                facts=tuple(facts),
                unread=tuple(set(range(n + 1)) - whole - facts),
                blank=None if whole or facts else (None,) * (n + 1),
            )
        return self.plans[key]

    def _argument(self, i: int) -> str:
        """The name of argument i."""
        names = list(self.signature.parameters)
        return names[min(i, len(names) - 1)]


def _own(option: Any) -> Any:
    """An option, with its lists copied, as the caller may change them."""
    return [_own(part) for part in option] if isinstance(option, list) else option
