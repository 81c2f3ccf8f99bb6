"""The pictures of piece 8: a VAE whose networks are on tinygen's tape, and whose middle is the student's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

import tinygen as tg

STEPS, BATCH, RATE = 2000, 128, 1e-3


class Noise:
    """N(0, 1) of the dtype of the networks, from a stream of tinygen's."""

    def __init__(self, rng, dtype):
        self.normal = partial(rng.normal, dtype=dtype)


def draw(vae, folder: Path) -> list[Path]:
    """plane.png: the codes of 1,000 digits that it was not trained on; manifold.png: what the decoder draws there."""
    digits = tg.data.load("digits")
    model = tg.models.VAE(tg.models.VAEConfig(latent_dim=2, hidden=(256, 128)), seed=0)
    loader = tg.data.Loader(digits.train, BATCH, value_range=model.value_range, rng=tg.Generator(0, "batches"))
    opt = tg.optim.Adam([*model.encoder.parameters(), *model.decoder.parameters()], RATE)
    noise = Noise(tg.Generator(0, "noise"), np.float32)
    for _ in range(STEPS):
        opt.step(step(vae, model.encoder, model.decoder, loader.next_batch(), noise)[1])
    x = digits.test.astype(np.float32) / 255
    paths = [folder / "plane.png", folder / "manifold.png"]
    tg.viz.latent_plane(model, x, digits.test_labels).savefig(paths[0])
    tg.viz.manifold(model, x, side=18).savefig(paths[1])
    return paths


def step(vae, encoder, decoder, x, noise, beta=1.0):
    """The terms of the loss, and the gradients of the encoder's and the decoder's parameters."""
    h = encoder(x)
    mu, logvar = np.split(h.numpy(), 2, axis=1)
    z, eps = vae.reparameterise(mu, logvar, noise)
    z = tg.tensor(z, requires_grad=True)
    y = decoder(z)
    pixels, scores = x.reshape(len(x), -1), y.numpy().reshape(len(x), -1)
    gy = vae.reconstruction_backward(pixels, scores).reshape(y.shape)
    gz, *of_decoder = tg.grad(y, [z, *decoder.parameters()], gy)
    gh = np.concatenate(vae.backward(gz.numpy(), mu, logvar, eps, beta), axis=1)
    of_encoder = tg.grad(h, encoder.parameters(), gh)
    return (vae.reconstruction(pixels, scores), vae.kl(mu, logvar)), [*of_encoder, *of_decoder]


def numbers(vae=None):
    """The terms of a small VAE's loss, and the length of each parameter's gradient: by tinygen's tape, or by hand."""
    model = tg.models.VAE(tg.models.VAEConfig(data_shape=(4, 4, 1), latent_dim=3, hidden=(8,), beta=2.0), seed=0)
    dense = partial(tg.layers.Dense, dtype=np.float64, rng=tg.Generator(0, "weights"))
    model.encoder = tg.layers.Sequential(tg.layers.Flatten(), dense(16, 8), tg.layers.Tanh(), dense(8, 6))
    model.decoder = tg.layers.Sequential(dense(3, 8), tg.layers.Tanh(), dense(8, 16), tg.layers.Reshape((4, 4, 1)))
    x, rng = tg.Generator(0, "x").uniform((5, 4, 4, 1), dtype=np.float64), tg.Generator(0, "noise")
    parameters = [*model.encoder.parameters(), *model.decoder.parameters()]
    if vae is None:
        loss = model.loss(x, rng)
        terms, gradients = (loss.metrics["reconstruction"], loss.metrics["kl"]), tg.grad(loss.value, parameters)
    else:
        terms, gradients = step(vae, model.encoder, model.decoder, x, Noise(rng, np.float64), beta=2.0)
    names = ["w1 of the encoder", "b1 of the encoder", "w2 of the encoder", "b2 of the encoder"]
    names += [name.replace("encoder", "decoder") for name in names]
    lengths = [float(np.sqrt(np.sum(g.numpy() ** 2))) for g in gradients]
    return {"reconstruction": float(terms[0]), "KL": float(terms[1])} | dict(zip(names, lengths, strict=True))
