"""The pictures of piece 6, by the student's batch norm; and a GAN's numbers by tinygen's batch norm or theirs."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen import kernels, layers
from tinygen.course.games import film, save_digits, train_step
from tinygen.layers import BatchNorm, Dense, LeakyReLU, Reshape, Sequential, Tanh

STEPS, EVERY = 800, 40


def draw(batchnorm, folder: Path) -> list[Path]:
    """batches.png: real and fake, normalised.  film.gif: digits of a GAN with the student's batch norm in G."""
    return [draw_batches(batchnorm, folder / "batches.png"), draw_film(batchnorm, folder / "film.gif")]


def draw_batches(batchnorm, path: Path) -> Path:
    """One channel of a real and a fake batch: as they come, by the student's `both`, and as one mixed batch."""
    from matplotlib.figure import Figure

    from tinygen.colours import COLOURS

    rng = tg.Generator(6, "batches")
    real = rng.normal((2000, 1), mean=2.0, std=0.7, dtype="float64")
    fake = rng.normal((2000, 1), mean=-1.0, std=1.5, dtype="float64")

    def norm(x):
        return batchnorm.batchnorm(x, np.ones(1), np.zeros(1), 1e-5)[0]

    mixed = norm(np.concatenate([real, fake]))
    panels = {
        "as they come": (real, fake),
        "by your both(norm, real, fake)": batchnorm.both(norm, real, fake),
        "as one mixed batch": (mixed[:2000], mixed[2000:]),
    }
    fig = Figure(figsize=(10, 3.2), dpi=100, layout="constrained")
    for axes, (title, pair) in zip(fig.subplots(1, 3), panels.items()):
        for values, name, colour in zip(pair, ("real", "fake"), COLOURS):
            values = np.ravel(values)
            label = f"{name}: {round(values.mean(), 2) + 0.0:.2f} ± {values.std():.2f}"
            axes.hist(values, bins=np.linspace(-6, 6, 61), color=colour, alpha=0.6, label=label)
        axes.set(title=title, xlim=(-6, 6), ylim=(0, 520), yticks=[])
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    fig.savefig(path)
    return path


def draw_film(batchnorm, path: Path) -> Path:
    """A GAN of dense layers learns digits; G's batch norm is the student's."""
    digits = tg.data.load("digits")
    loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1), rng=tg.Generator(6, "batches"))
    tg.seed(6)
    G = Sequential(
        *(Dense(64, 128), LeakyReLU(0.2), BatchNorm(128, momentum=0.8)),
        *(Dense(128, 256), LeakyReLU(0.2), BatchNorm(256, momentum=0.8)),
        *(Dense(256, 784), Tanh(), Reshape((28, 28, 1))),
    )
    D = Sequential(layers.Flatten(), Dense(784, 256), LeakyReLU(0.2), Dense(256, 1))
    opt_G, opt_D = (tg.optim.Adam(network.parameters(), lr=5e-4, betas=(0.5, 0.999)) for network in (G, D))
    noise, z = tg.Generator(6, "noise"), tg.Generator(6, "shown").normal((32, 64))
    with transplanted(batchnorm):
        return film(
            path,
            STEPS,
            range(0, STEPS + 1, EVERY),
            lambda: train_step(G, D, opt_G, opt_D, loader.next_batch(), noise),
            lambda frame, step: save_digits(G, z, frame),
        )


@contextmanager
def transplanted(batchnorm):
    """The student's functions in place of tinygen's: the kernels of batch norm, and what its layer does with them."""
    own = kernels.batch_norm, kernels.batch_norm_grad, BatchNorm.forward
    kernels.batch_norm, kernels.batch_norm_grad = batchnorm.batchnorm, batchnorm.batchnorm_grad

    def forward(layer, x):
        if not layer.training:
            x = x.numpy() if isinstance(x, tg.Tensor) else x
            given = layer.gamma.numpy(), layer.beta.numpy(), layer.mean.data, layer.var.data, layer.eps
            return tg.tensor(batchnorm.evaluate(x, *given))
        y, mu, var = tg.ops.batch_norm_with_statistics(x, layer.gamma, layer.beta, layer.eps)
        mean, var = batchnorm.follow(layer.mean.data, layer.var.data, mu, var, layer.momentum)
        layer.mean.assign(mean)
        layer.var.assign(var)
        return y

    BatchNorm.forward = forward
    try:
        yield
    finally:
        kernels.batch_norm, kernels.batch_norm_grad, BatchNorm.forward = own


def numbers(batchnorm=None):
    """What a small GAN with batch norm in G and D has after 10 steps, by tinygen's batch norm or by the student's."""
    if batchnorm is None:
        return trained() | gradients_of_both(None)
    with transplanted(batchnorm):
        return trained(both=batchnorm.both) | gradients_of_both(batchnorm)


def trained(**how):
    tg.seed(6)
    wide = {"dtype": "float64"}
    G = Sequential(Dense(3, 8, **wide), BatchNorm(8, momentum=0.8, **wide), LeakyReLU(), Dense(8, 2, **wide))
    D = Sequential(Dense(2, 8, **wide), BatchNorm(8, momentum=0.8, **wide), LeakyReLU(), Dense(8, 1, **wide))
    opt_G, opt_D = (tg.optim.SGD(network.parameters(), lr=0.1) for network in (G, D))
    batches, noise = tg.Generator(6, "batches"), tg.Generator(6, "noise")
    for _ in range(10):
        losses = train_step(G, D, opt_G, opt_D, batches.normal((16, 2), mean=1.0, dtype="float64"), noise, **how)
    found = {"D's loss": losses[0], "G's loss": losses[1]}
    for name, network in (("G", G), ("D", D)):
        norm = network[1]
        found[f"{name}'s running means"] = float(np.abs(norm.mean.data).sum())
        found[f"{name}'s running variances"] = float(norm.var.data.sum())
    with tg.no_grad():
        made = G.eval()(noise.normal((5, 3), dtype="float64")).numpy()
    return found | {"G(z) in evaluation": float(np.abs(made).sum())}


def gradients_of_both(batchnorm):
    """The gradients for gamma and beta in a step on real and fake, each of which has batch norm's statistics."""
    rng = tg.Generator(6, "both")
    real, fake, gy_real, gy_fake = (rng.normal((6, 2), mean=0.5, dtype="float64") for _ in range(4))
    gamma, beta = np.array([0.5, 2.0]), np.array([1.0, -1.0])
    if batchnorm is None:
        g, b = (tg.tensor(p, requires_grad=True) for p in (gamma, beta))
        loss = sum((gy * tg.ops.batch_norm(tg.tensor(x), g, b)).sum() for gy, x in ((gy_real, real), (gy_fake, fake)))
        ggamma, gbeta = (grad.numpy() for grad in tg.grad(loss, [g, b]))
    else:

        def norm_grad(gy, x):
            _, mu, var = batchnorm.batchnorm(x, gamma, beta, 1e-5)
            return batchnorm.batchnorm_grad(gy, x, gamma, mu, var, 1e-5)

        ggamma, gbeta = batchnorm.both_grad(norm_grad, gy_real, real, gy_fake, fake)
    names = "gamma's gradient, channel 0", "gamma's gradient, channel 1", "beta's gradient, 0", "beta's gradient, 1"
    return dict(zip(names, map(float, (*ggamma, *gbeta))))
