"""The picture of piece 1: a tape with the student's gradients, as tinygen draws its own."""

from __future__ import annotations

from pathlib import Path

from tinygen.graph import Box, Edge, Graph


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
