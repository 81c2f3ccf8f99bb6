"""How a check calls the file of piece 8: arrays in, the terms of the loss and their gradients out."""

import numpy as np


class Noise:
    """Hands out numbers that were drawn before, in order."""

    def __init__(self, numbers):
        self.numbers, self.used = numbers, 0

    def normal(self, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = int(np.prod(shape))
        if self.used + size > self.numbers.size:
            raise ValueError(f"more noise was asked for than a number for each of z: the last shape was {shape}")
        self.used += size
        return self.numbers[self.used - size : self.used].reshape(shape).copy()


def number(term):
    """A NumPy number as Python's."""
    return term.item() if isinstance(term, np.generic | np.ndarray) and term.ndim == 0 else term


def sample(vae, mu, logvar, numbers):
    z, eps = vae.reparameterise(mu, logvar, Noise(numbers))
    return {"z": z, "eps": eps}


def kl(vae, mu, logvar):
    return number(vae.kl(mu, logvar))


def reconstruction(vae, x, y):
    return number(vae.reconstruction(x, y))


def reconstruction_backward(vae, x, y):
    return vae.reconstruction_backward(x, y)


def backward(vae, gz, mu, logvar, eps, beta):
    gmu, glogvar = vae.backward(gz, mu, logvar, eps, beta)
    return {"gmu": gmu, "glogvar": glogvar}
