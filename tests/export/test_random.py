"""Random networks, exported: what one op leaves, in whatever order of axes, any other may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from export.running import Op, assert_exported

from tinygen import ops

pytestmark = pytest.mark.oracle
pytest.importorskip("onnxruntime")

IMAGE, LENGTH = (5, 4, 3), 8


class Recipe:
    """Steps drawn at random: each takes values that there are, by their numbers, and makes one more."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self.values: list[Any] = [self.noise(2, *IMAGE)]
        while len(self.steps) < LENGTH:
            self.draw()

    def __call__(self, x: Any) -> tuple[Any, ...]:
        """All values that no step takes."""
        values, taken = [x], {i for _, numbers in self.steps for i in numbers}
        for function, numbers in self.steps:
            values.append(function(*(values[i] for i in numbers)))
        return tuple(v for i, v in enumerate(values) if i not in taken)

    def noise(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape).astype(np.float32)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, fits: Callable[[Any], bool]) -> int | None:
        """The number of a value that fits, the last one more often than others."""
        numbers = [i for i, v in enumerate(self.values) if fits(v)]
        if not numbers:
            return None
        return numbers[-1] if self.number(0, 1) else numbers[self.number(0, len(numbers) - 1)]

    def draw(self) -> None:
        """Add a step, unless none of this kind fits."""
        kinds = [self.of_image, self.of_vector, self.of_two]
        numbers, function = kinds[self.number(0, 2)]()
        if None in numbers:
            return
        y = function(*(self.values[i] for i in numbers))
        if 0 < y.size < 2000 and np.isfinite(y).all() and np.abs(y).max() < 8:
            self.steps.append((function, numbers))
            self.values.append(y)

    def of_image(self) -> Any:
        i = self.pick(lambda v: v.ndim == 4 and min(v.shape[1:3]) > 1)
        if i is None:
            return (i,), None
        _, H, W, C = self.values[i].shape
        w, wt = self.noise(2, 2, C, 4) / C, self.noise(3, 2, 3, C) / C
        bias, (k, s), axis = self.noise(C), (self.number(1, 2), self.number(1, 2)), self.number(1, 3)
        functions = [
            lambda x: ops.conv2d(x, w, s, "same", k),
            lambda x: ops.conv2d(x, w, (1, s)) + w[0, 0, 0],
            lambda x: ops.conv_transpose2d(x, wt, (s, 2), ((1, 0), (0, 1))),
            lambda x: ops.leaky_relu(x * bias, 0.3),
            lambda x: ops.prelu(x, bias),
            lambda x: ops.where(ops.greater(x, bias), x, 0.5),
            lambda x: (x - ops.mean(x, (1, 2), True)) / ops.sqrt(ops.var(x, (1, 2), 0, True) + 0.1),
            lambda x: ops.mean(x, (1, 2)),
            lambda x: ops.max(x, axis),
            lambda x: ops.sum(x, axis, True) / 4,
            lambda x: ops.softmax(x, axis),
            lambda x: ops.max_pool2d(x, 2, s, k - 1),
            lambda x: ops.avg_pool2d(x, (2, 1), s),
            lambda x: ops.pad(x, ((0, 0), (k, 0), (0, s), (0, 0)), "reflect" if min(H, W) > 2 else "constant"),
            lambda x: ops.flip(x, axis),
            lambda x: x[:, k - 1 :, ::-s, -1:],
            lambda x: x[..., 0][:, None],
            lambda x: ops.transpose(x, (0, 2, 1, 3)),
            lambda x: ops.swapaxes(x, 1, 3),
            lambda x: ops.upsample_nearest(x, (1, s)),
            lambda x: ops.blur(x),
            lambda x: ops.resize(x, (3, 5), "bicubic"),
            lambda x: ops.reshape(x, (x.shape[0], -1)),
            lambda x: ops.stack([x, -x], -1).reshape(*x.shape[:3], -1),
            lambda x: ops.clip(ops.astype(x, np.float64), -1, 1).astype(np.float32),
        ]
        return (i,), functions[self.number(0, len(functions) - 1)]

    def of_vector(self) -> Any:
        i = self.pick(lambda v: v.ndim == 2)
        if i is None:
            return (i,), None
        F = self.values[i].shape[1]
        w, b = self.noise(F, 12) / F, self.noise(12)
        functions = [
            lambda x: ops.dense(x, w, b),
            lambda x: ops.tanh(x @ w),
            lambda x: ops.dense(x, w, b).reshape(-1, 2, 2, 3),
            lambda x: x / ops.sqrt(ops.mean(x * x, 1, keepdims=True) + 0.1),
            lambda x: x[:, None, None],
            lambda x: ops.log_softmax(x) / 4,
            lambda x: ops.concatenate([x, 1 - x], 1),
            lambda x: ops.cumsum(x, 1) / F,
        ]
        return (i,), functions[self.number(0, len(functions) - 1)]

    def of_two(self) -> Any:
        """Values that broadcast, or that are joined along their channels."""
        i = self.pick(lambda v: v.ndim > 1)
        a = self.values[i or 0]
        alike = self.pick(
            lambda v: v.ndim == a.ndim and all(m in (1, n) for m, n in zip(v.shape, a.shape, strict=True))
        )
        beside = self.pick(lambda v: v.shape[:-1] == a.shape[:-1])
        choices = [
            ((i, alike), lambda x, y: x + y),
            ((alike, i), lambda x, y: x * y),
            ((i, alike), lambda x, y: ops.maximum(x, y)),
            ((i, beside), lambda x, y: ops.concatenate([x, y], -1)),
            ((beside, i, i), lambda x, y, z: ops.concatenate([x, y, z], -1)),
        ]
        return choices[self.number(0, len(choices) - 1)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    many = metafunc.config.getoption("--campaign")
    metafunc.parametrize("first", range(0, 2000 if many else 40, 20))


def test_random_networks(first: int) -> None:
    for seed in range(first, first + 20):
        try:
            assert_exported(Op(Recipe(seed)), {"x": IMAGE}, (1, 4))
        except Exception as error:
            raise AssertionError(f"the network of seed {seed}") from error
