"""How a check calls the file of piece 9: small networks with given weights, and where a step has moved them."""

from types import SimpleNamespace

import numpy as np

import tinygen as tg


class Noise:
    """Hands out numbers that were drawn before, in order."""

    def __init__(self, numbers):
        self.numbers, self.used = numbers, 0

    def normal(self, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.used += (size := int(np.prod(shape)))
        return self.numbers[self.used - size : self.used].reshape(shape).copy()


def network(weights):
    """Dense layers with these weights, [w, b, w, b, ...], and tanh between them."""
    layers = []
    for w, b in zip(weights[::2], weights[1::2]):
        layers += [tg.layers.Tanh()] if layers else []
        layers.append(tg.layers.Dense(*w.shape, dtype=np.float64))
        layers[-1].w.assign(w)
        layers[-1].b.assign(b)
    return tg.layers.Sequential(*layers)


def gan_of(G, D, adam=False):
    """A gan of networks with these weights, and of their optimisers."""
    G, D = network(G), network(D)
    if adam:
        optimizers = [tg.optim.Adam(net.parameters(), 0.05, betas=(0.5, 0.999)) for net in (G, D)]
    else:
        optimizers = [tg.optim.SGD(net.parameters(), 0.5) for net in (G, D)]
    return SimpleNamespace(G=G, D=D, opt_G=optimizers[0], opt_D=optimizers[1])


def weights(net):
    return [p.numpy().copy() for p in net.parameters()]


def number(loss):
    """A loss that may be a Tensor."""
    return loss.item() if isinstance(loss, tg.Tensor) else loss


def steps_of_D(piece, G, D, x, z, adam=False, old=()):
    """The losses, and D's weights after a step for each x and z; old: gradients that lie on D at first."""
    gan = gan_of(G, D, adam)
    for p, g in zip(gan.D.parameters(), old):
        p.grad = tg.tensor(g)
    losses = [number(piece.step_D(gan, real, noise)) for real, noise in zip(x, z)]
    return {"losses": losses, "weights": weights(gan.D)}


def steps_of_G(piece, G, D, z, adam=False):
    """The losses, and G's weights after a step for each z."""
    gan = gan_of(G, D, adam)
    losses = [number(piece.step_G(gan, noise)) for noise in z]
    return {"losses": losses, "weights": weights(gan.G)}


def what_D_moves(piece, G, D, x, z):
    """Whether D has moved in its step, and what has become of G."""
    gan = gan_of(G, D)
    piece.step_D(gan, x, z)
    left = [p for p in gan.G.parameters() if p.grad is not None and np.any(p.grad.numpy())]
    return {"D has moved": moved(gan.D, D), "G has moved": moved(gan.G, G), "gradients left on G": len(left)}


def what_G_moves(piece, G, D, z):
    """Whether G has moved in its step, and whether D has."""
    gan = gan_of(G, D)
    piece.step_G(gan, z)
    return {"G has moved": moved(gan.G, G), "D has moved": moved(gan.D, D)}


def moved(net, before):
    return any(not np.array_equal(w, old) for w, old in zip(weights(net), before))


def whole(piece, batches, numbers):
    """The steps that train_step takes, in order, each with what it gets; and the losses that it returns. Other steps
    stand in for step_D and step_G: the loss of the n-th is n."""
    taken = []

    def step_D(gan, x, z):
        taken.append({"step": "D", "x": np.asarray(x), "z": np.asarray(z)})
        return float(len(taken))

    def step_G(gan, z):
        taken.append({"step": "G", "z": np.asarray(z)})
        return float(len(taken))

    own = piece.step_D, piece.step_G
    piece.step_D, piece.step_G = step_D, step_G
    try:
        losses = piece.train_step(SimpleNamespace(), batches, Noise(numbers))
    finally:
        piece.step_D, piece.step_G = own
    return {"steps": taken, "losses": [number(loss) for loss in losses]}
