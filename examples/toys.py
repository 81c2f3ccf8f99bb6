"""Which GAN finds all the modes? Mixtures of 8 and of 25 Gaussians, three seeds each: a table, a picture of samples.

Modes are counted as in PacGAN (Lin et al. 2018): a mode counts if at least one of 2,500 samples is within 3 standard
deviations of it. A step is a step of D, so that all see equally many samples; wgangp makes five for each step of G.
"""

from matplotlib.figure import Figure

import tinygen as tg
from tinygen.metrics import mixture_scores
from tinygen.models import GAN, WGANGP, PacGAN

steps = 20000
batch, seeds = 128, (0, 1, 2)
networks = {
    "data_shape": (2,), "latent_dim": 2, "g_hidden": (128, 128, 128), "d_hidden": (128, 128, 128),
    "g_activation": "relu", "d_activation": "relu", "batch_norm": False, "ema": 0.99,
    "weight_init": "glorot",
}  # fmt: skip
adam = {"lr": 5e-4, "d_lr": 2e-3}
rows = {
    "gan": (GAN, adam),
    "pacgan 2": (PacGAN, {**adam, "pack": 2}),
    "pacgan 4": (PacGAN, {**adam, "pack": 4}),
    "wgangp": (WGANGP, {"lr": 1e-3, "gp": 0.1}),  # λ as in the paper's code for points
}

fig = Figure(figsize=(14, 7), layout="constrained")
for i, data in enumerate(("ring8", "grid25")):
    mixture = tg.data.load(data)
    for j, (name, (kind, settings)) in enumerate(rows.items()):
        for seed in seeds:
            model = kind(kind.Config(**networks, **settings), seed)
            loader = tg.data.Loader(
                mixture.train, batch * model.batches_per_step, value_range=None, rng=tg.Generator(seed, "data")
            )
            for _ in range(max(steps // model.batches_per_step, 1)):
                model.train_step(loader.next_batch())
            points = model.sample(2500, tg.Generator(seed, "points"))
            scores = mixture_scores(points, mixture.modes)
            print(
                f"{data:6}  {name:8}  seed {seed}  {scores['modes']:2} of {len(mixture.modes.centres)} modes  "
                f"{scores['high_quality']:4.0%} near one  reverse KL {scores['reverse_kl']:.2f}",
                flush=True,
            )
            if seed == seeds[0]:
                axes = fig.add_subplot(2, len(rows), i * len(rows) + j + 1, aspect="equal", title=f"{name}, {data}")
                axes.scatter(*mixture.modes.centres.T, s=60, facecolors="none", edgecolors="0.6")
                axes.scatter(*points.T, s=2)
fig.savefig("toys.png")
print("toys.png: 2,500 samples from each, and the centres of the modes as circles")
