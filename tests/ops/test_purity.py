"""Rules are differentiated again, so they consist of operators and ops: no array module, nothing in place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinygen
from tinygen.primitives import PRIMITIVES

PACKAGE = Path(tinygen.__file__).parent
FORBIDDEN = {"np", "numpy", "cupy", "xp", "array_module", "kernels", "data", "array", "detach", "item"}


def functions_and_rules(paths):
    """The plain functions by name (primitives are ops, a rule may call them), and the rules: (primitive, rule)."""
    functions, rules = {}, []
    for path in paths:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not any(
                _names(d) & {"primitive", "elementwise"} for d in node.decorator_list
            ):
                functions[node.name] = node
            call = getattr(node, "value", None)
            if isinstance(call, ast.Call) and getattr(call.func, "attr", None) in ("rules", "joint"):
                rules += [(ast.unparse(call.func.value), rule) for rule in call.args]
    return functions, rules


def _names(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def reachable(rule, functions):
    """The rule, and the plain functions that it calls, directly or not."""
    seen, stack = [], [rule]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.append(node)
            stack += [functions[name] for name in _names(node) if name in functions]
    return seen


def is_for_arrays(node):
    """Whether it is `if ... and is_array(g):`. What follows sees no Tensor, and so is not differentiated."""
    values = node.test.values if isinstance(node, ast.If) and isinstance(node.test, ast.BoolOp) else []
    return any(ast.unparse(v) == "is_array(g)" for v in values) and isinstance(node.test.op, ast.And)


def parts(node):
    """The node and all below it, but for what is done with arrays alone."""
    yield node
    for child in ast.iter_child_nodes(node):
        if is_for_arrays(child):
            yield from (n for statement in child.orelse for n in parts(statement))
        else:
            yield from parts(child)


def faults(rule, functions):
    """What in a rule can't be differentiated again."""
    found = []
    for node in [node for part in reachable(rule, functions) for node in parts(part)]:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign) or any(isinstance(t, (ast.Subscript, ast.Attribute)) for t in targets):
            found.append(ast.unparse(node))
        elif isinstance(node, ast.keyword) and node.arg == "out":
            found.append("out")
        elif getattr(node, "id", getattr(node, "attr", None)) in FORBIDDEN:
            found.append(getattr(node, "id", getattr(node, "attr", None)))
    return found


FUNCTIONS, RULES = functions_and_rules([*sorted((PACKAGE / "ops").glob("*.py")), PACKAGE / "tape.py"])
ALLOWED = {"getitem"}  # it takes the index apart, which has no gradient


def test_all_rules_are_found():
    with_rules = {
        name for name, p in PRIMITIVES.items() if p.__module__.startswith("tinygen.ops.") and (p.op.rules or p.op.joint)
    }
    assert {name for name, _ in RULES} == with_rules
    assert len(RULES) == sum(len(PRIMITIVES[n].op.rules) or 1 for n in with_rules)


@pytest.mark.parametrize(("name", "rule"), RULES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(RULES)])
def test_rules_are_pure(name, rule):
    allowed = {name: f for name, f in FUNCTIONS.items() if name not in ALLOWED}
    assert faults(rule, allowed) == []


def test_only_sum_to_does_otherwise_with_arrays():
    """Sums of arrays are one of the hot loops; on Tensors they are an op, as everywhere."""
    branches = {name: n for name, f in FUNCTIONS.items() for n in ast.walk(f) if is_for_arrays(n)}
    assert list(branches) == ["sum_to"]
    assert [ast.unparse(statement) for statement in branches["sum_to"].body] == [
        "return kernels.total(g, axes, True).reshape(shape)"
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("lambda gy, y, x: gy * np.exp(x)", ["np"]),
        ("lambda gy, y, x: gy * array_module(x).exp(x)", ["array_module"]),
        ("lambda gy, y, x: gy * x.data", ["data"]),
        ("lambda gy, y, x: helper(gy)", ["gx += 1", "gx[0] = 0"]),
        ("lambda gy, y, x: deep(gy)", ["gx += 1", "gx[0] = 0"]),
        ("lambda gy, y, x: add(gy, y, out=gy)", ["out"]),
        ("lambda gy, y, x: guarded(gy)", ["kernels"]),
        ("lambda gy, y, x: gy * (1 - y * y)", []),
    ],
)
def test_impure_rules_are_found(source, fault):
    helpers = ast.parse(
        "def helper(gx):\n    gx += 1\n    gx[0] = 0\n    return gx\n"
        "def deep(g): return helper(g)\n"
        "def guarded(g):\n    if g.ndim and is_array(g):\n        return kernels.f(g)\n    return kernels.g(g)"
    ).body
    assert faults(ast.parse(source, mode="eval").body, {f.name: f for f in helpers}) == fault
