"""`python -m benchmarks micro`: the pieces of a step, one by one, against the floor.

First every kernel of tinygen: its definition, the version for NumPy alone, and its compiled twin. Then every layer of
the workloads, their losses and their Adam, forward (without a tape) and forward with backward, to weights and input:
tinygen on NumPy alone, with compiled kernels, and PyTorch (channels_last, fused Adam) if it is installed. Each runs in
a process of its own, and they take turns. The floor is the least time that the machine allows: max(FLOPs / sgemm rate,
bytes / copy rate), both rates measured here; data that stay in a cache may be faster than that.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from . import machine, markdown, ratios, runner
from .kernels import KERNELS, call
from .layers import Conv, ConvT, Dense, Layer, Reshape, Shape
from .peers import PEERS
from .process import Failed, Worker
from .worker import serve
from .workloads import WORKLOADS, Network, macs, traffic, workload

Runs: TypeAlias = "dict[str, Callable[[], Any]]"  # "forward" and "both"
HANDS = ("tinygen", "tinygen-fast", "torch")
KERNEL_HANDS = ("definition", "tinygen", "tinygen-fast")
DEFAULT = ("mlp_gan_128", "vae_128", "dcgan28_256", "dcgan64_128")


class Case(NamedTuple):
    """A layer on an input of this shape; without a layer, the loss of such scores, or Adam on that many numbers."""

    name: str
    layer: Layer | None
    shape: Shape
    batch: int

    def floor(self, kind: str, rates: dict[str, float]) -> float:
        """The least seconds that "forward" or "both" can take."""
        if self.layer is None:
            n = self.batch * self.shape[0]
            flops, numbers = 0, 7 * n if self.name.startswith("Adam") else {"forward": 2, "both": 5}[kind] * n
        else:
            net, backward = Network(self.shape, (self.layer,)), "weights and input" if kind == "both" else "no"
            flops, numbers = 2 * self.batch * macs(net, backward), traffic(net, self.batch, backward)
        return max(flops / rates["sgemm"] / 1e9, 4 * numbers / rates["copy"] / 1e9)


def cases(names: Sequence[str]) -> list[Case]:
    """The layers, losses and Adam updates of these workloads, each once."""
    found: dict[tuple[Any, ...], Case] = {}
    for name in names:
        w = workload(name)
        for net in w.networks.values():
            for layer, shape, _ in net.walk():
                if not isinstance(layer, Reshape):
                    found.setdefault((layer, shape, w.batch), Case(title(layer, shape, w.batch), layer, shape, w.batch))
        scores = (1,) if w.is_gan else w.data_shape
        if not w.gp:
            found.setdefault(("loss", scores, w.batch), Case(f"BCE {scores[0]}, N {w.batch}", None, scores, w.batch))
        n = max(w.parameters.values())
        found.setdefault(("adam", n), Case(f"Adam {n:,}", None, (n,), 1))
    return list(found.values())


def title(layer: Layer, shape: Shape, batch: int) -> str:
    size = "x".join(map(str, shape))
    match layer:
        case Dense(n_in, n_out, _):
            return f"Dense {n_in} → {n_out}, N {batch}"
        case Conv(_, c_out, k, s, _) | ConvT(_, c_out, k, s, _):
            return f"{type(layer).__name__} {size} → {c_out}, k{k} s{s}, N {batch}"
    return f"{type(layer).__name__} {size}, N {batch}"


# The hands: how each library makes a case


def by_tinygen(case: Case) -> Runs:
    import numpy as np

    import tinygen as tg

    from .peers.tinygen import network

    draw = np.random.default_rng(0).standard_normal
    if case.name.startswith("Adam"):
        p = tg.Parameter(draw(case.shape, np.float32))
        opt, g = tg.optim.Adam([p]), draw(case.shape, np.float32)
        return {"both": lambda: opt.step([g])}
    x = draw((case.batch, *case.shape), np.float32)
    if len(case.shape) == 3:  # a product by 1 brings it into the memory order of tinygen's own feature maps
        x = tg.ops.conv2d(x, np.eye(case.shape[2], dtype=np.float32)[None, None])
    learner = tg.Tensor(x, requires_grad=True)
    if case.layer is None:
        return {
            "forward": lambda: tg.losses.bce_logits(x, 1.0),
            "both": lambda: tg.grad(tg.losses.bce_logits(learner, 1.0), [learner]),
        }
    (layer,) = network(Network(case.shape, (case.layer,)))
    with tg.no_grad():
        gy = np.ones_like(layer(tg.Tensor(x)).data)
    wanted = [*layer.parameters(), learner]

    def forward() -> None:
        with tg.no_grad():
            layer(x)

    return {"forward": forward, "both": lambda: tg.grad(layer(learner), wanted, gy)}


def by_torch(case: Case) -> Runs:
    import torch

    from .peers.pytorch import module

    if case.name.startswith("Adam"):
        p = torch.randn(case.shape, requires_grad=True)
        p.grad = torch.randn(case.shape)
        return {"both": torch.optim.Adam([p], fused=True).step}
    order = (case.shape[2], *case.shape[:2]) if len(case.shape) == 3 else case.shape
    layout = torch.channels_last if len(order) == 3 else torch.contiguous_format
    x = torch.randn(case.batch, *order).to(memory_format=layout)
    learner = x.clone().requires_grad_()
    if case.layer is None:
        target, bce = torch.ones_like(x), torch.nn.functional.binary_cross_entropy_with_logits
        return {"forward": lambda: bce(x, target), "both": lambda: torch.autograd.grad(bce(learner, target), learner)}
    layer = module(case.layer, case.shape).to(memory_format=layout)
    if hasattr(layer, "inplace"):
        layer.inplace = False  # the input is needed again
    gy = torch.ones_like(layer(x))
    wanted = [*layer.parameters(), learner]

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    return {"forward": forward, "both": lambda: torch.autograd.grad(layer(learner), wanted, gy)}


class Host:
    """The process of one pair of hands. Without workloads its cases are the kernels."""

    def __init__(self, name: str, threads: int, names: list[str]):
        self.cases: Sequence[Any] = cases(names) or KERNELS
        self.make: Callable[[Any], Runs] = by_torch if name == "torch" else by_tinygen
        if not names:
            self.make = lambda kernel: {"forward": call(kernel, name == "definition")}
        self.current: tuple[int, Runs] = -1, {}
        if name == "torch":
            import torch

            torch.set_num_threads(threads)

    def run(self, i: int, kind: str, times: int) -> dict[str, Any]:
        if self.current[0] != i:
            self.current = i, self.make(self.cases[i])
        if kind not in self.current[1]:
            return {"seconds": None}
        call = self.current[1][kind]
        start = time.perf_counter()
        for _ in range(times):
            call()
        return {"seconds": (time.perf_counter() - start) / times}


# The command


def turn(worker: Worker, i: int, kind: str, seconds: float, known: dict[str, int]) -> float | None:
    """Seconds per call of a case; a worker's first turn warms it up and finds out how many calls make a turn."""
    if kind not in known:
        if worker.ask("run", i, kind, 1)["seconds"] is None:
            return None
        known[kind] = max(1, min(10_000, round(seconds / worker.ask("run", i, kind, 2)["seconds"])))
    return worker.ask("run", i, kind, known[kind])["seconds"]


def measure(here: dict[str, Worker], i: int, kind: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each round for each worker."""
    times: dict[str, list[float]] = {name: [] for name in here}
    known: dict[str, dict[str, int]] = {name: {} for name in here}
    for _ in range(options.rounds):
        for name in list(here):
            try:
                value = turn(here[name], i, kind, options.seconds, known[name])
            except Failed as error:
                print(f"{name} drops out: {error}", file=sys.stderr)
                here.pop(name).__exit__()
                continue
            if value is not None:
                times[name].append(value)
    return {name: values for name, values in times.items() if values}


def row(label: str, hands: Sequence[str], floor: float, times: dict[str, list[float]]) -> str:
    """A line of a table: the floor, the milliseconds of each, the ratios of tinygen-fast to the others and to it."""
    fast = times.get("tinygen-fast")
    columns = [f"{statistics.median(times[n]) * 1e3:.3f}" if n in times else "" for n in hands]
    others = [n for n in hands if n != "tinygen-fast"]
    against = [f"{ratios.ratio(fast, times[n])[0]:.2f}" if fast and n in times else "" for n in others]
    above = f"{statistics.median(fast) / floor:.1f}" if fast and floor else ""
    return markdown.row(label, f"{floor * 1e3:.3f}", *columns, *against, above)


def head(what: str, hands: Sequence[str]) -> str:
    against = [f"fast / {n}:" for n in (*(n for n in hands if n != "tinygen-fast"), "floor")]
    return "\n" + markdown.head(what, "floor, ms:", *(f"{n}:" for n in hands), *against)


@contextlib.contextmanager
def workers(hands: Sequence[str], options: argparse.Namespace, names: Sequence[str]) -> Iterator[dict[str, Worker]]:
    """A worker for each pair of hands that is installed."""
    pythons = runner.interpreters(options.peers_venv)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here: dict[str, Worker] = {}
        for name in hands:
            entry = PEERS["tinygen" if name == "definition" else name]
            if missing := set(entry.packages) - runner.installed(pythons[entry.ours]):
                print(f"{name}: not installed: pip install {' '.join(sorted(missing))}")
                continue
            command = [pythons[entry.ours], "-m", "benchmarks.micro", name, str(options.threads), *names]
            env = machine.environment(options.threads, **entry.env)
            here[name] = stack.enter_context(Worker(command, env, folder / f"{name}.log"))
        yield here


def run(options: argparse.Namespace) -> int:
    rates = runner.rates(options.threads)
    print(f"sgemm {rates['sgemm']:.0f} GFLOP/s, copy {rates['copy']:.1f} GB/s, {options.threads} threads; medians")
    with runner.ends_by_signal():
        if options.only != "layers":
            print(head("kernel", KERNEL_HANDS))
            with workers(KERNEL_HANDS, options, []) as here:
                for i, kernel in enumerate(KERNELS):
                    times = measure(here, i, "forward", options)
                    print(row(f"{kernel.name} {kernel.size}", KERNEL_HANDS, kernel.floor(rates), times), flush=True)
        if options.only != "kernels":
            print(head("layer", HANDS))
            with workers(HANDS, options, options.workload) as here:
                for i, case in enumerate(cases(options.workload)):
                    for kind in ("forward", "both"):
                        if times := measure(here, i, kind, options):
                            suffix = " + backward" if kind == "both" and not case.name.startswith("Adam") else ""
                            print(row(case.name + suffix, HANDS, case.floor(kind, rates), times), flush=True)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(device="cpu")
    parser.add_argument("--only", choices=["kernels", "layers"], help="default: both")
    parser.add_argument("--workload", nargs="+", default=list(DEFAULT), choices=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--threads", type=runner.positive(int), default=2)
    parser.add_argument("--rounds", type=runner.positive(int), default=5)
    parser.add_argument("--seconds", type=runner.positive(float), default=0.1, help="length of a turn (default 0.1)")
    parser.add_argument("--peers-venv", type=Path, help="the environment with PyTorch")


if __name__ == "__main__":
    machine.pin(int(sys.argv[2]))
    serve({"run": Host(sys.argv[1], int(sys.argv[2]), sys.argv[3:]).run})
