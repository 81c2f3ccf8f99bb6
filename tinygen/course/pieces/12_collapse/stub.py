"""12. A collapsed GAN: read handout.md, then complete this file."""

from __future__ import annotations

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each

MIXTURE = "ring"  # VARIANT: ring, arch, spiral
STD = 0.05
CAUSES = {
    "healthy": "G learns to cover the mixture",
    "collapse": "the points of G crowd on a small part of the mixture, and wander",
    "D won": "D is right about nearly every point, and no gradient arrives at G",
    "D asleep": "D does not learn, so G runs after a score that never changes",
    "too fast": "the learning rates are too large: losses and points leap",
}
BROKEN = {"lr": 1e-2, "d_lr": 2e-4, "beta1": 0.5, "ema": 0.0, "d_hidden": (32, 32), "steps": 2000, "batch": 128}
SEED = 0


def centres():
    """The centres of your mixture, (8, 2)."""
    t = np.arange(8)
    if MIXTURE == "ring":
        return np.stack([np.cos(t * np.pi / 4), np.sin(t * np.pi / 4)], axis=1)
    if MIXTURE == "arch":
        return np.stack([-1.2 * np.cos(t * np.pi / 7), 1.2 * np.sin(t * np.pi / 7) - 0.6], axis=1)
    r = 0.3 + 0.1 * t
    angle = np.cumsum(0.55 / r) - 0.55 / r[0]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def real(n, rng):
    """n points of your mixture, (n, 2), float32."""
    return (centres()[rng.integers(8, size=n)] + STD * rng.normal(size=(n, 2))).astype(np.float32)


def mode_counts(points, centres, std):
    """How many points count for each centre: those to which it is the nearest, at less than 3 std."""
    ...  # your code here


def mode_scores(counts, n, share):
    """How many modes are reached, the share of points near a mode, and the reverse KL, given the counts of n points."""
    ...  # your code here


DIAGNOSES = {"run1": "", "run2": "", "run3": "", "run4": "", "run5": ""}  # a word of CAUSES each
...  # your code here

MENDED = dict(BROKEN)  # and what you change
...  # your code here


def model_of(settings, seed):
    """The GAN of some settings: `steps` and `batch` apart, they are those of tinygen's GANConfig."""
    import tinygen as tg

    options = {name: value for name, value in settings.items() if name not in ("steps", "batch")}
    fixed = {"data_shape": (2,), "latent_dim": 2, "g_hidden": (32, 32), "g_activation": "relu", "output": "linear"}
    networks = {"d_activation": "relu", "weight_init": "glorot"}
    return tg.models.GAN(tg.models.GANConfig(**{**networks, **options, **fixed, "batch_norm": False}), seed)


def train(settings, seed=SEED, watch=None):
    """G's weights after a training, by name. watch(step, weights) is called every 50 steps."""
    import tinygen as tg

    model, rng = model_of(settings, seed), np.random.default_rng(seed)
    step = tg.compile(model)
    for i in range(1, settings["steps"] + 1):
        step(real(settings["batch"] * model.batches_per_step, rng))
        if watch is not None and i % 50 == 0:
            watch(i, weights_of(model))
    return weights_of(model)


def weights_of(model):
    """The weights of G, or of their running mean if ema is above 0, by name."""
    arrays = [tensor.data.copy() for _, tensor in model.drawing_G.named_tensors()]
    return dict(zip(("w1", "b1", "w2", "b2", "w3", "b3"), arrays))


def generate(weights, z):
    """G(z): (n, 2) to (n, 2)."""
    w1, b1, w2, b2, w3, b3 = (weights[name] for name in ("w1", "b1", "w2", "b2", "w3", "b3"))
    return np.maximum(np.maximum(z @ w1 + b1, 0) @ w2 + b2, 0) @ w3 + b3
