"""One whole training step on its tape, for the page to walk through: each op's value, and the gradient that reached it.

The model is a copy of the newest checkpoint, the batch is always the same, and the run isn't changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..gradients import grad
from ..layers import Module
from ..models.steps import Step
from ..tensor import Tensor
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


SCORES = "D(G(z))"  # what the losses of D and G have in common: each pulls these scores its own way


def cases(model: Rewound, step: Step) -> list[dict[str, Any]]:
    """What loss.backward() leaves in each network, done right and with the mistakes that everybody makes once.

    [{careful, clear, received: {network: norm or None}, along: {network: cosine or None}}].  careful: the networks that
    must not learn from it were frozen; clear: each network's gradients were cleared after its last step, else this one
    is added to them.  received: the norm of all gradients of a network as one vector.  along: of a network that was not
    frozen, the cosine of what it got with what its own loss asks for, both by way of D's scores of generated examples.
    """
    own = dict[str, np.ndarray | None]()
    for other in model.steps():
        got = _received(model, other, careful=True)
        own |= {name: got[name] for name in other.learns}
    pulls = _pulls(model, step, careful=False) if step.frozen else {}
    along = {name: _cosine(pulls.get(name), _pull_of_own_loss(model, name)) for name in step.frozen}
    found = []
    for careful in (True, False) if step.frozen else (True,):
        got = _received(model, step, careful)
        for clear in (True, False):
            left = {name: _added(g, None if clear else own.get(name)) for name, g in got.items()}
            received = {name: None if g is None else float(np.linalg.norm(g)) for name, g in left.items()}
            ways = {name: None if careful or got[name] is None else way for name, way in along.items()}
            found.append({"careful": careful, "clear": clear, "received": received, "along": ways})
    return found


def _received(model: Rewound, step: Step, careful: bool) -> dict[str, np.ndarray | None]:
    """All of a network's .grad as one vector, None if it has none."""
    model.clear()
    model.loss(step.name, careful).value.backward()
    return {name: _flat(network) for name, network in step.networks.items()}


def _pull_of_own_loss(model: Rewound, name: str) -> np.ndarray | None:
    """What the loss of a network's own step asks of it by way of D's scores of generated examples."""
    own = next((step for step in model.steps() if name in step.learns), None)
    return None if own is None else _pulls(model, own, careful=True).get(name)


def _pulls(model: Rewound, step: Step, careful: bool) -> dict[str, np.ndarray]:
    """The part of each network's gradient that comes by way of D's scores of generated examples, if the loss names
    them: without the rest of the loss, such as D's scores of real ones."""
    loss = model.loss(step.name, careful)
    scores = loss.named.get(SCORES)
    if not isinstance(scores, Tensor) or scores.node is None:
        return {}
    (gy,) = grad(loss.value, [scores], retain_graph=True, unused="zeros")
    found = {}
    for name, network in step.networks.items():
        parameters = network.parameters()
        gradients = grad(scores, parameters, gy, retain_graph=True, unused="zeros")
        found[name] = np.concatenate([g.numpy().ravel() for g in gradients]).astype(np.float64)
    return found


def _flat(network: Module) -> np.ndarray | None:
    gradients = [np.zeros(p.size) if p.grad is None else p.grad.numpy().ravel() for p in network.parameters()]
    return None if all(p.grad is None for p in network.parameters()) else np.concatenate(gradients).astype(np.float64)


def _added(new: np.ndarray | None, before: np.ndarray | None) -> np.ndarray | None:
    return new if new is None or before is None else new + before


def _cosine(a: np.ndarray | None, b: np.ndarray | None) -> float | None:
    if a is None or b is None:
        return None
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else None
