"""state_dicts of PyTorch, as its users write the networks: images NCHW, flattened and joined in that order."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import in_float64
from models.test_gan_oracle import TorchGAN

import tinygen as tg
from tinygen import layers
from tinygen.errors import ConfigError
from tinygen.export import load_torch_optimizer, load_torch_state_dict, torch_state_dict
from tinygen.random import Generator

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.oracle


def dense_pair():
    model = tg.models.GAN(tg.models.GANConfig(data_shape=(4, 4, 1), latent_dim=5, g_hidden=(8, 6), d_hidden=(7, 3)))
    bn = {"eps": model.config.bn_eps, "momentum": 1 - model.config.bn_momentum}
    G = nn.Sequential(
        *(nn.Linear(5, 8), nn.LeakyReLU(0.2), nn.BatchNorm1d(8, **bn)),
        *(nn.Linear(8, 6), nn.LeakyReLU(0.2), nn.BatchNorm1d(6, **bn)),
        *(nn.Linear(6, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4))),
    )
    D = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 7), nn.LeakyReLU(0.2), nn.Linear(7, 3), nn.LeakyReLU(0.2), nn.Linear(3, 1)
    )
    return model, G, D


NARROW = {"latent_dim": 6, "g_channels": (8, 6, 5, 4), "d_channels": (4, 5, 6, 8)}


def dcgan_pair():
    """Dense layers at both ends."""
    model = tg.models.DCGAN64(tg.models.DCGAN64Config(data_shape=(32, 32, 3), **NARROW))
    G = nn.Sequential(nn.Linear(6, 32, bias=False), nn.Unflatten(1, (8, 2, 2)), *growing())
    D = nn.Sequential(*shrinking(), nn.Flatten(), nn.Linear(32, 1, bias=False))
    return model, G, D


def tutorial_pair():
    """PyTorch's DCGAN tutorial: convolutions as large as the map at both ends."""
    model = tg.models.DCGAN64(tg.models.DCGAN64Config(data_shape=(64, 64, 3), **NARROW))
    G = nn.Sequential(nn.Unflatten(1, (6, 1, 1)), nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False), *growing())
    D = nn.Sequential(*shrinking(), nn.Conv2d(8, 1, 4, 1, 0, bias=False), nn.Flatten())
    return model, G, D


def tensorflow_pair():
    """Batch norm before the Reshape, biases, an odd kernel: as in TensorFlow's tutorial."""
    config = {"latent_dim": 6, "g_channels": (8, 6, 4), "d_channels": (5, 7), "kernel_size": 3, "dropout": 0.0}
    model = tg.models.DCGAN(tg.models.DCGANConfig(data_shape=(12, 12, 2), **config))
    bn = {"eps": 1e-5, "momentum": 0.1}
    cut = nn.ZeroPad2d((0, -1, 0, -1))
    G = nn.Sequential(
        *(nn.Linear(6, 72, bias=False), nn.BatchNorm1d(72, **bn), nn.LeakyReLU(0.3), nn.Unflatten(1, (8, 3, 3))),
        *(nn.ConvTranspose2d(8, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6, **bn), nn.LeakyReLU(0.3)),
        *(nn.ConvTranspose2d(6, 4, 3, 2, bias=False), cut, nn.BatchNorm2d(4, **bn), nn.LeakyReLU(0.3)),
        *(nn.ConvTranspose2d(4, 2, 3, 2, bias=False), cut, nn.Tanh()),
    )
    after = nn.ZeroPad2d((0, 1, 0, 1))
    D = nn.Sequential(
        *(after, nn.Conv2d(2, 5, 3, 2), nn.LeakyReLU(0.3), after, nn.Conv2d(5, 7, 3, 2), nn.LeakyReLU(0.3)),
        *(nn.Flatten(), nn.Linear(63, 1)),
    )
    return model, G, D


OPTIONS = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}


def growing():
    body = [nn.BatchNorm2d(8), nn.ReLU()]
    for before, after in ((8, 6), (6, 5), (5, 4)):
        body += [nn.ConvTranspose2d(before, after, **OPTIONS), nn.BatchNorm2d(after), nn.ReLU()]
    return [*body, nn.ConvTranspose2d(4, 3, **OPTIONS), nn.Tanh()]


def shrinking():
    body = [nn.Conv2d(3, 4, **OPTIONS), nn.LeakyReLU(0.2)]
    for before, after in ((4, 5), (5, 6), (6, 8)):
        body += [nn.Conv2d(before, after, **OPTIONS), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return body


PAIRS = [dense_pair, dcgan_pair, tutorial_pair, tensorflow_pair]


@pytest.fixture(params=PAIRS, ids=lambda pair: pair.__name__.removesuffix("_pair"))
def pair(request):
    """A model, its G and D in PyTorch with other weights and other running statistics, all in float64."""
    torch.manual_seed(0)
    model, G, D = request.param()
    for network in (G.double(), D.double()):
        for name, x in network.state_dict().items():
            if x.is_floating_point():
                x.copy_(torch.rand_like(x) + 0.5 if name.endswith("running_var") else torch.randn_like(x) * 0.3)
    return in_float64(model), G, D


def nchw(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def outputs(model, G, D):
    """G(z) and D(x) here and there, in eval mode."""
    c, rng = model.config, np.random.default_rng(0)
    z, x = rng.normal(size=(5, c.latent_dim)), rng.uniform(-1, 1, (5, *c.data_shape))
    ours = model.G.eval()(z).numpy(), model.D.eval()(x).numpy()
    with torch.no_grad():
        theirs = G.eval()(torch.from_numpy(z)).numpy(), D.eval()(nchw(x)).numpy()
    return ours, (np.moveaxis(theirs[0], 1, -1), theirs[1])


def load(model, G, D):
    load_torch_state_dict(model.G, G.state_dict())
    load_torch_state_dict(model.D, D.state_dict(), model.config.data_shape)


def test_the_networks_compute_the_same(pair):
    load(*pair)
    for ours, theirs in zip(*outputs(*pair), strict=True):
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pair", [dense_pair, dcgan_pair, tensorflow_pair], indirect=True)  # dense layers in both
def test_what_is_saved_loads_there(pair):
    model, G, D = pair
    shapes = {"G": None, "D": model.config.data_shape}
    for network, there in (("G", G), ("D", D)):
        state = torch_state_dict(getattr(model, network), shapes[network])
        wanted = [name for name in there.state_dict() if "num_batches" not in name]
        by_order = {name: torch.from_numpy(x) for name, x in zip(wanted, state.values(), strict=True)}
        there.load_state_dict(by_order, strict=False)
    for ours, theirs in zip(*outputs(model, G, D), strict=True):
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-9, atol=1e-12)


class Game(TorchGAN):
    """Networks of PyTorch, trained as TorchGAN does."""

    def __init__(self, model, G, D):
        c = model.config
        self.G, self.D, self.halve = G.train(), D.train(), False
        options = {"lr": c.lr, "betas": (c.beta1, c.beta2), "eps": c.eps}
        self.opt_D, self.opt_G = (torch.optim.Adam(net.parameters(), **options) for net in (self.D, self.G))
        bce = nn.functional.binary_cross_entropy_with_logits

        def loss_of(score, label):
            return bce(score, torch.full_like(score, label))

        self.loss_D = lambda real, fake: loss_of(real, 1.0) + loss_of(fake, 0.0)
        self.loss_G = lambda fake: loss_of(fake, 1.0)


def test_a_trajectory_continues(pair):
    """Three steps in PyTorch, then its checkpoint here, and three more in both."""
    model, G, D = pair
    game, noise, data = Game(model, G, D), Generator(0), np.random.default_rng(1)
    c = model.config

    def batch():
        z_D, z_G = (torch.tensor(noise.normal((6, c.latent_dim))).double() for _ in range(2))
        return data.uniform(-1, 1, (6, *c.data_shape)), z_D, z_G

    for _ in range(3):
        x, *z = batch()
        game.train_step(nchw(x), *z)
    load(model, G, D)
    load_torch_optimizer(model.opt_G, game.opt_G.state_dict(), model.G)
    load_torch_optimizer(model.opt_D, game.opt_D.state_dict(), model.D, c.data_shape)
    model.G.train(), model.D.train()
    for _ in range(3):
        model.rng.state = noise.state
        x, *z = batch()
        metrics = {name: value.item() for name, value in model.train_step(x).items()}
        loss_D, loss_G, *_ = game.train_step(nchw(x), *z)
        assert (metrics["loss_D"], metrics["loss_G"]) == pytest.approx((loss_D, loss_G), rel=1e-9)
    for ours, there, shape in ((model.G, G, None), (model.D, D, c.data_shape)):
        for (name, a), b in zip(torch_state_dict(ours, shape).items(), weights(there), strict=True):
            if "running" not in name:  # PyTorch's running variance is the unbiased one
                np.testing.assert_allclose(a.reshape(-1), flat_like(a, b), rtol=1e-7, atol=1e-10, err_msg=name)


def weights(network):
    return [x.numpy() for name, x in network.state_dict().items() if "num_batches" not in name]


def flat_like(ours, theirs):
    """PyTorch's values in our order, where a transposed convolution as large as the map stands for a dense layer."""
    return (
        theirs.reshape(len(theirs), -1).T
        if ours.size and ours.ndim != theirs.ndim and len(ours) != len(theirs)
        else theirs
    ).reshape(-1)


OTHERS = {  # our layer, PyTorch's, and an input of ours
    "Conv1d": (
        lambda: layers.Conv1d(4, 6, 3, padding=1, groups=2), lambda: nn.Conv1d(4, 6, 3, padding=1, groups=2), (2, 5, 4)
    ),
    "ConvTranspose1d": (
        lambda: layers.ConvTranspose1d(4, 6, 3, 2, 1), lambda: nn.ConvTranspose1d(4, 6, 3, 2, 1), (2, 5, 4)
    ),
    "LayerNorm": (lambda: layers.LayerNorm(4), lambda: nn.LayerNorm(4), (3, 4)),
    "InstanceNorm": (lambda: layers.InstanceNorm(4), lambda: nn.InstanceNorm2d(4, affine=True), (2, 3, 3, 4)),
    "GroupNorm": (lambda: layers.GroupNorm(4, 2), lambda: nn.GroupNorm(2, 4), (2, 3, 3, 4)),
    "RMSNorm": (lambda: layers.RMSNorm(4), lambda: nn.RMSNorm(4, eps=1e-5), (3, 4)),
    "PReLU": (lambda: layers.PReLU(4), lambda: nn.PReLU(4), (2, 3, 3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers(name):
    torch.manual_seed(0)
    ours, theirs, shape = (OTHERS[name][0](), OTHERS[name][1](), OTHERS[name][2])
    for x in theirs.state_dict().values():
        x.copy_(torch.randn_like(x))
    load_torch_state_dict(ours, theirs.state_dict())
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.no_grad():
        y = np.moveaxis(theirs(nchw(x)).numpy(), 1, -1)
    np.testing.assert_allclose(ours(x).numpy(), y, rtol=1e-5, atol=1e-5)
    saved = torch_state_dict(ours)
    for (key, a), (wanted, b) in zip(saved.items(), theirs.state_dict().items(), strict=True):
        assert key == wanted
        np.testing.assert_array_equal(a, b.numpy())


def test_tensors_may_be_half_precision_and_prefixed():
    model, G, _ = dense_pair()
    state = {f"module.{name}": x.bfloat16() for name, x in G.state_dict().items()}
    load_torch_state_dict(model.G, state)
    w = dict(model.G.named_parameters())["0.w"].numpy()
    np.testing.assert_array_equal(w, G[0].weight.bfloat16().float().detach().numpy().T)


def test_what_does_not_fit_is_named_and_changes_nothing():
    model, G, D = dense_pair()
    before = [p.numpy().copy() for p in model.parameters()]
    state = dict(G.state_dict())
    with pytest.raises(ConfigError, match=r"the module has 3 layers with parameters, and the state 5: 0, 2, 3, 5, 6"):
        load_torch_state_dict(model.D, state, (4, 4, 1))
    with pytest.raises(
        ConfigError, match=r"weight of layer '6' is \(16, 6\) or .* in PyTorch, but that of '6' is \(6, 16\)"
    ):
        load_torch_state_dict(model.G, state | {"6.weight": state["6.weight"].T})
    with pytest.raises(ConfigError, match="layer '0' takes weight, bias, but '0' has weight"):
        load_torch_state_dict(model.G, {k: x for k, x in state.items() if k != "0.bias"})
    with pytest.raises(ConfigError, match=r"flattens images; give input_shape, such as \(28, 28, 1\)"):
        load_torch_state_dict(model.D, D.state_dict())
    with pytest.raises(ConfigError, match="state is a list, but it must be a state_dict"):
        load_torch_state_dict(model.G, [1.0])
    assert all((a == p.numpy()).all() for a, p in zip(before, model.parameters(), strict=True))


def test_a_layer_without_a_counterpart_is_named():
    network = layers.Sequential(layers.SpectralNorm(layers.Dense(2, 3)))
    with pytest.raises(ConfigError, match="no counterpart is known"):
        torch_state_dict(network)


def test_an_optimiser_that_differs_is_named():
    model, G, _ = dense_pair()
    theirs = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-8)
    with pytest.raises(ConfigError, match=r"load_torch_optimizer: lr is .* here, but 0\.001 in the state"):
        load_torch_optimizer(model.opt_G, theirs.state_dict(), model.G)
    sgd = tg.optim.SGD(model.G.parameters(), lr=0.1)
    with pytest.raises(ConfigError, match="takes an Adam or AdamW, but this is a SGD"):
        load_torch_optimizer(sgd, theirs.state_dict(), model.G)
    ours = tg.optim.Adam(model.D.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-8)
    with pytest.raises(ConfigError, match="aren't all those of the module"):
        load_torch_optimizer(ours, theirs.state_dict(), model.G)
