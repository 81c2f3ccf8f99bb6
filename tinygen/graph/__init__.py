"""The tape as a picture: boxes and edges, folded by layer, laid out from left to right; and a formula step by step."""

from .boxes import Box, Edge
from .formula import Explanation, FormulaStep, LocalDerivative, explain
from .graph import Graph, graph, lines

__all__ = ["Box", "Edge", "Explanation", "FormulaStep", "Graph", "LocalDerivative", "explain", "graph", "lines"]


def __dir__() -> list[str]:
    return __all__
