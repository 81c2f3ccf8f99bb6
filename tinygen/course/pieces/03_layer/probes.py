"""How a check calls the file of piece 3."""

import numpy as np


def dense(layer, x, w, b):
    """The result of a dense layer."""
    return layer.dense(x, w, b)


def dense_gradients(layer, gy, x, w):
    """Its three gradients by name."""
    three = layer.dense_gradients(gy, x, w)
    return dict(zip(("gx", "gw", "gb"), three)) if isinstance(three, tuple | list) and len(three) == 3 else three


def activation(layer, x):
    """The student's own activation."""
    with np.errstate(all="ignore"):
        return layer.activation(x)


def activation_gradient(layer, gy, x):
    """The gradient of the student's own activation."""
    with np.errstate(all="ignore"):
        return layer.activation_gradient(gy, x)


def log_softmax(layer, logits):
    """The logarithms of the probabilities."""
    with np.errstate(all="ignore"):
        return layer.log_softmax(logits)


def cross_entropy(layer, logp, labels):
    """The loss."""
    return layer.cross_entropy(logp, labels)


def cross_entropy_gradient(layer, logp, labels):
    """The gradient of the logits."""
    return layer.cross_entropy_gradient(logp, labels)
