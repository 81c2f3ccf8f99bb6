"""# 12. A collapsed GAN

**Goal.** Count the modes that a GAN reaches, tell from its record what went wrong in a run, and mend one.
About 5 hours, 6 points.

**What is given.** `MIXTURE` is your own mixture of eight Gaussians; `centres()` has their centres, and each has the
standard deviation `STD` on both axes. `real(n, rng)` draws from it. `train(settings, seed)` trains a GAN on it with
tinygen and returns G's weights, and `generate(weights, z)` computes G(z). `BROKEN` are settings with which G collapses.
`runs_ring.json`, `runs_arch.json` and `runs_spiral.json` are records of real runs; yours is the one of your mixture.

**What you write.**

1. `mode_counts(points, centres, std)`: how many of the points count for each centre. A point counts for the centre
   nearest to it, and only if it is less than 3 std away from that one.
2. `mode_scores(counts, n, share)`, where `counts` come from n points: three numbers.
   - How many modes are reached. A mode is reached if at least one point counts for it, and at least share · n / K do.
   - How many of the n points count for any mode, as a share of n.
   - How unevenly the counted points lie on the modes: the reverse KL divergence, in nats.
3. `DIAGNOSES`: for each of the five runs of your mixture, one of the words in `CAUSES`. A word may fit several runs, or
   none.
4. `MENDED`: settings with which G reaches the modes. `tinygen course run` trains G with them and writes its weights to
   `mended.npz`, which you hand in with `collapse.py`. `SEED` is yours to choose.

**The mathematics.** Counts like these are from Srivastava et al. 2017 (VEEGAN), who call a point within 3 std of the
nearest mode one of high quality, and a mode captured if it has one. That is share = 0. A single point says little, so
your checkpoint is counted with share = 1/4: a mode needs a quarter of the points that it would get if all modes got
equally many, and no point missed.

With K modes and p = counts / Σ counts,

    KL(p ‖ 1/K) = log K + Σ p log p,    where 0 log 0 = 0

It is 0 if all modes get equally many points, and log K if one gets them all. If no point counts for any mode, let it be
log K.

A run's record has, at step 1 and every 50 steps, `loss_D` and `loss_G` on the batch; `acc`, the share of real and fake
points that D judges correctly; and `gradient`, the length of the gradient of G's loss with respect to all weights of G.
`samples` has 100 points of G at four steps. D lowers −log D(x) − log(1 − D(G(z))); in one of the runs G lowers
log(1 − D(G(z))), in the others −log D(G(z)).

**Shapes.** points is (N, 2), centres (K, 2), std a number. Counts are whole numbers, (K,). The checkpoint has the float
arrays w1 (2, 32), b1 (32,), w2 (32, 32), b2 (32,), w3 (32, 2), b3 (2,); it has at most 100 kB.

**Mind.** A distance is a root. A point of NaNs is near nothing. The losses alone decide nothing: look at the points.
The grader draws 2,000 z of its own, so a checkpoint is worth the modes that G really reaches: 1/4 point for each mode
from the second to the seventh. How you make it is up to you, as long as its arrays are those above; `MENDED` may have
any of the settings that `tinygen models gan` lists. tinygen can't be imported where your file is graded, so import it
inside functions, as `train` does.

**Predict first.** D and G play fairly, and G ends up perfect. What is D's loss then, and did the losses fall on the
way? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` draws two. `runs.png` is the record of your five runs, with your diagnoses:
curves, and G's points at four steps, in orange where they need another scale. `mended.gif` is the film of your own GAN
while it trains, with a ring around each mode that your `mode_counts` and `mode_scores` find reached. It takes less
than half a minute.
"""

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
    # BEGIN SOLUTION
    distances = np.sqrt(((points[:, np.newaxis] - centres) ** 2).sum(axis=2))
    near = distances.min(axis=1) < 3 * std
    return np.bincount(distances.argmin(axis=1)[near], minlength=len(centres))
    # END SOLUTION


def mode_scores(counts, n, share):
    """How many modes are reached, the share of points near a mode, and the reverse KL, given the counts of n points."""
    # BEGIN SOLUTION
    K, counted = len(counts), counts.sum()
    reached = (counts >= 1) & (counts >= share * n / K)
    p = counts[counts > 0] / max(counted, 1)
    return int(reached.sum()), counted / n, np.log(K) + (p * np.log(p)).sum()
    # END SOLUTION


DIAGNOSES = {"run1": "", "run2": "", "run3": "", "run4": "", "run5": ""}  # a word of CAUSES each
# BEGIN SOLUTION
OF_RUNS = {
    "ring": ["collapse", "D asleep", "healthy", "too fast", "D won"],
    "arch": ["D asleep", "too fast", "D won", "collapse", "healthy"],
    "spiral": ["D won", "healthy", "too fast", "D asleep", "collapse"],
}
DIAGNOSES = dict(zip(DIAGNOSES, OF_RUNS[MIXTURE]))
# END SOLUTION

MENDED = dict(BROKEN)  # and what you change
# BEGIN SOLUTION
MENDED |= {"lr": 1e-3, "d_lr": 2e-3, "ema": 0.99}
# END SOLUTION


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
