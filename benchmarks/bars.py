"""The bars: how much of a peer's time or memory tinygen may take."""

from __future__ import annotations

from typing import Any, NamedTuple

from .peers import PEERS
from .ratios import fastest, measured, ratio


class Bar(NamedTuple):
    """A limit to a variant's time or peak memory in a workload, as a ratio to the best of these peers."""

    workload: str
    variant: str
    quantity: str  # "time" or "memory"
    at_most: float
    peers: tuple[str, ...]


OTHERS = tuple(name for name, entry in PEERS.items() if not entry.ours)
TORCH = ("torch",)  # eager, with the default Adam
_LIMITS = {  # time with fast, time of NumPy alone, memory with fast, memory of NumPy alone
    "mlp_gan_32": (0.80, 0.75, 0.55, 0.22),
    "mlp_gan_128": (0.85, 0.90, 0.55, 0.22),
    "vae_128": (0.80, 0.80, 0.55, 0.22),
    "wgangp_64": (0.80, 0.90, 0.55, 0.22),
    "dcgan28_256": (0.85, 0.90, 0.55, 0.40),
    "dcgan64_128": (0.80, 0.90, 0.55, 0.40),
}
BARS = [
    bar
    for name, (fast, alone, fast_memory, alone_memory) in _LIMITS.items()
    for bar in (
        Bar(name, "tinygen-fast", "time", fast, OTHERS),
        Bar(name, "tinygen", "time", alone, TORCH),
        Bar(name, "tinygen-fast", "memory", fast_memory, TORCH),
        Bar(name, "tinygen", "memory", alone_memory, TORCH),
    )
]


def judge(bar: Bar, results: dict[str, Any]) -> tuple[float, str] | None:
    """The ratio measured for a bar and the peer it compares with; None if either was not measured."""
    entry = results["workloads"].get(bar.workload, {"peers": {}})
    rival, peers = fastest(entry, bar.peers), measured(entry)
    if rival is None or bar.variant not in peers:
        return None
    ours, theirs = peers[bar.variant], peers[rival]
    if bar.quantity == "time":
        return ratio(ours["ms"], theirs["ms"])[0], rival
    return ours["peak_mb"] / theirs["peak_mb"], rival
