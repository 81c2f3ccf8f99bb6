"""The GAN of dense layers: its forms, which network learns when, its metrics, and that it learns."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import standin
from models.small import batches, small

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.gradcheck import gradcheck
from tinygen.losses import GAN_LOSSES
from tinygen.models import GAN, GANConfig
from tinygen.models.penalties import r1_penalty
from tinygen.models.verdicts import verdicts
from tinygen.optim import SGD, Adam, RMSprop
from tinygen.random import Generator
from tinygen.settings import parse_settings
from tinygen.train.batches import loader_for


def layers_of(network):
    return [repr(layer) for layer in network]


def configured(*assignments):
    """The GAN that `--set` with these assignments builds."""
    return GAN(GANConfig(**parse_settings(GANConfig, assignments)))


def test_the_defaults_are_the_classic_keras_gan():
    gan = configured("mean_d_loss=true")
    assert layers_of(gan.G) == [
        *("Dense(100, 256)", "LeakyReLU(0.2)", "BatchNorm(256, momentum=0.8, eps=0.001)"),
        *("Dense(256, 512)", "LeakyReLU(0.2)", "BatchNorm(512, momentum=0.8, eps=0.001)"),
        *("Dense(512, 1024)", "LeakyReLU(0.2)", "BatchNorm(1024, momentum=0.8, eps=0.001)"),
        *("Dense(1024, 784)", "Tanh()", "Reshape((28, 28, 1))"),
    ]
    assert layers_of(gan.D) == [
        "Flatten()",
        *("Dense(784, 512)", "LeakyReLU(0.2)", "Dense(512, 256)", "LeakyReLU(0.2)"),
        "Dense(256, 1)",  # the sigmoid is in the loss
    ]
    for optimizer in (gan.opt_D, gan.opt_G):
        assert (type(optimizer), optimizer.lr, optimizer.betas) == (Adam, 2e-4, (0.5, 0.999))
    assert gan.value_range == (-1, 1)
    assert (gan.config.loss, gan.config.mean_d_loss) == ("nonsaturating", True)


@pytest.mark.parametrize("activation, layer", [("leaky_relu", "LeakyReLU(0.2)"), ("relu", "ReLU()")])
def test_the_classic_gan_without_batch_norm(activation, layer):
    gan = configured("batch_norm=false", "lr=1e-3", "beta1=0.9", f"g_activation={activation}")
    assert layers_of(gan.G) == [
        *("Dense(100, 256)", layer, "Dense(256, 512)", layer, "Dense(512, 1024)", layer),
        *("Dense(1024, 784)", "Tanh()", "Reshape((28, 28, 1))"),
    ]
    assert layers_of(gan.D)[2::2] == ["LeakyReLU(0.2)"] * 2
    default = Adam(gan.G.parameters())
    assert (gan.opt_G.lr, gan.opt_G.betas, gan.opt_G.eps) == (default.lr, default.betas, default.eps)


def test_the_small_gan_with_relu_and_sigmoid():
    narrow = ("g_hidden=128,128", "d_hidden=128,128", "batch_norm=false", "output=sigmoid")
    gan = configured(*narrow, "g_activation=relu", "d_activation=relu")
    assert layers_of(gan.G) == [
        *("Dense(100, 128)", "ReLU()", "Dense(128, 128)", "ReLU()"),
        *("Dense(128, 784)", "Sigmoid()", "Reshape((28, 28, 1))"),
    ]
    assert layers_of(gan.D) == ["Flatten()", "Dense(784, 128)", "ReLU()", "Dense(128, 128)", "ReLU()", "Dense(128, 1)"]
    assert gan.value_range == (0, 1)


def test_the_slope_is_that_of_both_networks():
    gan = configured("slope=0.1", "g_hidden=8", "d_hidden=8")
    assert layers_of(gan.G)[1] == layers_of(gan.D)[2] == "LeakyReLU(0.1)"


def test_the_optimisers_of_a_config():
    sgd, rmsprop = (configured(f"optimizer={name}", "beta1=0.3", "beta2=0.7").opt_G for name in ("sgd", "rmsprop"))
    assert (type(sgd), sgd.momentum) == (SGD, 0.3)
    assert (type(rmsprop), rmsprop.alpha) == (RMSprop, 0.7)


@pytest.mark.parametrize("still, moving", [("D", "G"), ("G", "D")])
def test_each_step_changes_its_own_network_alone(still, moving):
    model, x = small("gan"), batches(1)[0]
    optimizer = getattr(model, f"opt_{still}")
    optimizer.step = lambda gradients: None
    before = {n: p.numpy().copy() for n, p in model.named_parameters()}
    for _ in range(3):
        model.train_step(x)
    for n, p in model.named_parameters():
        assert np.array_equal(p.numpy(), before[n]) == n.startswith(still), n


def test_the_networks_take_turns():
    """D learns from the fakes of G before its step, G from the verdict of D after that."""
    model, calls = small("gan"), []
    for name in ("D", "G"):
        optimizer = getattr(model, f"opt_{name}")
        step = optimizer.step
        optimizer.step = lambda g, name=name, step=step: (calls.append((name, len(g))), step(g))
    model.train_step(batches(1)[0])
    assert calls == [("D", len(model.D.parameters())), ("G", len(model.G.parameters()))]


@pytest.mark.parametrize("loss", GAN_LOSSES)
@pytest.mark.parametrize("network", ["D", "G"])
def test_each_side_lowers_its_loss_while_the_other_stands_still(network, loss):
    model, x = small("gan", loss=loss, lr=3e-3), batches(1, size=64)[0]
    getattr(model, "opt_G" if network == "D" else "opt_D").step = lambda gradients: None
    losses = [model.train_step(x)[f"loss_{network}"].item() for _ in range(80)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.02


def test_each_step_records_what_it_learns_and_nothing_else():
    """G's fakes are constants in D's step, D's weights in G's step; and each step draws its own noise."""
    model, judged, noise = small("gan"), [], []
    D, G = model.D.forward, model.G.forward

    def watched_D(x):
        judged.append((getattr(x, "requires_grad", False), {p.requires_grad for p in model.D.parameters()}))
        return D(x)

    model.D.forward, model.G.forward = watched_D, lambda z: (noise.append(z), G(z))[1]
    model.train_step(batches(1)[0])
    assert judged == [(False, {True}), (True, {False})]  # real and fake in one pass
    assert len(noise) == 2 and not np.isclose(*noise).any()
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("loss", GAN_LOSSES)
def test_verdicts(backend, loss):
    model = small("gan", loss=loss)
    real, fake = np.array([[3.0], [0.25], [-1.0], [0.75]]), np.array([[-1.5], [0.25], [4.0], [0.75]])
    found = verdicts(model.game, *(tg.tensor(backend.asarray(s, np.float32)) for s in (real, fake)))
    limit = 0.5 if loss == "lsgan" else 0.0
    right = {"acc": (np.sum(real > limit) + np.sum(fake <= limit)) / 8}
    if loss == "wasserstein":
        right = {"gap": real.mean() - fake.mean()}
    judge = (lambda s: 1 / (1 + np.exp(-s))) if loss in ("minimax", "nonsaturating") else (lambda s: s)
    expected = {**right, "D(x)": judge(real).mean(), "D(G(z))": judge(fake).mean()}
    assert {name: v.item() for name, v in found.items()} == pytest.approx(expected, rel=1e-6)


def test_half_of_the_loss_of_D():
    whole, half = small("gan"), small("gan", mean_d_loss=True)
    x = batches(1)[0]
    first, second = whole.train_step(x), half.train_step(x)
    assert second["loss_D"].item() == pytest.approx(first["loss_D"].item() / 2)
    assert second["D(x)"].item() == first["D(x)"].item()


def test_batch_norm_sees_the_batches_of_both_steps():
    """Its running statistics follow G's fakes in D's step, made without a tape, and in G's."""
    model, x = small("gan", bn_momentum=0.5), batches(1)[0]
    norm, means = model.G[2], []
    forward = norm.forward
    norm.forward = lambda h: (means.append(h.numpy().mean(0)), forward(h))[1]
    model.train_step(x)
    assert len(means) == 2
    np.testing.assert_allclose(norm.mean.numpy(), 0.25 * means[0] + 0.5 * means[1], rtol=1e-4, atol=1e-6)


def test_a_sample_does_not_depend_on_those_beside_it():
    """Batch norm uses its running statistics, and G is in training again afterwards."""
    model = small("gan")
    for x in batches(5):
        model.train_step(x)
    alone, among = model.sample(1, Generator(3)), model.sample(5, Generator(3))
    np.testing.assert_allclose(alone[0], among[0], rtol=1e-5)
    assert model.G[2].training


def test_a_layer_that_was_in_eval_mode_stays_so_after_a_sample():
    model = small("gan")
    model.G[2].eval()
    model.sample(2)
    assert [layer.training for layer in model.G][:4] == [True, True, False, True]


@pytest.mark.parametrize("batch_norm", [True, False])
def test_it_learns_a_gaussian(batch_norm):
    """Points N((1, -1), 0.5²): the mean and the spread of the samples come close."""
    rng = np.random.default_rng(0)
    sizes = {"latent_dim": 4, "g_hidden": (32,), "d_hidden": (32,), "weight_init": "glorot"}
    model = GAN(GANConfig(data_shape=(2,), **sizes, batch_norm=batch_norm, lr=1e-3, beta1=0.0))
    mean, std = np.array([1.0, -1.0]), 0.5
    start = model.sample(1000)
    for _ in range(800):
        model.train_step(rng.normal(mean, std, (64, 2)).astype(np.float32))
    samples = model.sample(1000)
    assert np.abs(start.mean(0) - mean).min() > 0.5
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.2)
    np.testing.assert_allclose(samples.std(0), std, rtol=0.4)


# The options


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "lsgan"])
def test_label_smoothing_is_a_softer_label_for_real_images_alone(loss):
    model, s = small("gan", loss=loss, label_smoothing=0.1), 0.1
    x, fake = batches(2)
    real_score, fake_score = (model.D(images).numpy().astype(np.float64) for images in (x, fake))
    if loss == "lsgan":
        expected = ((real_score - (1 - s)) ** 2).mean() / 2 + (fake_score**2).mean() / 2
    else:
        p, q = 1 / (1 + np.exp(-real_score)), 1 / (1 + np.exp(-fake_score))
        expected = -((1 - s) * np.log(p) + s * np.log(1 - p)).mean() - np.log(1 - q).mean()
    assert model.loss_D(x, tg.tensor(fake))[0].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "wasserstein"])
def test_a_loss_without_labels_has_none_to_smooth(loss):
    with pytest.raises(ConfigError, match=f"label_smoothing=0.1: the loss '{loss}' has no labels"):
        GANConfig(loss=loss, label_smoothing=0.1)


def spread(model, t):
    """The standard deviation of the noise on images at step t of D."""
    model.opt_D.t = t
    return float(np.std(model.augmented(np.zeros((100, 10, 10, 1), np.float32))))


def test_instance_noise_falls_to_nothing():
    falling, steady = small("gan", instance_noise=0.5, instance_noise_steps=8), small("gan", instance_noise=0.5)
    assert [spread(falling, t) for t in (0, 4, 6)] == pytest.approx([0.5, 0.25, 0.125], rel=0.03)
    assert [spread(steady, t) for t in (0, 1000)] == pytest.approx([0.5, 0.5], rel=0.03)
    assert [spread(falling, t) for t in (8, 9)] == [0, 0]
    x = batches(1)[0]
    np.testing.assert_array_equal(falling.augmented(x), x)


def test_all_that_D_sees_has_noise_of_its_own():
    """The real images, the fake ones, and those of G's step; D's penalty is on the same images."""
    model, D_inputs, x = small("gan", instance_noise=0.1, r1=1.0), [], batches(1)[0]
    forward, G = model.D.forward, model.G.forward
    fakes = []
    model.D.forward = lambda images: (D_inputs.append(to_host(images)), forward(images))[1]
    model.G.forward = lambda z: (fakes.append(G(z)), fakes[-1])[1]
    model.train_step(x)
    noise = [*np.split(D_inputs[0] - np.concatenate([x, to_host(fakes[0])]), 2), D_inputs[2] - to_host(fakes[1])]
    assert all(0.05 < part.std() < 0.2 for part in noise)
    assert not any(np.isclose(a, b).any() for a, b in itertools.combinations(noise, 2))
    np.testing.assert_array_equal(D_inputs[1], D_inputs[0][:4])


def to_host(x):
    return x.numpy().copy() if isinstance(x, tg.Tensor) else x


def test_several_steps_of_D_each_on_a_part_of_its_own():
    model, x, batches_of_D, calls = small("gan", d_steps=3), batches(1, size=12)[0], [], []
    loss_D = model.loss_D
    model.loss_D = lambda x, fake: (batches_of_D.append(x), loss_D(x, fake))[1]
    for name in ("D", "G"):
        optimizer = getattr(model, f"opt_{name}")
        step = optimizer.step
        optimizer.step = lambda g, name=name, step=step: (calls.append(name), step(g))
    model.train_step(x)
    assert calls == ["D", "D", "D", "G"]
    np.testing.assert_array_equal(np.concatenate(batches_of_D), x)
    assert (model.opt_D.t, model.opt_G.t) == (3, 1)


def test_a_step_takes_as_many_batches_from_the_loader():
    model, data = small("gan", d_steps=3), batches(1, size=24)[0]
    loader = loader_for(model, data, batch=4)
    assert len(loader.next_batch()) == 12
    sizes, train_step = [], model.train_step
    model.train_step = lambda x: (sizes.append(len(x)), train_step(x))[1]
    tg.fit(model, loader, 2)
    assert sizes == [12, 12]


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="gan: d_steps=3 takes a batch in 3 equal parts, not 4 examples"):
        small("gan", d_steps=3).train_step(batches(1)[0])
    with pytest.raises(ConfigError, match="gan: batch norm needs a batch of at least 2, not 1"):
        small("gan", d_steps=4).train_step(batches(1)[0])


def test_D_may_learn_at_another_rate():
    model = small("gan", lr=1e-3, d_lr=4e-3)
    assert (model.opt_D.lr, model.opt_G.lr) == (4e-3, 1e-3)
    assert small("gan", lr=1e-3).opt_D.lr == 1e-3


def test_r1_is_added_to_the_loss_of_D():
    plain, model, (x, fake) = small("gan"), small("gan", r1=3.0), batches(2)
    penalty = r1_penalty(model.D, x).item()
    losses = [m.loss_D(x, tg.tensor(fake))[0].item() for m in (plain, model)]
    assert penalty > 1e-4 and losses[1] - losses[0] == pytest.approx(1.5 * penalty, rel=1e-3)


def test_the_mean_of_the_weights_of_G():
    """mean ← d · mean + (1 - d) · weight with d = min(ema, (1 + t) / (10 + t)); running statistics are copied."""
    model = small("gan", ema=0.3)
    mean = {n: t.numpy().astype(np.float64) for n, t in model.G.named_tensors()}
    for t, x in enumerate(batches(6), 1):
        model.train_step(x)
        d = min(0.3, (1 + t) / (10 + t))
        for n, w in model.G.named_tensors():
            mean[n] = w.numpy() if n.endswith((".mean", ".var")) else d * mean[n] + (1 - d) * w.numpy()
    for n, kept in model.G_mean.network.named_tensors():
        np.testing.assert_allclose(kept.numpy(), mean[n], rtol=1e-5, atol=1e-7, err_msg=n)
    assert not any("G_mean" in n for n, _ in model.named_parameters())


def test_samples_are_drawn_with_the_mean():
    model = small("gan", ema=0.9)
    for x in batches(4):
        model.train_step(x)
    z = model.noise(5, Generator(3))
    G = model.G_mean.network.eval()
    np.testing.assert_array_equal(model.sample(5, Generator(3)), G(z).numpy())
    assert not np.isclose(G(z).numpy(), model.G.eval()(z).numpy()).all()


OPTIONS = {"d_steps": 2, "label_smoothing": 0.1, "instance_noise": 0.1, "instance_noise_steps": 9, "r1": 1.0}
OPTIONS["ema"] = 0.9


def test_all_options_together_go_on_to_the_bit(backend):
    """Noise falls with D's count of steps and the mean is saved, so a resumed run takes the same steps."""
    xs, model = backend.asarray(batches(6)), small("gan", **OPTIONS)
    for x in xs[:3]:
        model.train_step(x)
    again = small("gan", seed=9, **OPTIONS)
    again.load_state_dict({n: backend.to_host(a) for n, a in model.state_dict().items()})
    again.rng.state = model.rng.state
    for x in xs[3:]:
        model.train_step(x)
        again.train_step(x)
    assert any(n.startswith("G_mean.") for n in model.state_dict())
    for (n, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        np.testing.assert_array_equal(backend.to_host(a), backend.to_host(b), err_msg=n)
    np.testing.assert_array_equal(*(backend.to_host(m.sample(3, Generator(0))) for m in (model, again)))


def test_no_option_waits_for_the_device(gpu):
    model, x = small("gan", **OPTIONS), gpu.asarray(batches(1))[0]
    with standin.count_syncs() as syncs, standin.capturing():
        for _ in range(3):
            model.train_step(x)
    assert syncs.count == 0, syncs


TINY = {"latent_dim": 2, "g_hidden": (4, 3), "d_hidden": (3, 2)}


@pytest.mark.parametrize("loss, batch_norm", [(loss, loss != "hinge") for loss in GAN_LOSSES])
def test_the_gradients_of_both_losses_by_every_parameter(loss, batch_norm):
    model, x = small("gan", **TINY, loss=loss, batch_norm=batch_norm), batches(1)[0]
    z = model.noise(len(x))

    def both():
        fake_score = model.D(model.G(z))
        return model.game.D(model.D(x), fake_score), model.game.G(fake_score)

    assert gradcheck(both, model.parameters(), 1).error < 1e-8


def test_the_loss_of_G_can_be_differentiated_twice():
    model = small("gan", **TINY)
    z = model.noise(3)
    assert gradcheck(lambda: model.game.G(model.D(model.G(z))), model.parameters(), order=2).error < 1e-8


def test_batch_norm_needs_a_batch():
    with pytest.raises(ConfigError, match="at least 2"):
        GAN(GANConfig(g_hidden=(4,), d_hidden=(4,))).check_batch(1)
    GAN(GANConfig(g_hidden=(4,), d_hidden=(4,), batch_norm=False)).check_batch(1)


README = (Path(__file__).parents[2] / "README.md").read_text()
KERAS = {"optimizer": "adam", "beta2": 0.999, "slope": 0.2, "latent_dim": 100, "data_shape": (28, 28, 1)}


@pytest.mark.parametrize(
    "which, expected",
    [
        ("keras", {"lr": 2e-4, "beta1": 0.5, "eps": 1e-7, "batch_norm": True, "mean_d_loss": True}),
        (
            "plain",
            {"lr": 1e-3, "beta1": 0.9, "eps": 1e-8, "batch_norm": False, "loss": "nonsaturating"},
        ),
        (
            "minimax",
            {"lr": 1e-3, "beta1": 0.9, "output": "sigmoid", "loss": "minimax", "d_activation": "relu"},
        ),
    ],
)
def test_the_three_gans_of_the_readme(which, expected):
    assert re.search(rf"^tinygen train gan --preset {which} ", README, re.M)
    config = GAN.preset(which)
    assert {name: getattr(config, name) for name in (KERAS | expected)} == KERAS | expected
