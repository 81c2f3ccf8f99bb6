"""What is made better once all nodes are written: those that nobody needs go, and a bias goes into its convolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """The nodes on which the outputs depend."""
    names, kept = {*outputs}, []
    for node in reversed(nodes):
        if names & {*node.output}:
            names |= {*node.input}
            kept.append(node)
    return kept[::-1]


def with_biases(nodes: Sequence[Any], weights: dict[str, np.ndarray], outputs: Sequence[str]) -> list[Any]:
    """Convolutions with the weights that are added to their channels as a third input."""
    uses = Counter([*outputs, *(name for node in nodes for name in node.input)])
    convolutions = {node.output[0]: node for node in nodes if node.op_type in ("Conv", "ConvTranspose")}
    kept = []
    for node in nodes:
        conv = next((convolutions[name] for name in node.input if name in convolutions), None)
        bias = next((name for name in node.input if name in weights), "")
        alone = conv is not None and len(conv.input) == 2 and uses[conv.output[0]] == uses[bias] == 1
        if (
            conv is None
            or node.op_type != "Add"
            or not alone
            or not _is_bias(weights[bias], weights.get(conv.input[1]), conv.op_type == "ConvTranspose")
        ):
            kept.append(node)
            continue
        weights[bias] = weights[bias].ravel()
        conv.input.append(bias)
        conv.output[0] = node.output[0]
    return kept


def _is_bias(x: np.ndarray, kernel: np.ndarray | None, transposed: bool) -> bool:
    """Whether it has one number for each channel that a kernel makes, and images NCHW get it."""
    channels = 0 if kernel is None else kernel.shape[1 if transposed else 0]
    return x.size == channels and x.shape in ((channels, 1, 1), (1,) * x.ndim)


def renamed(nodes: Sequence[Any], names: Mapping[str, str]) -> None:
    """Give outputs of nodes other names, everywhere."""
    for node in nodes:
        for part in (node.input, node.output):
            part[:] = [names.get(name, name) for name in part]
