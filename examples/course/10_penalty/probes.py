"""How a check calls the file of piece 10: small networks with given weights, penalties and their gradients."""

import numpy as np

import tinygen as tg


class Noise:
    """Hands out numbers between 0 and 1 that were drawn before, in order."""

    def __init__(self, numbers):
        self.numbers, self.used = numbers, 0

    def uniform(self, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.used += (size := int(np.prod(shape)))
        return self.numbers[self.used - size : self.used].reshape(shape).copy()


class Network(tg.Module):
    """D: dense layers with these weights, [w, b, w, b, ...], and tanh between them, of all numbers of an example."""

    def __init__(self, weights):
        self.layers = tg.layers.ModuleList([tg.layers.Dense(*w.shape, dtype=np.float64) for w in weights[::2]])
        for p, w in zip(self.parameters(), weights):
            p.assign(w)

    def forward(self, x):
        first, *more = self.layers
        x = first(tg.ops.reshape(x, (x.shape[0], -1)))
        for layer in more:
            x = layer(tg.ops.tanh(x))
        return x


def array(answer):
    """The numbers of a Tensor, or its only one."""
    if not isinstance(answer, tg.Tensor):
        return answer
    return answer.numpy().copy() if answer.ndim else answer.item()


def interpolated(piece, x, fake, numbers):
    return array(piece.interpolate(x, fake, Noise(numbers)))


def slope(piece, D, x):
    """gx alone."""
    return array(piece.input_gradient(Network(D), x))


def slope_of_slope(piece, D, x, v):
    """The gradients of D's weights, of a sum of gx times v."""
    network = Network(D)
    gx = piece.input_gradient(network, x)
    weights = network.parameters()[:-1]  # the last bias moves no slope
    return [array(g) for g in tg.grad((gx * v).sum(), weights, unused="zeros")]


def penalised(piece, name, gx, strength):
    """A penalty, and its gradient by gx."""
    gx = tg.tensor(gx, requires_grad=True)
    with np.errstate(all="ignore"):
        penalty = getattr(piece, name)(gx, strength)
        return {"penalty": array(penalty), "its gradient": array(tg.grad(penalty, gx))}


def loss(piece, name, D, x, fake, strength, points, v, numbers):
    """A loss and its gradients by D's weights. Other functions stand in for those of parts 1 to 4: x̂ is what the check
    has drawn, gx is made of x and one weight of D, and a penalty is linear in gx."""

    def interpolate(x, fake, noise):
        return points

    def input_gradient(D, x):
        return (D.parameters()[0].sum() + 2) * tg.tensor(np.asarray(array(x)) ** 3)

    def gradient_penalty(gx, lam):
        return lam * (gx * v).sum()

    def r1_penalty(gx, gamma):
        return gamma * (gx * v).mean()

    own = dict(vars(piece))
    for stand_in in (interpolate, input_gradient, gradient_penalty, r1_penalty):
        setattr(piece, stand_in.__name__, stand_in)
    try:
        network = Network(D)
        more = [Noise(numbers)] if name == "critic_loss" else []
        value = getattr(piece, name)(network, x, fake, *more, strength)
        weights = network.parameters()[:-1]  # the last bias moves no critic's loss
        gradients = tg.grad(value, weights, unused="zeros")
    finally:
        vars(piece).update(own)
    return {"loss": array(value), "its gradients": [array(g) for g in gradients]}
