"""What the reports about training need more than a line for."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np

import tinygen as tg
from tinygen import layers, losses, models, optim
from tinygen.data import Flip, Loader
from tinygen.train.ema import EMA

X = np.array([[1.0, 2], [3, 6]], np.float32)


def t(*values, **options):
    return tg.tensor(np.array(values), requires_grad=True, **options)


def p(*values):
    return tg.Parameter(np.array(values))


# Layers


def running(x, momentum):
    """The running statistics of a BatchNorm after one batch."""
    norm = layers.BatchNorm(1, momentum=momentum)
    norm(tg.tensor(x))
    return [*norm.mean.numpy(), *norm.var.numpy()]


def evaluated_after_a_batch():
    norm = layers.BatchNorm(2, momentum=0.0, eps=0.0)
    norm(tg.tensor(X))
    return norm.eval()(tg.tensor(X)).numpy()


def twice(layer, x):
    """How far two passes differ."""
    return float(abs(layer(x) - layer(x)).max())


def scale_of(layer, n=10_000):
    y = layer(tg.tensor(np.ones((n, 1), np.float32))).numpy()
    return [float(y.max()), bool(abs(y.mean() - 1) < 0.05)]


class Stack(layers.Module):
    """Layers that are appended to a list after it was assigned."""

    def __init__(self, blocks):
        self.blocks = blocks
        for _ in range(3):
            self.blocks.append(layers.Dense(2, 2))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def gradient_dtype(loss):
    """Of a float32 x that is compared with float64."""
    x = t(1.0, dtype=np.float32)
    return str(tg.grad(loss(x, np.array([1.0])), x).dtype)


def spectral_norm_of_two_passes():
    """A gradient through the first pass is not changed by the second."""
    layer = layers.SpectralNorm(layers.Dense(2, 2))
    x = tg.tensor(X)
    first = layer(x).sum()
    layer(x)
    return len(tg.grad(first, layer.parameters()))


# Optimisers


def after(make, grads, *start):
    """The parameter after steps along these gradients."""
    w = p(*(start or (1.0,)))
    optimizer = make([w])
    for g in grads:
        optimizer.step([np.array([float(g)] * w.size)])
    return w.numpy().tolist()


def adam(grads, lr=0.1, w=1.0, b1=0.9, b2=0.999, eps=1e-8):
    """Kingma and Ba 2015, algorithm 1."""
    m = v = 0.0
    for i, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        w -= lr * (m / (1 - b1**i)) / (math.sqrt(v / (1 - b2**i)) + eps)
    return [w]


def resumed_adam():
    """Two steps, a new optimiser with the state of the first, two more."""
    w = p(1.0)
    first = optim.Adam([w], lr=0.1)
    for g in (1.0, -2.0):
        first.step([np.array([g])])
    second = optim.Adam([w], lr=0.1)
    second.load_state_dict(first.state_dict())
    for g in (3.0, 0.5):
        second.step([np.array([g])])
    return w.numpy().tolist()


def clipped(grads, limit):
    w = p(*[0.0] * len(grads))
    optim.SGD([w], lr=1.0, clip_norm=limit).step([np.array(grads)])
    return (-w.numpy()).tolist()


def backward_twice(zero):
    x = t(3.0)
    for _ in range(2):
        if zero:
            x.grad = None
        (x * x).backward(np.ones(1))
    return x.grad.numpy().tolist()


# Data


def epochs(n, **options):
    """The rows of two epochs, of n examples in batches of 2."""
    loader = Loader(np.arange(float(n))[:, None], 2, None, tg.Generator(0, device="cpu"), **options)
    return [np.concatenate([x[:, 0] for x in loader]).tolist() for _ in range(2)]


def flips(seed):
    flip = Flip(rng=tg.Generator(seed))
    x = np.arange(64.0).reshape(32, 1, 2, 1)
    return [flip(x)[:, 0, 0, 0].tolist() for _ in range(2)]


def resumed_loader():
    """What a loader gives after another's state, and what that one gives."""
    make = lambda seed: Loader(np.arange(9.0)[:, None], 2, None, tg.Generator(seed, device="cpu"))
    a, b = make(1), make(2)
    for _ in range(5):
        a.next_batch()
    b.state = a.state
    return all(np.array_equal(a.next_batch(), b.next_batch()) for _ in range(9))


# GANs and VAEs


def gan(**config):
    return models.GAN(models.GAN.Config(data_shape=(2,), latent_dim=2, g_hidden=(4,), d_hidden=(4,), **config))


def changed(step):
    """Which networks a step of a GAN changes: of G and D, weights and statistics."""
    model = gan(batch_norm=True)
    before = copy.deepcopy({name: net.state_dict() for name, net in (("G", model.G), ("D", model.D))})
    step(model)
    now = {"G": model.G.state_dict(), "D": model.D.state_dict()}
    return sorted({name for name, state in before.items() for k in state if not np.array_equal(state[k], now[name][k])
                   and "mean" not in k and "var" not in k})  # fmt: skip


def learn_D(model):
    with tg.no_grad():
        fake = model.G(tg.tensor(np.ones((3, 2), np.float32)))
    model.opt_D.step(tg.grad(losses.bce_logits(model.D(fake), 0.0), model.D.parameters()))


def learn_G(model):
    with tg.frozen(model.D):
        loss = losses.bce_logits(model.D(model.G(tg.tensor(np.eye(2, dtype=np.float32)))), 1.0)
        model.opt_G.step(tg.grad(loss, model.G.parameters()))


def slope_of(loss, score):
    """The gradient of a GAN's loss by the score of a fake."""
    s = t(score)
    return tg.grad(losses.GAN_LOSSES[loss].G(s), s).numpy().tolist()


def resumed_gan():
    """A GAN that goes on from a state learns what the first does."""
    a, b = gan(), gan()
    x = X / 6
    a.train_step(x)
    b.load_state_dict(a.state_dict())
    for name, generator in b.generators().items():
        generator.state = a.generators()[name].state
    a.train_step(x), b.train_step(x)
    mine, theirs = a.state_dict(), b.state_dict()
    return all(np.array_equal(mine[k], theirs[k]) for k in mine)


def averaged(steps):
    """The mean that EMA keeps of a weight that goes 1, 2, 3, ..."""
    model = layers.Sequential(layers.Dense(1, 1, bias=False))
    model.name = "model"
    model[0].w.assign(0.0)
    ema = EMA(0.5)
    ema.on_start(model, None, 0)
    for step in range(1, steps + 1):
        model[0].w.assign(float(step))
        ema.on_step(step, {})
    return float(next(iter(ema.state_dict().values())).ravel()[0])


def ema_by_hand(steps, mean):
    for n in range(1, steps + 1):
        d = min(0.5, (1 + n) / (10 + n))
        mean = d * mean + (1 - d) * n
    return mean


def spread():
    """The standard deviation of z for logvar = 2: e, not e²."""
    vae = models.VAE(models.VAE.Config(data_shape=(2,), hidden=(4,), latent_dim=1))
    n = np.zeros((20_000, 1), np.float32)
    z = vae.reparameterise(tg.tensor(n), tg.tensor(n + 2), tg.Generator(0)).numpy()
    return bool(abs(z.std() - math.e) < 0.1)


def frozen_discriminator():
    """G's step leaves no gradient in D, and D learns again after it."""
    model = gan()
    learn_G(model)
    return [all(q.grad is None for q in model.D.parameters()), all(q.requires_grad for q in model.D.parameters())]


def hooked():
    """A hook on a tensor that two ops use is called once, with the sum."""
    x, seen = t(2.0), []
    y = x * 1
    y.register_hook(lambda g: seen.append(float(g.numpy()[0])))
    (y * 3 + y * 4).sum().backward()
    return seen


def unpickled():
    layer = pickle.loads(pickle.dumps(layers.Dense(2, 3)))
    w, b = layer.parameters()
    return w.shape, b.shape, w.requires_grad and b.requires_grad


def copied():
    """How far the copy of an optimiser moves the weights of the copy, and the first ones."""
    net = layers.Dense(1, 1, bias=False)
    before = net.w.numpy().copy()
    other, its = copy.deepcopy((net, optim.SGD(net.parameters(), lr=1.0)))
    its.step([np.ones((1, 1), np.float32)])
    return [(w.numpy() - before).item() for w in (other.w, net.w)]


def no_grad_nests():
    x = t(1.0)

    @tg.no_grad()
    def square(x):
        return x * x

    with tg.no_grad():
        square(x)
        inside = (x * x).requires_grad
    return [inside, square(x).requires_grad, (x * x).requires_grad]


def no_grad_generator():
    """Between its values a generator leaves the tape as it was."""
    x = t(1.0)

    @tg.no_grad()
    def squares():
        yield x * x
        yield x * x

    values = squares()
    return [next(values).requires_grad, (x * x).requires_grad, next(values).requires_grad]
