"""The recording of a training: what a Recorder kept, in few bytes, written to disk and read back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import to_host
from ..errors import ConfigError, RunError
from ..kinds import CURVE, MAY_NUMBER, NUMBER, PAIR, PLAIN, RANGE, SHAPE, SWITCH, TEXT
from ..losses import GAN_LOSSES, least_squares
from ..losses.gan import slope_from
from ..settings import did_you_mean
from ..train import checkpoint, contents
from ..train.run import RunDirectory

CONSTANTS = {"data", "data_labels", "data_other", "real", "plain", "labels", "centres"}  # they have no axis of steps
IMAGES = ("samples", "reconstructions", "data", "data_other", "real", "plain")
GRADIENTS = ("score_gradient", "pixel_gradient")
HALVES = ("mu", "logvar", "field")  # kept in float16
FACTS = {
    "model": TEXT,
    "config": {...: PLAIN},
    "data": TEXT,
    "data_shape": SHAPE,
    "value_range": RANGE,
    "layers": [{"network": TEXT, "name": TEXT, "title": TEXT, "shape": SHAPE}],
}
OPTIONAL_FACTS = {
    "game": {"name": TEXT, "title": TEXT, "formula": TEXT, "probability": SWITCH, "threshold": MAY_NUMBER,
             "low": NUMBER, "high": NUMBER, "slope": CURVE},
    "missing": [PAIR],
}  # fmt: skip


class Recording:
    """What a Recorder kept of a run: arrays by name, whose first axis is that of `steps`, and facts.

    Images are uint8, 0 to 255 from the lower end of the model's value_range to the upper; points are float16. Gradients
    are int8, each image's with a scale: `gradient()` gives their values. "score_real" are D's scores of the first real
    examples: those of "real" if the recording has it, else those of "data".

    >>> tg.inside.Recording({"step": np.arange(3), "z": np.zeros((3, 8, 2))}, facts={})
    Recording(3 steps from 0 to 2, 2 arrays)
    """

    def __init__(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]):
        self.arrays, self.facts = arrays, facts
        self.steps = arrays["step"]

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Recording:
        """The recording in a run directory, or in a file. Raises RunError if there is none, or it can't be read."""
        path = Path(run)
        path = RunDirectory(path).recording_file if path.is_dir() else path
        if not path.exists():
            raise RunError(f"{path}: there is no recording; train with `tinygen train MODEL --record EVERY`, or with a "
                           "Recorder among fit's callbacks")  # fmt: skip
        arrays, facts = checkpoint.load(path)
        if "step" not in arrays or "layers" not in facts:
            raise RunError(f"{path}: a tinygen file, but not a recording")
        fault = contents.fault(facts, FACTS)
        fault = fault or contents.fault(facts, OPTIONAL_FACTS, partly=True)
        if fault := fault or _fault_of(arrays):
            raise RunError(f"{path}: damaged, or not a recording: {fault}")
        return cls(arrays, facts)

    def __repr__(self) -> str:
        first, last = (self.steps[0], self.steps[-1]) if len(self.steps) else (0, 0)
        return f"Recording({len(self.steps)} steps from {first} to {last}, {len(self.arrays)} arrays)"

    def save(self, path: Path) -> None:
        """Write the recording, whole or not at all. Raises RunError."""
        checkpoint.save(path, self.arrays, self.facts)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def gradient(self, name: str) -> np.ndarray:
        """The values of "score_gradient" or "pixel_gradient", float32 (T, n, *data_shape)."""
        scale = self.arrays[f"{name}_scale"]
        return self.arrays[name] * scale.reshape(*scale.shape, *[1] * (self.arrays[name].ndim - 2))

    def pixel_gradient(self, loss: str | None = None) -> np.ndarray:
        """dL_G/dx of each generated image, (T, n, *data_shape): of the model's own loss, or of another with the same D.

        A loss sees an image by its score s alone, so dL/dx = L'(s)/N · ds/dx, and L'(s) is all that differs.
        """
        if loss is None and "pixel_gradient" in self.arrays:
            return self.gradient("pixel_gradient")
        gradient = self.gradient("score_gradient")
        slope = self._slope(loss or self.facts["loss"], self.arrays["score_fake"][:, : gradient.shape[1]])
        return gradient * (slope / self.facts["scores"]).reshape(*slope.shape, *[1] * (gradient.ndim - 2))

    @property
    def game(self) -> dict[str, Any] | None:
        """The GAN loss of the run, as `GANLoss.describe` gives it; None if there was no game.

        A recording without a description has that of the loss of the same name; None if there is no such loss.
        """
        name, labels = self.facts.get("loss"), self.facts["config"]
        if "game" in self.facts or name not in GAN_LOSSES:
            return self.facts.get("game")
        with_labels = name == "lsgan" and "a" in labels
        return (least_squares(labels["a"], labels["b"], labels["c"]) if with_labels else GAN_LOSSES[name]).describe()

    def _slope(self, loss: str, scores: np.ndarray) -> np.ndarray:
        """dL/ds at each score under the run's own loss, or another."""
        game = self.game
        if game is not None and loss == self.facts["loss"]:
            return slope_from(game, scores)
        if loss not in GAN_LOSSES:
            raise ConfigError(f"pixel_gradient: there is no GAN loss {loss!r}{did_you_mean(loss, GAN_LOSSES)}")
        return to_host(GAN_LOSSES[loss].slope(scores))


def quantised(found: dict[str, np.ndarray], value_range: tuple[float, float] | None) -> dict[str, np.ndarray]:
    """The arrays of a step as a recording keeps them."""
    kept = dict[str, np.ndarray]()
    for name, x in found.items():
        if name in IMAGES:
            kept[name] = image_bytes(x, value_range)
        elif name in GRADIENTS:
            kept[name], kept[f"{name}_scale"] = eight_bits(x)
        else:
            kept[name] = x.astype(np.float16 if name in HALVES else np.float32)
    return kept


def image_bytes(x: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """Images as uint8, 0 to 255 from low to high; points as float16; tokens as int32."""
    if x.dtype.kind == "i":
        return x.astype(np.int32)
    if value_range is None:
        return x.astype(np.float16)
    low, high = value_range
    return np.nan_to_num((x - low) * (255 / (high - low))).round().clip(0, 255).astype(np.uint8)


def eight_bits(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q, int8, and a scale for each example, float32 (N,), with x ≈ q · scale."""
    largest = np.abs(x).reshape(len(x), -1).max(axis=1).astype(np.float32)
    scale = largest / 127
    safe = np.where(scale > 0, scale, 1).reshape(-1, *[1] * (x.ndim - 1))
    return np.nan_to_num(x / safe).round().clip(-127, 127).astype(np.int8), scale


def _fault_of(arrays: dict[str, np.ndarray]) -> str:
    """Why arrays can't be a recording, with a row for each "step" in all but the CONSTANTS; "" if they can."""
    steps = arrays["step"]
    if steps.ndim != 1 or steps.dtype.kind != "i" or len(steps) == 0 or steps[0] < 0 or (np.diff(steps) <= 0).any():
        return "step is not a row of rising whole numbers"
    for name, x in arrays.items():
        if name not in CONSTANTS and (x.ndim == 0 or len(x) != len(steps)):
            return f"{name} has shape {x.shape}, but there are {len(steps)} steps"
    return ""
