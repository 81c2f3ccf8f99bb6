"""The MLP GAN, step by step, against the same GAN in PyTorch: float64, the same weights, data and noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from models.small import in_float64

from tinygen.models import GAN
from tinygen.random import Generator

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.oracle

WITHIN = 1e-9  # of each tensor's relative norm

CLASSIC = {}  # the defaults: BatchNorm(0.8) after LeakyReLU(0.2), Adam(2e-4, 0.5)
PLAIN = {"batch_norm": False, "lr": 1e-3, "beta1": 0.9}  # no batch norm, and Adam's own defaults
NARROW = {
    "data_shape": (6, 5, 1),
    "latent_dim": 10,
    "g_hidden": (12, 16, 24),
    "d_hidden": (20, 14),
    "weight_init": "glorot",  # with "fan_in" all scores stay within the hinge's margin, and D's last bias where it is
}

LOSSES = {  # of D and of G, on scores, as PyTorch users write them
    "nonsaturating": (
        lambda real, fake: (
            F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
            + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        ),
        lambda fake: F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake)),
    ),
    "minimax": (
        lambda real, fake: -(F.logsigmoid(real).mean() + torch.log(1 - torch.sigmoid(fake)).mean()),
        lambda fake: torch.log(1 - torch.sigmoid(fake)).mean(),
    ),
    "lsgan": (
        lambda real, fake: (
            0.5 * F.mse_loss(real, torch.ones_like(real)) + 0.5 * F.mse_loss(fake, torch.zeros_like(fake))
        ),
        lambda fake: 0.5 * F.mse_loss(fake, torch.ones_like(fake)),
    ),
    "hinge": (lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake: -fake.mean()),
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


class TorchGAN:
    """The GAN of a config in PyTorch, with our weights."""

    def __init__(self, model):
        c = model.config
        self.G, self.D = (network.double() for network in self.networks(model))
        for ours, theirs in ((model.G, self.G), (model.D, self.D)):
            for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
                q.data = torch.tensor(as_in_torch(p.numpy()).copy())
            for norm in norms(theirs):
                norm.passes = 0
                norm.register_forward_hook(count)
        options = {"lr": c.lr, "betas": (c.beta1, c.beta2), "eps": c.eps}
        self.opt_D = torch.optim.Adam(self.D.parameters(), **options)
        self.opt_G = torch.optim.Adam(self.G.parameters(), **options)
        (self.loss_D, self.loss_G), self.halve = LOSSES[c.loss], c.mean_d_loss

    def networks(self, model):
        c, size = model.config, int(np.prod(model.config.data_shape))
        body, widths = [], (c.latent_dim, *c.g_hidden)
        for n_in, n_out in itertools.pairwise(widths):
            body += [nn.Linear(n_in, n_out), nn.LeakyReLU(c.slope)]
            body += [nn.BatchNorm1d(n_out, c.bn_eps, 1 - c.bn_momentum)] if c.batch_norm else []
        G = nn.Sequential(*body, nn.Linear(widths[-1], size), nn.Tanh())
        body, widths = [], (size, *c.d_hidden)
        for n_in, n_out in itertools.pairwise(widths):
            body += [nn.Linear(n_in, n_out), nn.LeakyReLU(c.slope)]
        return G, nn.Sequential(*body, nn.Linear(widths[-1], 1))

    def take(self, x):
        """A batch as the networks take it."""
        return torch.tensor(x.reshape(len(x), -1))

    def judge(self, x, fake):
        return self.D(x), self.D(fake)

    def train_step(self, x, z_D, z_G):
        fake = self.G(z_D).detach()
        real_score, fake_score = self.judge(x, fake)
        loss_D = self.loss_D(real_score, fake_score)
        if self.halve:
            loss_D = loss_D / 2
        self.opt_D.zero_grad()
        loss_D.backward()
        self.opt_D.step()

        loss_G = self.loss_G(self.D(self.G(z_G)))
        self.opt_G.zero_grad()
        loss_G.backward()
        self.opt_G.step()
        return loss_D.item(), loss_G.item(), real_score.detach().numpy(), fake_score.detach().numpy()


def as_in_torch(a):
    """Weights in the order of PyTorch's axes: matrices transposed, kernels (CO, C, KH, KW)."""
    return a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T


def as_here(shape):
    """The shape of weights here, given their shape in PyTorch."""
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape[::-1]


def norms(network):
    return [m for m in network.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]


def count(norm, inputs, output):
    """A hook: how often batch norm ran, and over how many values per channel."""
    norm.passes, norm.values = norm.passes + 1, output.numel() // output.shape[1]


def assert_near(ours, theirs, what):
    assert ours.shape == theirs.shape
    error, norm = np.linalg.norm(ours - theirs), np.linalg.norm(theirs)
    assert error <= WITHIN * norm, f"{what}: relative error {error / norm:.1e}"


def compare(settings, steps, batch, kind=GAN, oracle_kind=None):
    """Train both side by side; compare the metrics of every step, and their whole state at the end."""
    model = in_float64(kind(kind.Config(**settings), seed=3))
    oracle, noise = (oracle_kind or TorchGAN)(model), Generator(0)
    start = {n: p.numpy().copy() for n, p in model.named_parameters()}
    data = np.random.default_rng(0)
    for step in range(steps):
        x = data.uniform(-1, 1, (batch, *model.config.data_shape)) ** 3
        noise.state = model.rng.state
        z_D, z_G = (torch.tensor(noise.normal((batch, model.config.latent_dim))).double() for _ in range(2))
        metrics = {name: value.item() for name, value in model.train_step(x).items()}
        loss_D, loss_G, real, fake = oracle.train_step(oracle.take(x), z_D, z_G)
        right = {"loss_D": loss_D, "loss_G": loss_G, **verdicts(model.config.loss, real, fake)}
        assert metrics == pytest.approx(right, rel=WITHIN), step
    compare_networks(model.G, oracle.G)
    compare_networks(model.D, oracle.D)
    compare_moments(model.opt_G, oracle.opt_G)
    compare_moments(model.opt_D, oracle.opt_D)
    for n, p in model.named_parameters():
        assert p.dtype == np.float64
        shift_only = model.config.loss == "wasserstein" and n == "D.5.b"  # adds the same to real and fake scores
        assert np.linalg.norm(p.numpy() - start[n]) > 1e-5 or shift_only, f"{n} hardly moved"


def verdicts(loss, real, fake):
    """The metrics beside the losses: D's accuracy or its gap, and its verdicts, as probabilities or scores."""
    limit = 0.5 if loss == "lsgan" else 0.0
    judge = (lambda s: 1 / (1 + np.exp(-s))) if loss in ("minimax", "nonsaturating") else (lambda s: s)
    right = {"acc": ((real > limit).mean() + (fake <= limit).mean()) / 2}
    if loss == "wasserstein":
        right = {"gap": real.mean() - fake.mean()}
    return {**right, "D(x)": judge(real).mean(), "D(G(z))": judge(fake).mean()}


def compare_networks(ours, theirs):
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_near(as_in_torch(p.numpy()), q.detach().numpy(), name)
    buffers = iter([t.numpy() for name, t in ours.named_tensors() if name.endswith((".mean", ".var"))])
    for norm in norms(theirs):
        kept, n = (1 - norm.momentum) ** norm.passes, norm.values  # of the ones with which the variance began
        biased = kept + (norm.running_var.numpy() - kept) * (n - 1) / n  # PyTorch's is the unbiased one
        assert_near(next(buffers), norm.running_mean.numpy(), "running mean")
        assert_near(next(buffers), biased, "running variance")
    assert next(buffers, None) is None


def compare_moments(ours, theirs):
    (group,) = theirs.param_groups
    for slot, name in (("m", "exp_avg"), ("v", "exp_avg_sq")):
        flat, start = ours.state[slot], 0
        for i, q in enumerate(group["params"]):
            moment = theirs.state[q][name].numpy()
            own = as_in_torch(flat[start : start + moment.size].reshape(as_here(moment.shape)))
            assert_near(own, moment, f"{slot} of parameter {i}")
            start += moment.size
        assert start == flat.size
    assert ours.t == theirs.state[group["params"][0]]["step"].item()


@pytest.mark.parametrize("form", [CLASSIC, PLAIN], ids=["batch norm", "no batch norm"])
def test_fifty_steps(form):
    compare({**NARROW, **form}, steps=50, batch=16)


@pytest.mark.parametrize("form", [CLASSIC, PLAIN], ids=["batch norm", "no batch norm"])
def test_the_classic_sizes(form):
    compare(form, steps=3, batch=32)


@pytest.mark.parametrize("mean_d_loss", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss, mean_d_loss):
    compare({**NARROW, "loss": loss, "mean_d_loss": mean_d_loss}, steps=10, batch=8)


def test_the_oracle_knows_every_loss():
    from tinygen.losses import GAN_LOSSES

    assert LOSSES.keys() == GAN_LOSSES.keys()


def test_a_step_that_is_hardly_wrong_is_noticed(monkeypatch):
    """One part in ten million on PyTorch's learning rate is too much."""
    build = TorchGAN.__init__

    def build_slightly_off(self, model):
        build(self, model)
        self.opt_G.param_groups[0]["lr"] *= 1 + 1e-7

    monkeypatch.setattr(TorchGAN, "__init__", build_slightly_off)
    with pytest.raises(AssertionError, match=r"relative error|comparison failed"):
        compare(NARROW, steps=5, batch=8)
