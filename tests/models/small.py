"""Every model in a form small enough for a test, its data, and both in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygen.backend import array_module
from tinygen.data import Dataset
from tinygen.layers import Buffer
from tinygen.models import MODELS, Model
from tinygen.models.networks import make_optimizer
from tinygen.tensor import Parameter

IMAGE, POINT = (3, 2, 1), (2,)
SMALL: dict[str, dict[str, Any]] = {  # a model without an entry here fails the tests
    "memory": {"hidden": (6,)},
    "ae": {"hidden": (7, 5), "latent_dim": 3},
    "vae": {"hidden": (7,), "latent_dim": 3},
    "convvae": {"channels": (3, 4), "hidden": (5,), "latent_dim": 3},
    "betavae": {"channels": (5, 6), "hidden": (8,), "latent_dim": 3, "kernel_size": 3},
    "gan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4)},
    "cgan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4), "classes": 3, "label_width": 2},
    "acgan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4), "classes": 3, "label_width": 2},
    "dcgan": {"latent_dim": 3, "g_channels": (4, 3, 2), "d_channels": (3, 4), "kernel_size": 3, "bn_momentum": 0.8},
    "dcgan64": {"latent_dim": 3, "g_channels": (4, 3), "d_channels": (3, 4)},
    "sngan": {"latent_dim": 3, "g_channels": (4, 3, 2), "d_channels": (3, 4), "kernel_size": 3, "bn_momentum": 0.8},
    "lsgan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4)},
    "hingegan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4)},
    "wgan": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4), "d_steps": 2},
    "wgangp": {"latent_dim": 3, "g_hidden": (7, 5), "d_hidden": (6, 4), "d_steps": 2},
    "pacgan": {"latent_dim": 4, "g_hidden": (7, 5), "d_hidden": (6, 4), "pack": 2},
    "srgan": {"d_channels": (2,), "scale": 2, "channels": 3, "blocks": 1, "warmup": 1},
    "inpaint": {"hole": (1, 1, 2, 2), "e_channels": (2, 3), "bottleneck": 3, "d_channels": (2,), "frame": 1, "seen": 1},
    "cogan": {"latent_dim": 3, "g_channels": (4, 3), "d_channels": (3, 4), "kernel_size": 3, "g_kernel_size": 3},
    "stylegan": {
        "latent_dim": 3,
        "channels": (4, 3),
        "depth": 2,
        "mixing": 0.9,
        "group": 2,
        "r1_every": 3,
        "constant": 2,
        "decay": 9,
    },
    "vaegan": {"latent_dim": 3, "e_channels": (2,), "g_channels": (4, 3), "d_channels": (3, 4), "kernel_size": 3},
    "cyclegan": {"g_channels": (2, 3), "blocks": 1, "d_channels": (2, 3), "pool": 6, "constant": 2, "decay": 20},
    "textgan": {
        "vocabulary": ("a", "b", "c", "d", "."), "g_features": 4, "embedding": 3, "d_channels": (3, 4), "d_hidden": 4,
        "tau_steps": 3, "pretrain": 2,
    },
}  # fmt: skip
IMAGES_ONLY = {"stylegan", "cogan", "vaegan", "convvae", "betavae", "dcgan", "dcgan64", "sngan"}
IMAGES_ONLY |= {"cyclegan", "srgan", "inpaint"}
SHAPES = {"cyclegan": (8, 8, 1), "srgan": (4, 4, 1), "inpaint": (5, 4, 1)}  # of models that take no smaller images
SENTENCES = {"textgan"}
SAMPLING = [name for name, kind in MODELS.items() if kind.sample is not Model.sample]
BATCH = 4
CENTRES = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.5]], np.float32)  # of three classes


def small(name: str, seed: int = 0, **settings: Any) -> Model:
    """A model with few neurons for images of 3 by 2 pixels, or of the size in SHAPES, or for sentences of 6 words."""
    kind = MODELS[name]
    settings = {"data_shape": IMAGE, **SMALL[name], **settings}
    settings["data_shape"] = shape_for(name, settings["data_shape"])
    return kind(kind.Config(**settings), seed)


def shape_for(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an example of a model where others take images of this shape: of sentences as many words as there
    are values in it."""
    if name in SENTENCES:
        return (math.prod(shape),)
    return SHAPES.get(name, shape) if shape == IMAGE else shape


def batches(n: int, shape: tuple[int, ...] = IMAGE, seed: int = 0, size: int = BATCH) -> np.ndarray:
    """n batches of values in [0.05, 0.95], which fits every value_range; (n, size, *shape) in float32."""
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n, size, *shape)).astype(np.float32)


def fed(model: Model, x: Any) -> Any:
    """A batch x as the model takes it: of its shape, with labels 0, 1, 2, 0, ... if it takes labels, with 1 - x as its
    second domain, or as tokens if it takes sentences."""
    if model.vocabulary is not None:
        return (x.reshape(len(x), -1) * len(model.vocabulary)).astype(np.int64)
    if model.name in SHAPES and x.shape[1:] == IMAGE:
        (n, *_), size, xp = x.shape, math.prod(model.config.data_shape), array_module(x)
        repeated = xp.broadcast_to(x.reshape(n, 1, -1), (n, size, math.prod(IMAGE))).reshape(n, -1)
        x = repeated[:, :size].reshape(n, *model.config.data_shape)
    if model.takes_domains:
        return x, 1 - x
    if not model.takes_labels:
        return x
    return x, array_module(x).arange(len(x)) % model.config.classes


def learnt_classes(name: str) -> tuple[Model, list[np.ndarray]]:
    """A conditional GAN trained on three Gaussians N(centre, 0.1²), with 300 samples of each class: these must lie near
    their own centre and no other."""
    rng, kind = np.random.default_rng(0), MODELS[name]
    sizes = {"classes": 3, "label_width": 8, "latent_dim": 2, "g_hidden": (32,), "d_hidden": (32, 32)}
    gan: Any = kind(kind.Config(data_shape=POINT, **sizes, batch_norm=False, lr=2e-3))
    for _ in range(600):
        y = rng.integers(0, 3, 64)
        gan.train_step((rng.normal(CENTRES[y], 0.1).astype(np.float32), y))
    samples = [gan.sample(300, labels=label) for label in range(3)]
    for points, centre in zip(samples, CENTRES, strict=True):
        np.testing.assert_allclose(points.mean(0), centre, atol=0.25)
        assert 0.01 < points.std(0).max() < 0.4
    return gan, samples


def data_for(name: str, n: int = 96, shape: tuple[int, ...] = IMAGE) -> Dataset:
    """n examples in [0.05, 0.95] of three classes, as the model takes them, and a second domain if it takes two."""
    labels = np.arange(n) % 3
    if name in SENTENCES:
        tokens = fed(small(name), batches(1, shape, size=n)[0])
        return Dataset("toy", tokens, tokens[::-1].copy(), vocabulary=SMALL[name]["vocabulary"])
    x, y = (batches(1, shape_for(name, shape), seed, n)[0] for seed in (0, 1))
    other = Dataset("other", y, y[::-1].copy()) if MODELS[name].takes_domains else None
    return Dataset("toy", x, x[::-1].copy(), labels, labels, other=other)


def in_float64(model: Model) -> Model:
    """An untrained model with its weights, buffers and optimisers in float64, to compare or to check."""
    new: dict[int, Parameter] = {}
    for _, module in model.named_modules():
        for name, t in list(vars(module).items()):
            if isinstance(t, (Parameter, Buffer)):
                setattr(module, name, type(t)(t.data.astype(np.float64)))
                new[id(t)] = getattr(module, name)
    for name, child in model.named_children():
        setattr(model, name, child)  # names the parameters by their paths again
    for name, optimizer in model.optimizers().items():
        wide = make_optimizer(model.config, [new[id(p)] for p in optimizer.params])
        wide.lr = optimizer.lr
        setattr(model, name, wide)
    return model
