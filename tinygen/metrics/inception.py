"""Features from a network in a file, such as Inception's, for FID and KID as others report them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from ..backend import Array, to_host
from ..checks import as_numbers, check_installed
from ..errors import ConfigError, DataError

Scaling: TypeAlias = Literal["tf", "imagenet"]
Network: TypeAlias = Callable[[np.ndarray], Any]

SIDE = 299  # pixels
BATCH = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, as torchvision's weights expect


class Inception:
    """Features of images by a network in a file: images (N, H, W, C) in [0, 1] to (N, F).

    path: maps (N, 3, 299, 299) to features; an .onnx file, which onnxruntime runs, or TorchScript, which PyTorch runs,
    such as inception-2015-12-05.pt, the network of the usual FID.
    scaling: "tf" gives it (x - 128) / 128 for x from 0 to 255, as that network expects; "imagenet" gives it
    (x / 255 - mean) / std of each channel, as torchvision's weights do.
    output: of an .onnx file, the name of the output that has the features; by default the first.

    Images are rounded to 8 bits, grey ones become three equal channels, and each channel is resized by Pillow's bicubic
    filter, which doesn't alias, in floats: Parmar et al. 2022, "clean-fid". For `evaluate(features=Inception(path))`.
    Raises ConfigError for a file that can't be read or another option, PackageError without what runs it.

    >>> model = tg.export.onnx(tg.layers.GlobalAvgPool(), (299, 299, 3), "mean.onnx")  # the mean of each channel
    >>> features = tg.metrics.Inception("mean.onnx")
    >>> features(np.ones((1, 28, 28, 1))).round(3)  # (255 - 128) / 128
    array([[0.992, 0.992, 0.992]], dtype=float32)
    """

    def __init__(self, path: str | os.PathLike[str], scaling: Scaling = "tf", output: str | None = None):
        self.path, self.scaling, self.output = Path(path), scaling, output
        self.__name__ = f"{self.path.name}, scaled as {scaling}"
        if scaling not in get_args(Scaling):
            raise ConfigError(f"Inception: scaling is {scaling!r}, but it must be 'tf' or 'imagenet'")
        if not self.path.is_file():
            raise ConfigError(f"Inception: {self.path} is no file; give an .onnx file, or TorchScript")
        load = _onnx if self.path.suffix == ".onnx" else _torchscript
        try:
            self._network = load(self.path, output)
        except (RuntimeError, ValueError) as error:  # of onnxruntime and PyTorch
            raise ConfigError(f"Inception: {self.path} can't be read: {error}") from error

    def __call__(self, images: Array) -> np.ndarray:
        """The features (N, F). Raises DataError unless images are (N, H, W, 1) or (N, H, W, 3) in [0, 1]."""
        x = to_host(as_numbers("Inception", "images", images))
        if x.ndim != 4 or x.shape[-1] not in (1, 3) or not x.size:
            raise DataError(f"Inception: images are {x.shape}, but they must be (N, H, W, 1) or (N, H, W, 3)")
        batches = (x[i : i + BATCH] for i in range(0, len(x), BATCH))
        features = [np.asarray(self._network(self._scaled(resize(batch)))) for batch in batches]
        return np.concatenate([f.reshape(len(f), -1) for f in features])

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        """Images (N, 299, 299, 3) from 0 to 255 as the network expects them: (N, 3, 299, 299)."""
        if self.scaling == "tf":
            x = (x - 128) / 128
        else:
            x = (x / 255 - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
        return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def resize(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, 1 or 3) in [0, 1], as float32 (N, 299, 299, 3) from 0 to 255, resized as clean-fid does."""
    check_installed("Inception", "PIL")
    from PIL import Image

    x = np.rint(np.clip(images, 0, 1) * 255).astype(np.float32)
    x = np.broadcast_to(x, (*x.shape[:3], 3))
    made = np.empty((len(x), SIDE, SIDE, 3), np.float32)
    for image, target in zip(x, made, strict=True):
        for c in range(3):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c]))
            target[..., c] = np.asarray(channel.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).clip(0, 255)
    return made


def _onnx(path: Path, output: str | None) -> Network:
    check_installed("Inception: an .onnx file", "onnxruntime")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    except Exception as error:  # of classes that only a binary module has
        raise ValueError(error) from error
    names = [one.name for one in session.get_outputs()]
    if output is not None and output not in names:
        raise ValueError(f"it has no output {output!r}, but {', '.join(names)}")
    given = session.get_inputs()[0].name
    return lambda x: session.run([output or names[0]], {given: x})[0]


def _torchscript(path: Path, output: str | None) -> Network:
    check_installed("Inception: a TorchScript file", "torch")
    import torch

    with warnings.catch_warnings():  # PyTorch has deprecated the format that the network of the usual FID is in
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(str(path), map_location="cpu").eval()
    network = getattr(network, "layers", network)  # of inception-2015-12-05.pt: the rest resizes

    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(x)).numpy()

    return run
