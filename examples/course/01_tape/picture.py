"""The picture of piece 1, a tape with the student's gradients; and the same gradients by tinygen."""

from __future__ import annotations

from pathlib import Path

from tinygen.graph import Box, Edge, Graph, explain

FORMULA, GIVEN = "tanh(a*b + a) * exp(b) + log(a) ** 2", {"a": 1.7, "b": 0.4}


def draw(tape, folder: Path) -> list[Path]:
    """tape.svg: tanh(a*b + a), each box with its value and its gradient."""
    a, b = tape.Value(0.5), tape.Value(-1.5)
    y = (a * b + a).tanh()
    tape.backward(y)
    values = list(reach(y))
    names = {a: "a", b: "b"}
    boxes = [
        Box(str(i), "op" if v.parents else "input", names.get(v, v.op), (), "float64",
            [f"= {v.data:.4g}", f"gradient {v.grad:.4g}"])
        for i, v in enumerate(values)
    ]  # fmt: skip
    edges = [Edge(str(values.index(p)), str(i), "") for i, v in enumerate(values) for p in v.parents]
    path = folder / "tape.svg"
    Graph(boxes, list(dict.fromkeys(edges))).save(path)
    return [path]


def reach(y):
    """The values that lead to y, each after its parents."""
    found = {}
    for parent in y.parents:
        found |= dict.fromkeys(reach(parent))
    return dict.fromkeys([*found, y])


def numbers(tape=None):
    """The gradients of a formula by tinygen's tape, or by the student's."""
    if tape is None:
        return {step.name: step.gradient for step in explain(FORMULA, GIVEN).steps if step.name in GIVEN}
    a, b = (tape.Value(value) for value in GIVEN.values())
    tape.backward((a * b + a).tanh() * b.exp() + a.log() ** 2)
    return {"a": a.grad, "b": b.grad}
