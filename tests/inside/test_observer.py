"""What a Recorder keeps, against direct computation: every number of every family of models."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import standin
from models.small import IMAGE, IMAGES_ONLY, POINT, SAMPLING, SENTENCES, batches, data_for, shape_for, small

import tinygen as tg
from tinygen import layers, losses
from tinygen.backend import array_module, to_host
from tinygen.data.dataset import Dataset, Modes
from tinygen.errors import ConfigError
from tinygen.inside.observer import Observer
from tinygen.inside.recording import Recording, quantised
from tinygen.layers.module import watching
from tinygen.losses import GAN_LOSSES
from tinygen.metrics.modes import mixture_scores
from tinygen.models import GAN, MODELS
from tinygen.models.penalties import slopes
from tinygen.models.probe import Weights, layers_of, undisturbed
from tinygen.random import Generator
from tinygen.train.batches import loader_for

ALL = pytest.mark.parametrize("name", MODELS)
GANS = pytest.mark.parametrize("name", [name for name, kind in MODELS.items() if issubclass(kind, GAN)])
MODES = Modes(np.array([[0.2, 0.2], [0.8, 0.8]]), std=0.2)


PLAIN = {"stylegan": {"mixing": 0.0}}  # its samples are G(z)


def toy(shape=IMAGE, n=96):
    """Examples in [0.05, 0.95] of three classes."""
    x, labels = batches(1, shape, size=n)[0], np.arange(n) % 3
    return Dataset("toy", x, x[::-1].copy(), labels, labels, MODES if shape == POINT else None)


def trained(name, steps=3, **settings):
    """A small model after some steps: running statistics and biases are off their first values."""
    model = small(name, **settings)
    data = data_for(name, shape=model.config.data_shape)
    loader = loader_for(model, data.train, 4, Generator(0), data.labels, other=data.other)
    for _ in range(steps):
        model.train_step(loader.next_batch())
    return model


def observe(model, shape=IMAGE):
    """The observer, what it finds, and its own inputs."""
    takes_own = model.name in SENTENCES or (model.name in MODELS and shape == IMAGE)
    observer = Observer(model, data_for(model.name, shape=shape) if takes_own else toy(shape))
    return observer, observer(), Inputs(model, observer)


class Inputs:
    """The noise, the labels and the examples of an observer, drawn again."""

    def __init__(self, model, observer):
        self.pack = 1 if model.name == "stylegan" else model.batch_unit  # its D judges each image, beside others
        self.x, *self.y = observer.training_batch
        self.y = self.y if model.takes_labels else []
        stream = Generator(0, "recorder/z")
        if model.name == "vaegan":
            stream.normal((len(self.x), model.config.latent_dim))  # eps, which comes first
        self.z = model.noise(len(self.x), stream) if model.has("noise") else None
        self.y_real = [toy().labels[: len(self.x)]] if model.takes_labels else []


# The gradient of the pixels


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "lsgan", "hinge", "wasserstein"])
@pytest.mark.parametrize("name", ["gan", "cgan", "dcgan", "sngan", "pacgan"])
def test_the_pixel_gradient_of_every_loss(name, loss):
    """L'(s)/N · ds/dx of the kept bytes is tg.grad of that loss, to half a unit of the bytes."""
    model = trained(name)
    observer, found, part = observe(model)
    with undisturbed(model), tg.frozen(model):
        fake = tg.tensor(model.G(part.z, *part.y).numpy(), requires_grad=True)
        expected = tg.grad(GAN_LOSSES[loss].G(model.D(fake, *part.y)), fake).numpy()[: observer.shown]
    facts = {**observer.facts, "config": {}}
    exact = Recording({n: x[None] for n, x in found.items()} | scaled(found["score_gradient"]) | STEP, facts)
    np.testing.assert_allclose(exact.pixel_gradient(loss)[0], expected, rtol=1e-4, atol=1e-9)
    kept = Recording({n: x[None] for n, x in quantised(found, (0, 1)).items()} | STEP, facts)
    unit = np.abs(expected).reshape(len(expected), -1).max(axis=1) / 127
    error = np.abs(kept.pixel_gradient(loss)[0] - expected).reshape(len(expected), -1).max(axis=1)
    assert np.abs(expected).max() > 1e-4 and (error <= 0.51 * unit).all()


STEP = {"step": np.zeros(1, np.int64)}


def scaled(gradient):
    return {"score_gradient": gradient[None], "score_gradient_scale": np.ones((1, len(gradient)), np.float32)}


@pytest.mark.parametrize(
    ("name", "settings"),
    [("acgan", {}), ("dcgan", {"d_batch_norm": True}), ("dcgan64", {}), ("gan", {"instance_noise": 0.5})],
)
def test_the_pixel_gradient_of_the_models_own_loss(name, settings):
    """Where the score alone does not say it (a class term; batch norm in D) it is kept itself."""
    model = trained(name, **settings)
    observer, found, part = observe(model)
    with undisturbed(model), tg.frozen(model):
        z = model.noise(len(part.z))  # before the instance noise
        fake = tg.tensor(model.G(z, *part.y).numpy(), requires_grad=True)
        expected = tg.grad(model.loss_G(fake, *part.y)[0], fake).numpy()[: observer.shown]
    assert ("pixel_gradient" in found) == (name != "gan") and observer.facts["separable"] == (name in ("acgan", "gan"))
    if name == "gan":
        slope = 1 / (1 + np.exp(-found["score_fake"])) - 1
        own = found["score_gradient"] * slope[: observer.shown].reshape(-1, 1, 1, 1) / len(slope)
    else:
        own = found["pixel_gradient"]
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-9)


def test_a_least_squares_gan_has_its_own_labels():
    model = trained("lsgan", a=-1.0, b=1.0, c=0.0)
    observer, found, part = observe(model)
    kept = {n: x[None] for n, x in found.items()} | scaled(found["score_gradient"]) | STEP
    facts = {**observer.facts, "config": {"a": -1.0, "b": 1.0, "c": 0.0}}
    expected = found["score_gradient"] * found["score_fake"][: observer.shown].reshape(-1, 1, 1, 1) / len(part.z)
    np.testing.assert_allclose(Recording(kept, facts).pixel_gradient()[0], expected, rtol=1e-5)
    with pytest.raises(ConfigError, match=r"no GAN loss 'hing' \(did you mean 'hinge'\?\)"):
        Recording(kept, facts).pixel_gradient("hing")


@GANS
def test_the_scores_and_the_samples(name):
    model = trained(name, **PLAIN.get(name, {}))
    observer, found, part = observe(model)
    with undisturbed(model), tg.no_grad():
        fake = model.G(part.z, *part.y)
        fake = tg.ops.split(fake, 2)[0] if model.takes_domains else fake
        scores = model.score(fake, *part.y).numpy()[:, 0].repeat(part.pack)
        real = model.score(toy().train[:64], *part.y_real).numpy()[:, 0].repeat(part.pack)
    np.testing.assert_array_equal(found["samples"], fake.numpy()[: observer.shown])
    np.testing.assert_allclose(found["score_fake"], scores, rtol=1e-6)
    np.testing.assert_allclose(found["score_real"], real, rtol=1e-5)
    assert len(found["score_fake"]) == observer.batch
    of_copies = 2 if name in ("vaegan", "cogan") else 1  # a mean over the scores of copies, or another domain, too
    assert observer.facts["scores"] * part.pack == of_copies * observer.batch


@pytest.mark.parametrize("name", ["vaegan", "srgan", "inpaint"])
def test_real_images_are_kept_with_their_scores_beside_those_that_are_encoded(name):
    model = trained(name)
    observer, found, _ = observe(model)
    real, data = observer.constants["real"], data_for(name)
    np.testing.assert_array_equal(real, data.train[: observer.shown])
    np.testing.assert_array_equal(observer.constants["data"], data.test[: observer.shown])
    with undisturbed(model), tg.no_grad():
        np.testing.assert_allclose(found["score_real"][: len(real)], model.score(real).numpy()[:, 0], rtol=1e-4)
    assert "real" not in observe(trained("gan"))[0].constants  # "data" are those that D judges


# The layers


@ALL
def test_the_norms_of_layers_are_what_hooks_see(name):
    """Activations and gradients, caught on the way of the same pass by hooks, with weights that learn."""
    usual = RELU if "gan" in name and name not in IMAGES_ONLY else PLAIN.get(name, {})
    settings = {"r1": 0.0} if name in SENTENCES else usual
    model, caught = trained(name, **settings), {}
    observer = Observer(model, data_for(name))
    found = observer()
    keys = [(network, layer) for network, layer, _ in layers_of(model)]
    names = {id(layer): key for key, (_, _, layer) in zip(keys, layers_of(model), strict=True)}

    def catch(module, y):
        if id(module) in names and isinstance(y, tg.Tensor) and y.requires_grad:
            key, g = names[id(module)], []
            caught.setdefault(key, (y.numpy().copy(), g))
            if caught[key][1] is g:
                y.register_hook(lambda gradient: g.append(gradient.numpy().copy()))

    for loss in own_losses(model, observer):
        with undisturbed(model):
            with watching(catch):
                value = loss()
            value.backward()
    assert caught.keys() == set(keys)
    for i, key in enumerate(keys):
        y, (g, *_) = caught[key]
        assert found["activation_norm"][i] == pytest.approx(np.linalg.norm(y), rel=1e-4), key
        assert found["gradient_norm"][i] == pytest.approx(np.linalg.norm(g), rel=1e-3), key
        assert found["activation_zeros"][i] == pytest.approx(np.mean(y == 0), abs=1e-6), key
        assert found["gradient_zeros"][i] == pytest.approx(np.mean(g == 0), abs=1e-6), key


RELU = {"g_activation": "relu", "d_activation": "relu"}


def own_losses(model, observer):
    """The losses whose gradients are recorded, written out again."""
    (x, *y), name = observer.training_batch, model.name
    if name == "vaegan":
        yield lambda: vaegan_loss(model, x, "G")
        yield lambda: vaegan_loss(model, leaf(x), "E")
    elif isinstance(model, GAN):
        yield lambda: gan_loss(model, x, y if model.takes_labels else [])
        if "D" in model.labelled:  # no gradient of G's comes to the vectors of D's labels
            yield lambda: model.steps_on(x, *y)["D"].compute_loss().value
    elif name == "cyclegan":
        yield lambda: model.steps_on(leaf(x), *y)["GF"].compute_loss().value
    elif name == "srgan":
        yield lambda: srgan_loss(model, x)
    elif name == "inpaint":
        yield lambda: model.steps_on(leaf(x))["G"].compute_loss().value
    elif name in SENTENCES:
        yield lambda: model.steps_on(x)["D"].compute_loss().value
        yield lambda: model.steps_on(x)["G"].compute_loss().value
    elif name == "memory":
        yield lambda: losses.mse(model.decoder(leaf(np.eye(4, dtype=np.float32))), x)
    elif name == "ae":
        yield lambda: losses.mse(model.decoder(model.encoder(leaf(x))), x)
    else:
        yield lambda: vae_loss(model, leaf(x), x)


def leaf(x):
    return tg.Tensor(x).requires_grad_()


def gan_loss(model, x, y):
    with tg.frozen(model.D):
        return model.loss_G(model.G(leaf(model.noise(len(x))), *y), *y).value


def srgan_loss(model, x):
    z = x.reshape(len(x), 2, 2, 2, 2, 1).mean((2, 4))
    with tg.frozen(model.D):
        y = model.G(z)
        return losses.mse(y, x) + 0.01 * losses.bce_logits(model.D(y), 1.0)


def vae_loss(model, leaf, x):
    mu, logvar = model.encode(leaf)
    likelihood = model.reconstruction_loss(model.decoder(model.reparameterise(mu, logvar)), x)
    return likelihood + model.weighted(losses.gaussian_kl(mu, logvar))


def vaegan_loss(model, x, learner):
    others = {"G": [model.D, model.encoder], "E": [model.D, model.G]}[learner]
    with tg.frozen(others):
        mu, logvar = model.encode(x)
        copy, fake = model.G(model.reparameterise(mu, logvar)), model.G(model.noise(len(x)))
        (like_x, _), (like_copy, copied), (_, faked) = map(model.features_and_score, (x, copy, fake))
        likelihood = losses.mse(like_copy, like_x, "sum") * (0.5 / len(x))
        if learner == "E":
            return likelihood + model.config.beta * losses.gaussian_kl(mu, logvar)
        return model.config.gamma * likelihood + model.game.G(tg.ops.concatenate([copied, faked]))


def test_zeros_are_counted():
    _, found, _ = observe(trained("gan", g_activation="relu", d_activation="relu", batch_norm=False))
    assert 0.05 < found["activation_zeros"][1] < 0.95 and found["activation_zeros"][0] == 0
    assert 0.05 < found["gradient_zeros"][0] < 0.95


def test_the_length_and_the_step_of_weights():
    model, x = small("gan"), batches(1)[0]
    weights = Weights(model)
    weights.keep()
    before = {n: p.numpy().copy() for n, p in model.named_parameters()}
    model.train_step(x)
    found = weights.arrays(moved=True)
    for i, (network, name, layer) in enumerate(layers_of(model)):
        own = [n for n in before if n.startswith(f"{network}.{name}.")]
        if not own:
            assert np.isnan(found["weight_norm"][i]) and np.isnan(found["update_ratio"][i])
            continue
        now = np.concatenate([p.numpy().ravel() for p in layer.parameters()])
        then = np.concatenate([before[n].ravel() for n in own])
        assert found["weight_norm"][i] == pytest.approx(np.linalg.norm(now), rel=1e-5)
        assert found["update_ratio"][i] == pytest.approx(np.linalg.norm(now - then) / np.linalg.norm(now), rel=1e-3)
    assert np.isnan(weights.arrays(moved=False)["update_ratio"]).all()


# VAEs


@pytest.mark.parametrize("name", ["vae", "convvae", "betavae"])
def test_the_two_paths_of_a_vae(name):
    """dR/dmu = dR/dz, dR/dlogvar = dR/dz · ½ e^(logvar/2) · eps; and of the KL term mu/N and (e^logvar - 1)/2N."""
    model = trained(name, **({"anneal_steps": 0} if name == "betavae" else {}))
    _, found, part = observe(model)
    x = part.x
    with undisturbed(model), tg.frozen(model):
        mu, logvar = (t.numpy() for t in model.encode(x))
        z = tg.tensor(model.reparameterise(tg.tensor(mu), tg.tensor(logvar)).numpy(), requires_grad=True)
        g = tg.grad(model.reconstruction_loss(model.decoder(z), x), z).numpy()
    beta, sigma = model.config.beta, np.exp(logvar / 2)
    norm = lambda a: np.linalg.norm(a, axis=0)
    np.testing.assert_allclose(found["mu_gradient"], norm(g), rtol=1e-4)
    np.testing.assert_allclose(found["logvar_gradient"], norm(g * (z.numpy() - mu) / 2), rtol=1e-3)
    np.testing.assert_allclose(found["mu_gradient_kl"], beta * norm(mu) / len(x), rtol=1e-4)
    np.testing.assert_allclose(found["logvar_gradient_kl"], beta * norm(sigma**2 - 1) / 2 / len(x), rtol=1e-3)


@pytest.mark.parametrize("name", ["vae", "convvae", "betavae", "vaegan"])
def test_the_latents_of_a_vae(name):
    model = trained(name)
    observer, found, _ = observe(model)
    x = toy().test
    mu, logvar = (to_host(a) for a in model.posterior(x))
    np.testing.assert_array_equal(found["mu"], mu)
    np.testing.assert_array_equal(found["logvar"], logvar)
    assert found["kl"].sum() == pytest.approx(losses.gaussian_kl(tg.tensor(mu), tg.tensor(logvar)).item(), rel=1e-4)
    np.testing.assert_array_equal(observer.constants["data_labels"], toy().test_labels)
    np.testing.assert_array_equal(observer.constants["data"], x[: observer.shown])
    np.testing.assert_array_equal(found["reconstructions"], model.reconstruct(x[: observer.shown]))


# The gradient penalty, and the plane


def test_the_slopes_between_real_and_fake():
    model = trained("wgangp")
    _, found, part = observe(model)
    with undisturbed(model):
        fake = model.G(part.z).numpy()
    x = toy().train[:64]
    t = Generator(0, "recorder/t").uniform((64, 1, 1, 1))
    np.testing.assert_allclose(found["slopes"], slopes(model.D, x + t * (fake - x)).numpy(), rtol=1e-4)
    assert "slopes" not in observe(trained("gan"))[1]


@pytest.mark.parametrize("name", ["gan", "pacgan", "acgan"])
def test_the_field_of_D_in_the_plane(name):
    """Row by row from below, column by column from the left."""
    model = trained(name, data_shape=POINT)
    observer, found, part = observe(model, POINT)
    reach, n = observer.facts["reach"], 41
    assert reach == pytest.approx(1.25 * toy(POINT).train.max()) and found["field"].shape == (n, n)
    for row, column in ((0, 0), (3, 40), (20, 7)):
        point = np.array([-reach + 2 * reach * column / 40, -reach + 2 * reach * row / 40], np.float32)
        expected = model.score(np.tile(point, (part.pack, 1))).numpy()[0, 0]
        assert found["field"][row, column] == pytest.approx(expected, rel=1e-4)
    scores = mixture_scores(found["samples"], MODES)
    assert len(found["samples"]) == 256 and {name: found[name] for name in scores} == scores
    assert scores["high_quality"] > 0
    np.testing.assert_array_equal(observer.constants["centres"], MODES.centres.astype(np.float32))


def test_the_field_of_a_D_that_takes_labels_is_none():
    assert "field" not in observe(trained("cgan", data_shape=POINT), POINT)[1]


# Nothing is disturbed


@ALL
def test_twice_the_same_is_observed_and_on_a_gpu_too(gpu, name):
    model = small(name)
    observer = Observer(model, data_for(name))
    first, second = observer(), observer()
    assert first.keys() == second.keys() and all(isinstance(x, np.ndarray) for x in first.values())
    for key, x in first.items():
        np.testing.assert_array_equal(second[key], x, err_msg=key)
    assert name not in SAMPLING or array_module(model.sample(2)) is gpu.xp


@ALL
def test_points_and_few_examples_too(name):
    if name not in IMAGES_ONLY:
        shown = 16 if name in SENTENCES else 256
        assert observe(small(name, data_shape=POINT), POINT)[1]["samples"].shape == (shown, 2)
    few = data_for(name, 5)
    found = Observer(small(name), dataclasses.replace(few, test=few.test[:0], test_labels=None))()
    assert name not in SAMPLING or found["samples"].shape == (16, *shape_for(name, IMAGE))
    assert math.isfinite(np.nansum(found["gradient_norm"]))


def test_of_large_images_fewer_are_kept():
    for side, shown in ((16, 16), (64, 4)):
        assert Observer(small("dcgan64", data_shape=(side, side, 3)), toy((side, side, 3), n=8)).shown == shown


class Own(tg.models.Model):
    """A user's own model that declares nothing."""

    name, Config, value_range = "own", tg.models.base.ModelConfig, (0.0, 1.0)

    def __init__(self):
        super().__init__()
        self.net = layers.Dense(3, 6, rng=Generator(0))

    def sample(self, n, rng=None):
        return np.clip(self.net(self.sampling_stream(rng).normal((n, 3))).numpy().reshape(n, *IMAGE), 0, 1)


def test_a_model_of_another_kind_shows_samples():
    found = Observer(Own(), toy())()
    assert found["samples"].shape == (16, *IMAGE) and np.isnan(found["gradient_norm"]).all()


def test_looking_is_the_only_thing_that_waits(gpu):
    model, x = small("gan"), gpu.asarray(batches(1)[0])
    weights = Weights(model)
    with standin.capturing():
        weights.keep()
        model.train_step(x)
