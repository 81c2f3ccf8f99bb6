"""The DCGANs: their layers, their numbers of weights, image sizes, and the batches that D judges."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, small

import tinygen as tg
from tinygen.errors import ConfigError
from tinygen.layers import Buffer
from tinygen.models import DCGAN, DCGAN64, DCGAN64Config, DCGANConfig
from tinygen.optim import Adam


def layers_of(network):
    return [repr(layer) for layer in network]


def total(network, buffers=True):
    return sum(t.size for _, t in network.named_tensors() if buffers or not isinstance(t, Buffer))


def test_the_dcgan_of_tensorflows_tutorial():
    gan = DCGAN(DCGAN.preset("tensorflow"))
    assert layers_of(gan.G) == [
        *("Dense(100, 12544, bias=False)", "BatchNorm(12544, momentum=0.99, eps=0.001)", "LeakyReLU(0.3)"),
        *("Reshape((7, 7, 256))", "ConvTranspose(256, 128, 5, bias=False)"),
        *("BatchNorm(128, momentum=0.99, eps=0.001)", "LeakyReLU(0.3)"),
        "ConvTranspose(128, 64, 5, stride=2, bias=False)",
        *("BatchNorm(64, momentum=0.99, eps=0.001)", "LeakyReLU(0.3)"),
        *("ConvTranspose(64, 1, 5, stride=2, bias=False)", "Tanh()"),
    ]
    assert layers_of(gan.D) == [
        *("Conv(1, 64, 5, stride=2)", "LeakyReLU(0.3)", "Dropout(0.3)"),
        *("Conv(64, 128, 5, stride=2)", "LeakyReLU(0.3)", "Dropout(0.3)"),
        *("Flatten()", "Dense(6272, 1)"),
    ]
    assert (total(gan.G), total(gan.D)) == (2_330_944, 212_865)  # from the tutorial's model.summary()
    for optimizer in (gan.opt_D, gan.opt_G):
        assert type(optimizer) is Adam
        assert (optimizer.lr, optimizer.betas, optimizer.eps) == (1e-4, (0.9, 0.999), 1e-7)
    assert gan.value_range == (-1, 1) and (gan.config.loss, gan.config.mean_d_loss) == ("nonsaturating", False)


def test_the_dcgan_of_radford():
    gan = DCGAN64()
    G = layers_of(gan.G)
    norm = "BatchNorm({}, momentum=0.9, eps=1e-05)".format
    assert G[:4] == ["Dense(100, 8192, bias=False)", "Reshape((4, 4, 512))", norm(512), "ReLU()"]
    assert G[4:] == [
        *("ConvTranspose(512, 256, 4, stride=2, bias=False)", norm(256), "ReLU()"),
        *("ConvTranspose(256, 128, 4, stride=2, bias=False)", norm(128), "ReLU()"),
        *("ConvTranspose(128, 64, 4, stride=2, bias=False)", norm(64), "ReLU()"),
        *("ConvTranspose(64, 3, 4, stride=2, bias=False)", "Tanh()"),
    ]
    assert layers_of(gan.D) == [
        *("Conv(3, 64, 4, stride=2, bias=False)", "LeakyReLU(0.2)"),
        *("Conv(64, 128, 4, stride=2, bias=False)", norm(128), "LeakyReLU(0.2)"),
        *("Conv(128, 256, 4, stride=2, bias=False)", norm(256), "LeakyReLU(0.2)"),
        *("Conv(256, 512, 4, stride=2, bias=False)", norm(512), "LeakyReLU(0.2)"),
        *("Flatten()", "Dense(8192, 1, bias=False)"),
    ]
    assert (total(gan.G, False), total(gan.D, False)) == (3_576_704, 2_765_568)  # those of PyTorch's tutorial
    weights = [p.numpy().ravel() for n, p in gan.named_parameters() if n.endswith(".w")]
    assert [w.std() for w in weights] == pytest.approx([0.02] * len(weights), rel=0.06)
    assert (gan.opt_G.lr, gan.opt_G.betas, gan.opt_G.eps) == (2e-4, (0.5, 0.999), 1e-8)


@pytest.mark.parametrize("kind", [DCGAN, DCGAN64])
@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (17, 30, 3), (5, 9, 1), (1, 2, 2)])
def test_images_of_any_size(kind, shape):
    narrow = {"g_channels": (4, 3, 2), "d_channels": (2, 3), "kernel_size": 3}
    gan = kind(kind.Config(data_shape=shape, **narrow))
    assert gan.sample(2).shape == (2, *shape)
    metrics = gan.train_step(batches(1, shape)[0])
    assert all(np.isfinite(v.item()) for v in metrics.values())


@pytest.mark.parametrize("g, d, first", [((4, 3, 2, 2, 2), (2,), 8), ((4,), (2, 2), 8), ((4, 4), (), 16)])
def test_as_many_layers_as_there_are_channels(g, d, first):
    """G doubles as often as D halves, if it has enough layers."""
    gan = DCGAN(DCGANConfig(data_shape=(16, 16, 1), g_channels=g, d_channels=d))
    assert f"Reshape(({first}, {first}, 4))" in layers_of(gan.G)
    assert gan.sample(1).shape == (1, 16, 16, 1)
    assert gan.D(np.zeros((3, 16, 16, 1), np.float32)).shape == (3, 1)


def scores_of_a_step(gan, x):
    """The batches that D judges in one train step."""
    sizes, forward = [], gan.D.forward
    gan.D.forward = lambda x: (sizes.append(len(x)), forward(x))[1]
    gan.train_step(x)
    return sizes


def test_real_and_fake_go_through_D_together_unless_batch_norm_would_mix_them():
    x = batches(1)[0]
    assert scores_of_a_step(small("dcgan"), x) == [8, 4]
    assert scores_of_a_step(small("dcgan64"), x) == [4, 4, 4]
    assert scores_of_a_step(small("dcgan", d_batch_norm=True), x) == [4, 4, 4]


def test_one_pass_gives_the_scores_of_two():
    gan, x = small("dcgan", dropout=0.0), batches(2)
    together = gan.judge(x[0], tg.tensor(x[1]))
    for scores, alone in zip(together, (gan.D(x[0]), gan.D(x[1])), strict=True):
        np.testing.assert_allclose(scores.numpy(), alone.numpy(), rtol=1e-6)


def test_the_gradients_of_both_losses_by_every_parameter():
    tiny = {"latent_dim": 2, "g_channels": (2, 2), "d_channels": (2,), "kernel_size": 2}
    gan, x = small("dcgan", **tiny, dropout=0.0), batches(1, size=3)[0]
    z = gan.noise(len(x))

    def both():
        fake = gan.G(z)
        return gan.game.D(*gan.judge(x, fake)), gan.game.G(gan.D(fake))

    assert tg.gradcheck(both, gan.parameters(), 1).error < 1e-8


def test_what_a_config_refuses():
    with pytest.raises(ConfigError, match=r"the data have the shape \(2,\), but convolutions take images \(H, W, C\)"):
        DCGANConfig(data_shape=(2,))
    with pytest.raises(ConfigError, match="g_channels is empty"):
        DCGAN64Config(g_channels=())
    with pytest.raises(ConfigError, match=r"dropout is 1\.5, but it must be a finite number of at least 0 and below 1"):
        DCGANConfig(dropout=1.5)
    with pytest.raises(ConfigError, match=r"d_channels\[1\] is 0, but it must be an int of at least 1"):
        DCGANConfig(d_channels=(64, 0))
    with pytest.raises(ConfigError, match="dcgan: batch norm needs a batch of at least 2, not 1"):
        small("dcgan").check_batch(1)
