"""The workloads: their parameters are those of tinygen's models, their FLOPs those of a calculation by hand."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest

import tinygen as tg
from benchmarks.bars import BARS
from benchmarks.layers import Conv, ConvT, Dense, LeakyReLU
from benchmarks.peers import PEERS, Setting
from benchmarks.peers.tinygen import TinyGen, custom
from benchmarks.pictures import MARKERS
from benchmarks.workloads import WORKLOADS, Network, Pass, Workload, macs, traffic, workload


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=WORKLOADS)
def test_the_networks_are_those_of_the_models(w: Workload) -> None:
    model = getattr(tg.models, w.model)()
    for name, n in w.parameters.items():
        assert sum(p.size for p in getattr(model, name).parameters()) == n
    config = model.config
    assert (config.lr, config.beta1, config.beta2, config.eps) == (w.lr, w.beta1, w.beta2, w.eps)
    assert (config.latent_dim, tuple(config.data_shape)) == (w.latent, w.image)
    assert (getattr(config, "d_steps", 1), getattr(config, "gp", 0.0)) == (w.d_steps, w.gp)


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=WORKLOADS)
def test_each_layer_is_that_of_the_model(w: Workload) -> None:
    model = getattr(tg.models, w.model)()
    options = {"BatchNorm": ("momentum", "eps"), "LeakyReLU": ("slope",), "Dropout": ("rate",)}
    for name, net in w.networks.items():
        spec, made = (
            [
                tuple(getattr(layer, option) for option in options[kind])
                for layer in layers
                if (kind := type(layer).__name__) in options and getattr(layer, "slope", 1)
            ]
            for layers in (net.layers, [m for _, m in getattr(model, name).named_modules()])
        )
        assert spec == made


def test_the_flops_of_the_mlp_gan_by_hand() -> None:
    G = 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784
    D = 784 * 512 + 512 * 256 + 256 * 1
    D_step = G + 2 * D + 2 * D + 2 * (D - 784 * 512)  # no gradient for the images
    G_step = G + D + D + G + (G - 100 * 256)  # none for D's weights, none for the noise
    assert WORKLOADS["mlp_gan_128"].flops == 2 * 128 * (D_step + G_step)
    assert WORKLOADS["mlp_gan_32"].flops * 4 == WORKLOADS["mlp_gan_128"].flops


def test_the_flops_of_the_vae_by_hand() -> None:
    encoder, decoder = 784 * 400 + 400 * 40, 20 * 400 + 400 * 784
    assert WORKLOADS["vae_128"].flops == 2 * 128 * (3 * decoder + 3 * encoder - 784 * 400)


def test_the_flops_of_the_wgan_gp_by_hand() -> None:
    G, D = 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784, 784 * 512 + 512 * 256 + 256 * 1
    scores = G + 2 * (D + D + D - 784 * 512)
    penalty = D + D + D + (784 * 512 + 512 * 256)  # forward, to x̂; then to the weights, and through all but the last
    G_step = G + D + D + G + (G - 100 * 256)
    assert WORKLOADS["wgangp_64"].flops == 2 * 64 * (5 * (scores + penalty) + G_step)


def test_convolutions_by_hand() -> None:
    conv, back = Conv(64, 128, 5, 2), ConvT(128, 64, 5, 2, bias=False)
    assert conv.out((14, 14, 64)) == (7, 7, 128)
    assert conv.out((15, 13, 64)) == (8, 7, 128)
    assert back.out((7, 7, 128)) == (14, 14, 64)
    assert conv.macs((14, 14, 64)) == 7 * 7 * 128 * 25 * 64 == back.macs((7, 7, 128))
    assert (conv.parameters, back.parameters) == (25 * 64 * 128 + 128, 25 * 64 * 128)


def test_the_convolution_that_was_measured_by_hand() -> None:
    assert 2 * 256 * ConvT(256, 128, 5, 1).macs((7, 7, 256)) == pytest.approx(20.6e9, rel=0.01)


def test_what_backward_costs() -> None:
    net = Network((3,), (Dense(3, 5), LeakyReLU(0.2), Dense(5, 2)))
    assert macs(net, "no") == 25
    assert macs(net, "weights") == 25 + 25 + 10
    assert macs(net, "input") == 25 + 25
    assert macs(net, "weights and input") == 75
    assert macs(net, "slope") == 25 + 25 + 25 + 15
    first, second = 3 + 20 + 5, 5 + 12 + 2
    assert traffic(net, 1, "no") == first + 10 + second
    assert traffic(net, 1, "weights") == first + 10 + second + first + (10 + 5) + 2 * second
    assert traffic(net, 1, "slope") == 4 * first + 10 + 2 * (10 + 5) + 3 * second


def test_a_step_has_the_passes_of_the_algorithm() -> None:
    gan = WORKLOADS["mlp_gan_32"].passes
    assert gan == (Pass("G", 1, "no"), Pass("D", 2, "weights"), Pass("G", 1, "weights"), Pass("D", 1, "input"))
    wgan_gp = WORKLOADS["wgangp_64"].passes
    assert wgan_gp == (Pass("G", 1, "no"), Pass("D", 2, "weights"), Pass("D", 1, "slope")) * 5 + gan[2:]
    assert [w.name for w in WORKLOADS.values() if w.joint] == ["mlp_gan_32", "mlp_gan_128", "wgangp_64"]


@pytest.mark.parametrize("name", ["batch=3", "image=16", "depth=5"])
def test_sweeps_are_built_and_learn(name: str) -> None:
    w = workload(name)
    model = custom(w)
    x = tg.Generator(0).uniform((w.batch, *w.image), -1.0, 1.0)
    losses = model.train_step(x)
    assert {n: sum(p.size for p in getattr(model, n).parameters()) for n in "GD"} == w.parameters
    assert all(abs(losses[name].item()) < 100 for name in ("loss_D", "loss_G"))


@pytest.mark.parametrize(("name", "compiles"), [("tinygen", True), ("tinygen-eager", False)])
def test_a_step_is_compiled_or_eager(name: str, compiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Namespace(train_step=lambda x: {"loss": tg.tensor(float(len(x)))})
    monkeypatch.setattr(tg, "compile", lambda model: compiled, raising=False)
    peer = TinyGen(Setting(WORKLOADS["vae_128"], "", 1, options=PEERS[name].options))
    peer.step(peer.batch(np.zeros((2, 784), np.float32)))
    assert (peer.losses() == {"loss": 2.0}) == compiles


def test_every_peer_has_a_marker_of_its_own() -> None:
    assert len(set(MARKERS)) >= len(PEERS)


def test_every_bar_names_what_exists() -> None:
    assert {bar.workload for bar in BARS} == set(WORKLOADS)
    for bar in BARS:
        assert {bar.variant, *bar.peers} <= set(PEERS)
        assert not PEERS[bar.variant].refuses(WORKLOADS[bar.workload], "cpu")
