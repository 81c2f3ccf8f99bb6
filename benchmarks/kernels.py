"""tinygen's kernels by themselves, for `python -m benchmarks micro`, on arguments as large as the workloads'."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SAME = ((1, 2), (1, 2))  # 5x5 kernels, stride 2: 14x14 to 7x7
FIRST = np.uint64(1)  # the position in its stream at which a draw begins


class Kernel(NamedTuple):
    """A kernel and how its arguments are drawn. flops: those of its matrix products."""

    name: str
    size: str
    arguments: Callable[[], tuple[Any, ...]]
    flops: int = 0

    def floor(self, rates: dict[str, float]) -> float:
        """Seconds for its FLOPs, or to read its arguments and write its results once, whichever is longer. Results are
        taken to be as large as the largest argument; for Adam they are p, m and v."""
        arrays = [a for a in self.arguments() if isinstance(a, np.ndarray)]
        written = 3 * arrays[0].nbytes if self.name == "adam" else max(a.nbytes for a in arrays)
        moved = sum(a.nbytes for a in arrays) + (0 if self.name in ("column_sum", "total", "total_into") else written)
        return max(self.flops / rates["sgemm"] / 1e9, moved / rates["copy"] / 1e9)


def draw(*shape: int) -> Any:
    return np.random.default_rng(math.prod(shape)).random(shape, np.float32)


def maps(n: int, h: int, c: int) -> Any:
    """Feature maps (N, H, W, C) with the memory layout of tinygen's convolutions: H, N, W, C."""
    return draw(h, n, h, c).swapaxes(0, 1)


def elementwise(rows: int, c: int) -> list[Kernel]:
    size, x = f"{rows:,} x {c}", lambda: draw(rows, c)
    column = lambda: draw(c)
    return [
        Kernel("leaky_relu", size, lambda: (x(), 0.2)),
        Kernel("leaky_relu_grad", size, lambda: (x(), x(), 0.2)),
        Kernel("sigmoid_cross_entropy", size, lambda: (x(), x())),
        Kernel("sigmoid_cross_entropy_grad", size, lambda: (x(), x(), x())),
        Kernel("dropout", size, lambda: (x(), x() > 0.3, 1 / 0.7)),
        Kernel("sigmoid", size, lambda: (x(),)),
        Kernel("tanh_grad", size, lambda: (x(), x())),
        Kernel("erf", size, lambda: (x(),)),
        Kernel("erfc", size, lambda: (x(),)),
        Kernel("column_sum", size, lambda: (x(),)),
        Kernel("total", size, lambda: (x(), (0,))),
        Kernel("total_into", size, lambda: (x(), (0,), column())),
        Kernel("add_at", size, lambda: (draw(10, c), np.arange(rows) % 10, x())),
        Kernel("put", size, lambda: (x()[::2].copy(), (rows, c), slice(None, None, 2))),
        Kernel("flatten_into", size, lambda: (np.empty(3 * rows * c, np.float32), [x(), x(), x()])),
        Kernel("verdicts", f"{rows:,}", lambda: (draw(rows, 1), draw(rows, 1), 0.5, True)),
        Kernel("keep_running", f"{c}", lambda: (column(), column(), column(), column(), 0.8)),
        Kernel("bits", size, lambda: (np.empty((rows, c), np.uint64), FIRST)),
        Kernel("bernoulli", size, lambda: (np.empty((rows, c), bool), FIRST, 1 << 15)),
        Kernel("uniform", size, lambda: (x(), FIRST)),
        Kernel("normal", size, lambda: (x(), FIRST)),
        Kernel("batch_norm", size, lambda: (x(), column(), column(), 1e-3)),
        Kernel("batch_norm_grad", size, lambda: (x(), x(), column(), column(), column() + 1, 1e-3)),
    ]


def product(m: int, k: int, n: int) -> Kernel:
    return Kernel("matmul", f"{m}x{k} @ {k}x{n}", lambda: (draw(m, k), draw(k, n)), 2 * m * k * n)


FLOPS = 2 * 256 * 7 * 7 * 128 * 25 * 64
KERNELS = [
    *(
        Kernel("adam", f"{n:,}", lambda n=n: (*(draw(n) for _ in range(4)), 1e-3, 0.9, 0.999, 1e-8, 7))
        for n in (10**5, 1_489_936)
    ),
    *elementwise(128, 1024),
    *elementwise(256 * 14 * 14, 64),
    *(product(*sizes) for sizes in ((32, 1024, 784), (128, 1024, 784), (1024, 128, 784), (128, 256, 1))),
    Kernel("im2col", "256, 14x14x64, k5 s2", lambda: (maps(256, 14, 64), (5, 5), (2, 2), SAME)),
    Kernel("col2im", "256, 14x14x64, k5 s2", lambda: (draw(256, 7, 7, 5, 5, 64), (14, 14), (2, 2), SAME)),
    Kernel(
        "conv2d",
        "256, 14x14x64 → 7x7x128, k5 s2",
        lambda: (maps(256, 14, 64), draw(5, 5, 64, 128), (2, 2), SAME),
        FLOPS,
    ),
    Kernel(
        "conv_transpose2d",
        "256, 7x7x128 → 14x14x64, k5 s2",
        lambda: (maps(256, 7, 128), draw(5, 5, 64, 128), (2, 2), SAME, (14, 14)),
        FLOPS,
    ),
    Kernel(
        "conv2d_weight_grad",
        "256, 14x14x64, 7x7x128, k5 s2",
        lambda: (maps(256, 14, 64), maps(256, 7, 128), (5, 5), (2, 2), SAME),
        FLOPS,
    ),
]


def call(kernel: Kernel, definition: bool) -> Callable[[], Any]:
    """The kernel on its arguments: as tinygen runs it in this process, or its definition."""
    from tinygen import kernels

    function, arguments = getattr(kernels, kernel.name), kernel.arguments()
    if definition:
        function = inspect.unwrap(function)
    return lambda: function(*arguments)
