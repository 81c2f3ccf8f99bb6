"""What comes between layers, element by element: activations, erf, dropout, the cross entropy of a sigmoid.

At a kink (relu at 0) the rules give the slope from the left, as PyTorch does; the second derivative there is 0.
"""

from __future__ import annotations

import math
from typing import Any

from .. import kernels
from ..backend import Array, array_module
from ..primitives import elementwise
from ..rules import flat
from .comparisons import greater, less, less_equal
from .elementwise import clip, exp, floats, where


@elementwise
def tanh(x: Any) -> Array:
    """tanh x = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ).

    >>> tg.ops.tanh([0.0, 1.0]).round(3)
    array([0.   , 0.762], dtype=float32)
    """
    return array_module(x).tanh(floats(x))


@elementwise
def sigmoid(x: Any) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), without overflow for any x.

    >>> tg.ops.sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return kernels.sigmoid(floats(x))


@elementwise
def softplus(x: Any) -> Array:
    """log(1 + eˣ) = max(x, 0) + log(1 + exp(-|x|)), without overflow for any x.

    >>> tg.ops.softplus([-1000.0, 0.0]).round(3)
    array([0.   , 0.693], dtype=float32)
    """
    xp, x = array_module(x), floats(x)
    return xp.maximum(x, 0) + kernels.log1p_to_1(xp.exp(-xp.abs(x)))


@elementwise
def relu(x: Any) -> Array:
    """max(x, 0).

    >>> x = tg.tensor([-1.0, 2.0], requires_grad=True)
    >>> tg.ops.relu(x).detach(), tg.grad(tg.ops.relu(x).sum(), x)
    (Tensor([0., 2.], dtype=float32), Tensor([0., 1.], dtype=float32))
    """
    return array_module(x).maximum(x, 0)


@elementwise
def leaky_relu(x: Any, slope: float = 0.2) -> Array:
    """x where x > 0, slope · x elsewhere. slope: from 0 up to 1 (ValueError otherwise).

    >>> tg.ops.leaky_relu([-1.0, 2.0], 0.2)
    array([-0.2,  2. ], dtype=float32)
    """
    if not 0 <= slope <= 1:
        raise ValueError(f"leaky_relu: slope is {slope}, but it must be from 0 to 1")
    return kernels.leaky_relu(x, slope)


@elementwise
def prelu(x: Any, slope: Any) -> Array:
    """x where x > 0, slope · x elsewhere, where the slope is learnt: He et al. 2015, eq. 1. (C,): one a channel.

    >>> tg.ops.prelu([-4.0, 4.0], slope=0.25)
    array([-1.,  4.], dtype=float32)
    """
    return array_module(x).where(array_module(x).greater(x, 0), x, x * slope)


@elementwise
def elu(x: Any, alpha: float = 1.0) -> Array:
    """x where x > 0, alpha · (eˣ - 1) elsewhere (Clevert et al. 2015, eq. 15). alpha: at least 0 (or ValueError).

    >>> tg.ops.elu([-1.0, 2.0]).round(3)
    array([-0.632,  2.   ], dtype=float32)
    """
    if alpha < 0:
        raise ValueError(f"elu: alpha is {alpha}, but it must be at least 0")
    xp, x = array_module(x), floats(x)
    return xp.where(xp.greater(x, 0), x, alpha * xp.expm1(xp.minimum(x, 0)))


@elementwise
def silu(x: Any) -> Array:
    """x · σ(x), also called swish: Elfwing et al. 2018, eq. 9.

    >>> tg.ops.silu([-1.0, 10.0]).round(3)
    array([-0.269, 10.   ], dtype=float32)
    """
    x = floats(x)
    return x * kernels.sigmoid(x)


@elementwise
def gelu(x: Any, approximate: bool = False) -> Array:
    """x · Φ(x), where Φ(x) = ½ erfc(-x / √2) is the probability of N(0, 1) below x: Hendrycks and Gimpel 2016.

    approximate: their formula with tanh instead, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).

    >>> x = np.array([-1.0, 10.0])
    >>> tg.ops.gelu(x).round(4), tg.ops.gelu(x, approximate=True).round(4)
    (array([-0.1587, 10.    ]), array([-0.1588, 10.    ]))
    """
    x = _as_array(x)
    z = kernels.wide(x)
    below = kernels.sigmoid(_logit(z.clip(-50, 50))) if approximate else 0.5 * kernels.erfc(z * -math.sqrt(0.5))
    return kernels.narrow(z * below, x)


def _logit(x: Any) -> Any:
    """u, for which σ(u) = ½ (1 + tanh(u / 2)) is nearly Φ(x)."""
    return x * (_STEEP + _STEEP * 0.044715 * x * x)


_STEEP = math.sqrt(8 / math.pi)


@elementwise
def _leaky_relu_grad(gy: Any, y: Any, slope: float) -> Array:
    """gy where y > 0, slope · gy elsewhere."""
    return kernels.leaky_relu_grad(gy, y, slope)


tanh.rules(lambda gy, y, x: gy * (1 - y * y))
tanh.fused(lambda gy, y, x: (kernels.tanh_grad(gy, y),))
sigmoid.rules(lambda gy, y, x: gy * y * sigmoid(-x))  # 1 - y has no digits left where x is large
softplus.rules(lambda gy, y, x: gy * sigmoid(x))
silu.rules(lambda gy, y, x: gy * sigmoid(x) * (1 + x * sigmoid(-x)))
gelu.rules(lambda gy, y, x, approximate: gy * _gelu_slope(x, approximate))
relu.rules(lambda gy, y, x: _leaky_relu_grad(gy, y, 0.0))  # y > 0 where x > 0, and y is kept by the next op anyway
leaky_relu.rules(lambda gy, y, x, slope: _leaky_relu_grad(gy, y, slope))
_leaky_relu_grad.rules(lambda ggx, gx, gy, y, slope: _leaky_relu_grad(ggx, y, slope), flat)
prelu.rules(
    lambda gy, y, x, slope: where(greater(x, 0), gy, gy * slope),
    lambda gy, y, x, slope: where(greater(x, 0), 0.0, gy * x),
)
elu.rules(lambda gy, y, x, alpha: where(less_equal(x, 0), gy * alpha * exp(where(less(x, 0), x, 0.0)), gy))


def _gelu_slope(x: Any, approximate: bool) -> Any:
    """Φ(x) + x · φ(x), with the density φ of N(0, 1); 0 or 1 to the last digit from ±50 on."""
    x = clip(x, -50, 50)
    if approximate:
        u = _logit(x)
        return sigmoid(u) * (1 + x * sigmoid(-u) * (_STEEP + 3 * _STEEP * 0.044715 * x * x))
    return 0.5 * erfc(x * -math.sqrt(0.5)) + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))


# The error function


@elementwise
def erf(x: Any) -> Array:
    """2/√π ∫ exp(-t²) dt from 0 to x.

    >>> tg.ops.erf([0.0, 1.0]).round(3)
    array([0.   , 0.843], dtype=float32)
    """
    return kernels.erf(floats(_as_array(x)))


@elementwise
def erfc(x: Any) -> Array:
    """1 - erf x, exact where that is small.

    >>> x = np.array([1.0, 10.0])
    >>> tg.ops.erfc(x), 1 - tg.ops.erf(x)
    (array([1.57299207e-01, 2.08848758e-45]), array([0.15729921, 0.        ]))
    """
    return kernels.erfc(floats(_as_array(x)))


def _as_array(x: Any) -> Array:
    """x itself, or an array of one number."""
    return array_module(x).asarray(x)


erf.rules(lambda gy, y, x: gy * _bell(x))
erfc.rules(lambda gy, y, x: -gy * _bell(x))


def _bell(x: Any) -> Any:
    """2/√π exp(-x²), which is 0 from ±30 on."""
    x = clip(x, -30, 30)
    return exp(-x * x) * (2 / math.sqrt(math.pi))


# Dropout


@elementwise
def dropout(x: Any, kept: Any, scale: float) -> Array:
    """scale · x where kept (booleans, of x's shape), 0 elsewhere. Raises TypeError if kept is not boolean.

    >>> tg.ops.dropout([1.0, 2.0], kept=np.array([True, False]), scale=2.0)
    array([2., 0.], dtype=float32)
    """
    if kept.dtype.kind != "b":
        raise TypeError(f"dropout: kept must be booleans, but they are {kept.dtype}; give kept > 0, or multiply")
    return kernels.dropout(floats(x), kept, scale)


dropout.rules(lambda gy, y, x, kept, scale: dropout(gy, kept, scale))


# Cross entropy


@elementwise
def sigmoid_cross_entropy(x: Any, t: Any) -> Array:
    """-t log σ(x) - (1 - t) log(1 - σ(x)) = max(x, 0) - x · t + log(1 + exp(-|x|)), without overflow for any x.

    >>> tg.ops.sigmoid_cross_entropy([0.0, 1000.0], 1.0).round(3)
    array([0.693, 0.   ], dtype=float32)
    """
    return kernels.sigmoid_cross_entropy(floats(x), t)


@elementwise
def _sigmoid_cross_entropy_grad(gy: Any, x: Any, t: Any) -> Array:
    """gy · (σ(x) - t)."""
    return kernels.sigmoid_cross_entropy_grad(gy, x, t)


sigmoid_cross_entropy.rules(
    lambda gy, y, x, t: _sigmoid_cross_entropy_grad(gy, x, t),
    lambda gy, y, x, t: -gy * x,
)
_sigmoid_cross_entropy_grad.rules(
    lambda ggx, gx, gy, x, t: _sigmoid_cross_entropy_grad(ggx, x, t),
    lambda ggx, gx, gy, x, t: ggx * gy * sigmoid(x) * sigmoid(-x),
    lambda ggx, gx, gy, x, t: -ggx * gy,
)
