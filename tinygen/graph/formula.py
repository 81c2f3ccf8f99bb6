"""One formula step by step, for `tinygen explain`: each op with its value, its rule, its local derivatives, and the
gradient that arrives from behind."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import ops
from ..errors import ConfigError
from ..gradients import grad
from ..primitives import PRIMITIVES
from ..settings import did_you_mean
from ..tensor import Tensor, tensor
from . import ruletext
from .graph import Graph, graph

CONSTANTS = {"pi": math.pi, "e": math.e}
DEFAULTS = (2.0, 3.0, 0.5, 1.5, 0.25)  # the values of variables without one, in order; log and sqrt take them all
OPERATORS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.USub: "negative",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
FUNCTIONS = sorted(
    name
    for name, function in PRIMITIVES.items()
    if function.op.elementwise and hasattr(ops, name) and name not in ("astype", "dropout")  # type: ignore[attr-defined]
)
MOST_NESTED = 100  # parentheses within parentheses


@dataclass(frozen=True)
class LocalDerivative:
    """The derivative of a step with respect to one of its inputs: that input's name, the rule, and the number.

    The rule is the code's, in the names of this formula: gv1 is the gradient that arrives at v1.

    >>> *_, last = tg.graph.explain("x * y", {"x": 2.0, "y": 3.0}).steps
    >>> last.locals[0]
    LocalDerivative(to='x', rule='gx = gv1 * y', derivative=3.0)
    """

    to: str
    rule: str
    derivative: float


@dataclass(frozen=True)
class FormulaStep:
    """One line of the tape. text: the expression, in the names of earlier steps.  gradient: d(result)/d(this); None
    for a comparison, which gets no gradient.  helpers: the functions that its rules call, and what they compute.

    >>> *_, last = tg.graph.explain("x * y", {"x": 2.0, "y": 3.0}).steps
    >>> last.text, last.value
    ('x * y', 6.0)
    """

    name: str
    text: str
    op: str
    value: float
    gradient: float | None
    locals: tuple[LocalDerivative, ...]
    helpers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """A formula's steps in the order of the forward pass, the variables first; and the same as a picture.

    >>> explanation = tg.graph.explain("x * y", {"x": 2.0, "y": 3.0})
    >>> [(step.name, step.value, step.gradient) for step in explanation.steps]
    [('x', 2.0, 3.0), ('y', 3.0, 2.0), ('v1', 6.0, 1.0)]
    """

    steps: list[FormulaStep]
    given: dict[str, float]
    picture: Graph


def explain(expression: str, variables: Mapping[str, float] | None = None) -> Explanation:
    """The tape of a formula made of numbers, variables, pi, e, + - * / **, comparisons and elementwise ops, in float64.

    variables: their values; one without a value gets a default. Raises ConfigError for anything else in the formula,
    and for a value of a variable that is not in it.

    >>> steps = tg.graph.explain("sigmoid(w * x)", {"w": 2.0, "x": 0.0}).steps
    >>> [(step.text, step.value, step.gradient) for step in steps]
    [('w', 2.0, 0.0), ('x', 0.0, 0.5), ('w * x', 0.0, 0.25), ('sigmoid(v1)', 0.5, 1.0)]
    """
    tree = _parse(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    names = list(dict.fromkeys(node.id for node in found if node.id not in CONSTANTS))
    if not names:
        raise ConfigError(f"{_brief(expression)} has no variable to take a derivative of; write one, such as x")
    for name in variables or {}:
        if name not in names:
            raise ConfigError(f"{name}=: {_brief(expression)} has no variable {name!r}{did_you_mean(name, names)}")
    values = {name: (variables or {}).get(name, DEFAULTS[i % len(DEFAULTS)]) for i, name in enumerate(names)}
    with np.errstate(all="ignore"):  # what is not finite is shown
        return _Reader(expression, values).explanation(tree)


def _parse(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        rest = expression.strip()[(error.offset or 1) - 1 :]
        place = f" at {_brief(rest)}" if rest else " at its end"
        raise ConfigError(f"{_brief(expression)} is not a formula: {error.msg}{place}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ConfigError(f"{_brief(expression)} is not a formula that can be read") from None


class _Reader:
    """Computes a formula from its syntax tree, by ops alone, and keeps each step."""

    def __init__(self, expression: str, values: dict[str, float]):
        self.expression, self.given = expression, values
        self.leaves = {name: tensor(value, True, np.float64, name) for name, value in values.items()}
        self.prefix = "step" if any(re.fullmatch(r"v\d+", name) for name in values) else "v"
        self.constants = {name: np.asarray(value) for name, value in CONSTANTS.items()}
        self.names = {id(x): name for name, x in (self.leaves | self.constants).items()}
        self.made: list[tuple[Tensor, str, str, list[Any]]] = []  # result, text, op, arguments

    def explanation(self, tree: ast.expr) -> Explanation:
        result = self.read(tree, 0)
        if not isinstance(result, Tensor) or not result.requires_grad:
            raise ConfigError(f"{_brief(self.expression)} has no derivative: it is constant between jumps")
        tensors = [*self.leaves.values(), *(t for t, *_ in self.made if t.requires_grad)]
        found = grad(result, tensors, retain_graph=True, unused="zeros")
        gradients = {id(t): g.item() for t, g in zip(tensors, found, strict=True)}
        steps = [FormulaStep(n, n, "", t.item(), gradients[id(t)], ()) for n, t in self.leaves.items()]
        for t, text, op, arguments in self.made:
            derivatives = self.locals(t, arguments) if t.requires_grad else ()
            called = ruletext.helpers(PRIMITIVES[op].op).items()  # type: ignore[attr-defined]
            helpers = {
                name: text for name, text in called if any(name.partition("(")[0] in x.rule for x in derivatives)
            }
            steps.append(FormulaStep(self.names[id(t)], text, op, t.item(), gradients.get(id(t)), derivatives, helpers))
        return Explanation(steps, self.given, self.picture(result, steps))

    def read(self, node: ast.expr, depth: int) -> Any:
        """The value of a part: a Tensor if it depends on a variable, else a 0-d array."""
        if depth > MOST_NESTED:
            raise ConfigError(f"{_brief(self.expression)}: too many nested parts; at most {MOST_NESTED}")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return np.asarray(_as_float(value, self.expression))
            case ast.Name(id=name):
                return (self.constants | self.leaves)[name]
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return self.apply(OPERATORS[type(op)], self.read(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.apply(OPERATORS[type(op)], self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
                return self.apply(OPERATORS[type(op)], self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                return self.apply(name, *(self.read(a, depth + 1) for a in args))
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                raise ConfigError(f"{name}() can't be used in a formula{did_you_mean(name, FUNCTIONS)}; the ops are "
                                  f"{', '.join(FUNCTIONS)}")  # fmt: skip
        raise self.refusal(node)

    def refusal(self, node: ast.expr) -> ConfigError:
        part = ast.get_source_segment(self.expression.strip(), node) or self.expression
        hint = "; a power is **" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor) else ""
        raise ConfigError(
            f"{_brief(part)}: a formula has numbers, variables, + - * / **, and ops such as sigmoid(x){hint}"
        )

    def apply(self, op: str, *arguments: Any) -> Any:
        """One step. Raises ConfigError if the op refuses the arguments."""
        function: Callable[..., Any] = getattr(ops, op)
        most = len(inspect.signature(function).parameters)
        if len(arguments) > most:
            raise ConfigError(f"{op} takes {most} argument{'s' if most > 1 else ''}, not {len(arguments)}")
        try:
            t = function(*(a if _has_rule(op, i) else self.option(op, a) for i, a in enumerate(arguments)))
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None
        if isinstance(t, Tensor):
            self.names[id(t)] = f"{self.prefix}{len(self.made) + 1}"
            self.made.append((t, _text(op, [self.name(a) for a in arguments]), op, list(arguments)))
        return t

    def option(self, op: str, x: Any) -> Any:
        """An argument that has no rule, such as a slope, as a Python number; a condition as it is."""
        if isinstance(x, Tensor) and x.requires_grad:
            raise ConfigError(f"{op}: {self.name(x)} must be a number: {op} has no derivative with respect to it")
        return x if isinstance(x, Tensor) or x.dtype == bool else x.item()

    def name(self, x: Any) -> str:
        return self.names[id(x)] if id(x) in self.names else f"{x.item():g}"

    def locals(self, t: Tensor, arguments: list[Any]) -> tuple[LocalDerivative, ...]:
        """The local derivatives of a step: its rules, run with gy = 1."""
        node = t.node
        assert node is not None and node.saved is not None
        op, one = node.plan.op, np.ones(())
        texts, own = ruletext.rules(op), list(op.signature.parameters)
        result, names = self.name(t), [self.name(a) for a in arguments]
        known = {"gy": f"g{result}", "y": result, **dict(zip(own, names, strict=False))}
        return tuple(
            LocalDerivative(names[i], f"g{names[i]} = {_renamed(texts[f'g{own[i]}'], known)}",
                            float(node.plan.rules[i](one, *node.saved)))
            for i in node.plan.positions
        )  # fmt: skip

    def picture(self, result: Tensor, steps: list[FormulaStep]) -> Graph:
        """The tape with the numbers of the table: values and gradients in the boxes, local derivatives on the edges."""
        picture = graph(result, fold=False)
        known = dict(zip([*self.leaves.values(), *(t for t, *_ in self.made)], steps, strict=True))
        by_id = {str(t.node.order): step for t, step in known.items() if t.node is not None}
        for box in picture.boxes:
            step = by_id.get(box.id)
            if step is not None:
                formula = [] if step.name == step.text else [f"{step.name} = {step.text}"]
                gradient = [] if step.gradient is None else [f"gradient {step.gradient:.4g}"]
                box.lines = [*formula, f"value {step.value:.4g}", *gradient]
        edges = []
        for edge in picture.edges:
            source, target = by_id.get(edge.source), by_id[edge.target]
            local = [x.derivative for x in target.locals if source is not None and x.to == source.name]
            edges.append(edge._replace(label=f"× {math.fsum(local):.4g}" if local else ""))
        return Graph(picture.boxes, edges)


def _has_rule(op: str, i: int) -> bool:
    rules = PRIMITIVES[op].op.rules  # type: ignore[attr-defined]
    return not rules or (i < len(rules) and rules[i] is not None)


def _renamed(rule: str, names: Mapping[str, str]) -> str:
    """A rule with other names for the variables it reads; attributes and the functions that it calls keep theirs."""

    def name(found: re.Match[str]) -> str:
        new = names.get(found[0], found[0])
        return f"({new})" if new.startswith("-") else new

    return re.sub(r"(?<![\w.])[A-Za-z_]\w*(?![\w(])", name, rule)


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _as_float(value: float, expression: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"{_brief(expression)}: a number is too large") from None


def _text(op: str, names: list[str]) -> str:
    """An op as it is written: a + b, or tanh(a)."""
    signs = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
    signs |= {"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!="}
    if op in signs:
        return f" {signs[op]} ".join(names)
    return f"-{names[0]}" if op == "negative" else f"{op}({', '.join(names)})"
