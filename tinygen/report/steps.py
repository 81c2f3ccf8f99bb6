"""One whole training step on its tape, for the page to walk through: each op's value, and the gradient that reached it.

The model is a copy of the newest checkpoint, the batch is always the same, and the run isn't changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..layers import Module
from ..models.steps import Step
from ..train import load as load_model
from .drawing import step_graph
from .rewound import Rewound, batch_of_run


def follow(path: Path, model: Any = None) -> dict[str, Any]:
    """The steps of a run's model as JSON: {examples, generated, steps: [{name, shielded, graph, cases}]}.

    generated: whether the batch is of the model's samples, for want of data.  shielded: see `Step.frozen`, graph:
    `step_graph`, cases: `cases`.  model: as `load` takes it.  Raises RunError, DataError or ConfigError, with the
    reason why there is nothing to follow: the model can't be loaded or has no steps, or there is no batch for it.
    """
    loaded = load_model(path, model)
    if not loaded.has("steps"):
        raise ConfigError(f"the model {loaded.name!r} doesn't say what its steps are; give its class steps()")
    batch, generated = batch_of_run(loaded, path)
    model = Rewound(loaded, batch)
    steps = [
        {"name": step.name, "shielded": [*step.frozen], "graph": step_graph(model, step), "cases": cases(model, step)}
        for step in model.steps()
    ]
    return {"examples": len(batch[0]), "generated": generated, "steps": steps}


def cases(model: Rewound, step: Step) -> list[dict[str, Any]]:
    """What loss.backward() leaves in each network, done right and with the mistakes that everybody makes once.

    [{careful, clear, received: {network: norm or None}, along: {network: cosine or None}}].  careful: the networks that
    must not learn from it were frozen; clear: the gradients of an earlier backward were cleared.  norm: of all
    gradients of a network as one vector; along: their cosine with the gradients of that network's own step.
    """
    own = dict[str, np.ndarray | None]()
    for other in model.steps() if step.frozen else []:
        got = _received(model, other, careful=True, clear=True)
        own |= {name: got[name] for name in other.learns}
    found = []
    for careful in (True, False) if step.frozen else (True,):
        for clear in (True, False):
            got = _received(model, step, careful, clear)
            received = {name: None if g is None else float(np.linalg.norm(g)) for name, g in got.items()}
            along = {name: _cosine(g, own.get(name)) for name, g in got.items()}
            found.append({"careful": careful, "clear": clear, "received": received, "along": along})
    return found


def _received(model: Rewound, step: Step, careful: bool, clear: bool) -> dict[str, np.ndarray | None]:
    """All of a network's .grad as one vector, None if it has none; if not cleared, a second backward adds to them."""
    model.clear()
    for _ in range(1 if clear else 2):
        model.loss(step.name, careful).value.backward()
    return {name: _flat(network) for name, network in step.networks.items()}


def _flat(network: Module) -> np.ndarray | None:
    gradients = [np.zeros(p.size) if p.grad is None else p.grad.numpy().ravel() for p in network.parameters()]
    return None if all(p.grad is None for p in network.parameters()) else np.concatenate(gradients).astype(np.float64)


def _cosine(a: np.ndarray | None, b: np.ndarray | None) -> float | None:
    if a is None or b is None:
        return None
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b) / size if size else None
