"""A primitive's formula and its rules as text, for pictures: as they stand in the source."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
from typing import Any

from .. import ops
from ..rules import Op


@functools.cache
def formula(op: Op) -> str:
    """The first line of its docstring; for _matmul that of matmul, which calls it."""
    text = inspect.getdoc(op.fn) or inspect.getdoc(getattr(ops, op.title, None)) or ""
    return text.partition("\n")[0]


@functools.cache
def rules(op: Op) -> dict[str, str]:
    """The rule of each argument that has one, by the name of its gradient: {"gx": "gy * (1 - y * y)"}.

    A joint rule, which serves all arguments, comes whole, under "all". "" if the source can't be read.
    """
    if op.joint is not None:
        return {"all": textwrap.dedent(_source(op, op.joint, "joint", 0))}
    names = list(op.signature.parameters)
    return {f"g{names[i]}": " ".join(_source(op, rule, "rules", i).split()) for i, rule in enumerate(op.rules) if rule}


@functools.cache
def helpers(op: Op) -> dict[str, str]:
    """The private functions that its rules call, with their docstrings' first lines: {"_off_zero(x, p)": "x, ..."}."""
    found: dict[str, str] = {}
    for rule in (*op.rules, op.joint):
        for name in getattr(getattr(rule, "__code__", None), "co_names", ()):
            function = rule.__globals__.get(name)  # type: ignore[union-attr]
            if name.startswith("_") and callable(function):
                helper = getattr(function, "op", None)
                text = formula(helper) if helper else (inspect.getdoc(function) or "").partition("\n")[0]
                arguments = helper.signature if helper else inspect.signature(function)
                found |= {f"{name}({', '.join(arguments.parameters)})": text} if text else {}
    return found


def _source(op: Op, rule: Any, kind: str, i: int) -> str:
    """The expression of a lambda, or the whole of a function."""
    code = getattr(rule, "__code__", None)
    if code is None:
        return ""
    text = _lambdas(code.co_filename).get((op.name, kind, i), "")
    if text and rule.__name__ == "<lambda>":
        return text
    try:
        return inspect.getsource(rule)
    except OSError:
        return ""


@functools.cache
def _lambdas(file: str) -> dict[tuple[str, str, int], str]:
    """The expressions of a file's lambdas in calls such as NAME.rules(...), by name, method and position."""
    source = "".join(linecache.getlines(file))
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return {}
    found = {}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            for i, rule in enumerate(call.args):
                if isinstance(rule, ast.Lambda):
                    text = ast.get_source_segment(source, rule.body) or ""
                    found[call.func.value.id, call.func.attr, i] = text
    return found
