"""What the pictures of several pieces share: a step of a GAN, and the film of a training."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from ..gradients import grad
from ..losses import bce_logits
from ..scopes import frozen, no_grad
from ..viz import save_gif, save_grid


def apart(network: Any, real: Any, fake: Any) -> tuple[Any, Any]:
    """What a network makes of two batches, one after the other."""
    return network(real), network(fake)


def train_step(
    G: Any, D: Any, opt_G: Any, opt_D: Any, x: Any, noise: Any, both: Callable[..., Any] = apart
) -> tuple[float, float]:
    """A step of D and one of G, whose first layer is dense; their losses.  both: how D sees the batches of its step."""
    size = G[0].w.shape[0]
    with no_grad():
        fake = G(noise.normal((len(x), size), dtype=x.dtype))
    real_score, fake_score = both(D, x, fake)
    loss_D = bce_logits(real_score, 1.0) + bce_logits(fake_score, 0.0)
    opt_D.step(grad(loss_D, D.parameters()))
    with frozen(D):
        loss_G = bce_logits(D(G(noise.normal((len(x), size), dtype=x.dtype))), 1.0)
        opt_G.step(grad(loss_G, G.parameters()))
    return float(loss_D), float(loss_G)


def film(
    path: Path,
    steps: int,
    shown: Collection[int],
    train: Callable[[], Any],
    draw: Callable[[Path, int], Any],
    seconds: float = inf,
) -> Path:
    """Train, and write a GIF of it.  shown: the steps before which draw(path, step) writes a frame.  seconds: after
    which the film ends, however far it is."""
    end, frames = monotonic() + seconds, list[Path]()
    with TemporaryDirectory() as folder:
        for step in range(steps + 1):
            if step in shown:
                frames.append(Path(folder) / f"{step}.png")
                draw(frames[-1], step)
            if monotonic() > end:
                break
            train()
        save_gif(frames, path)
    return path


def save_digits(G: Any, z: Any, path: Path) -> None:
    """The digits that G makes of some z, eight in a row."""
    with no_grad():
        save_grid(G.eval()(z).numpy(), path, (-1, 1), columns=8)
    G.train()
