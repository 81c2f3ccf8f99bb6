"""The DCGANs, step by step, against the same networks in PyTorch: float64, the same weights, data, noise, dropout."""

from __future__ import annotations

import pytest
from models.test_gan_oracle import TorchGAN, compare

from tinygen.layers import Dropout
from tinygen.models import DCGAN, DCGAN64

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.oracle


class Maps(nn.Module):
    """(N, H·W·C) to (N, C, H, W), the elements in the order of (H, W, C)."""

    def __init__(self, height, width):
        super().__init__()
        self.size = height, width

    def forward(self, x):
        return x.reshape(len(x), *self.size, -1).permute(0, 3, 1, 2)


class Flat(nn.Module):
    """The inverse."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class SameDropout(nn.Module):
    """Dropout of the elements that ours dropped; ours runs first."""

    def __init__(self, ours):
        super().__init__()
        self.kept, self.rate, forward = [], ours.rate, ours.forward

        def watched(x):
            y = forward(x)
            self.kept.append(y.numpy() != 0)
            return y

        ours.forward = watched

    def forward(self, x):
        return x * torch.tensor(self.kept.pop(0)).permute(0, 3, 1, 2) / (1 - self.rate)


class TorchDCGAN(TorchGAN):
    """The one in TensorFlow's tutorial, for images of 12 by 12. "Same" with stride 2 pads 1 before and 2 after."""

    def networks(self, model):
        c, bn = model.config, {"eps": 1e-5, "momentum": 0.1}
        a, b, d = c.g_channels
        G = nn.Sequential(
            *(nn.Linear(c.latent_dim, 9 * a, bias=False), nn.BatchNorm1d(9 * a, **bn), nn.LeakyReLU(0.3), Maps(3, 3)),
            *(nn.ConvTranspose2d(a, b, 5, 1, 2, bias=False), nn.BatchNorm2d(b, **bn), nn.LeakyReLU(0.3)),
            *(nn.ConvTranspose2d(b, d, 5, 2, bias=False), nn.ZeroPad2d((-1, -2, -1, -2))),
            *(nn.BatchNorm2d(d, **bn), nn.LeakyReLU(0.3)),
            *(nn.ConvTranspose2d(d, 1, 5, 2, bias=False), nn.ZeroPad2d((-1, -2, -1, -2)), nn.Tanh()),
        )
        (e, f), dropouts = c.d_channels, [SameDropout(m) for _, m in model.D.named_modules() if isinstance(m, Dropout)]
        D = nn.Sequential(
            *(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(1, e, 5, 2), nn.LeakyReLU(0.3), dropouts[0]),
            *(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(e, f, 5, 2), nn.LeakyReLU(0.3), dropouts[1]),
            *(Flat(), nn.Linear(9 * f, 1)),
        )
        return G, D

    def take(self, x):
        return torch.tensor(x).permute(0, 3, 1, 2)

    def judge(self, x, fake):
        return self.D(torch.cat([x, fake])).split(len(x))


class TorchDCGAN64(TorchDCGAN):
    """The one of Radford et al. 2015, for images of 32 by 32."""

    def networks(self, model):
        c, bn = model.config, {"eps": 1e-5, "momentum": 0.1}
        options, widths = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}, c.g_channels
        a, b, d, e = widths
        G = [nn.Linear(c.latent_dim, 4 * a, bias=False), Maps(2, 2), nn.BatchNorm2d(a, **bn), nn.ReLU()]
        for before, after in ((a, b), (b, d), (d, e)):
            G += [nn.ConvTranspose2d(before, after, **options), nn.BatchNorm2d(after, **bn), nn.ReLU()]
        D = [nn.Conv2d(3, e, **options), nn.LeakyReLU(0.2)]
        for before, after in ((e, d), (d, b), (b, a)):
            D += [nn.Conv2d(before, after, **options), nn.BatchNorm2d(after, **bn), nn.LeakyReLU(0.2)]
        return (
            nn.Sequential(*G, nn.ConvTranspose2d(e, 3, **options), nn.Tanh()),
            nn.Sequential(*D, Flat(), nn.Linear(4 * a, 1, bias=False)),
        )

    def judge(self, x, fake):
        return self.D(x), self.D(fake)


NARROW = {"data_shape": (12, 12, 1), "latent_dim": 6, "g_channels": (8, 6, 4), "d_channels": (5, 7)}
NARROW64 = {"data_shape": (32, 32, 3), "latent_dim": 6, "g_channels": (8, 6, 5, 4), "d_channels": (4, 5, 6, 8)}


def test_dcgan():
    compare(NARROW, steps=10, batch=6, kind=DCGAN, oracle_kind=TorchDCGAN)


def test_dcgan64():
    compare(NARROW64, steps=8, batch=5, kind=DCGAN64, oracle_kind=TorchDCGAN64)


def test_another_momentum_is_noticed():
    class Other(TorchDCGAN64):
        def networks(self, model):
            G, D = super().networks(model)
            D[3].momentum += 1e-7
            return G, D

    with pytest.raises(AssertionError, match="running"):
        compare(NARROW64, steps=2, batch=4, kind=DCGAN64, oracle_kind=Other)
