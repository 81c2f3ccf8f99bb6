"""Losses. Each is the mean over all elements, or over the batch where it says so, as a 0-d Tensor.

`reduction`, where there is one: "mean", "sum", or "none" for the loss of each element. A target is a number, or has
the shape of the input or one that broadcasts to it. Other shapes raise ValueError, inputs that are lists or integers
TypeError. A target's values are checked on the CPU alone: a GPU isn't waited for.
The mean over an empty batch is NaN, the sum 0, as in PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..backend import array_module, array_of
from ..checks import check_array, check_indices, number, type_of
from ..tensor import Tensor


def _check(loss: str, x: Any, target: Any, reduction: str, allowed: tuple[float, float] | None = None) -> None:
    """Raise TypeError or ValueError if x and target can't be compared; allowed: the least and the largest target."""
    check_floats(loss, x)
    shape = getattr(target, "shape", None)
    kind = getattr(getattr(target, "dtype", None), "kind", "f")
    if (shape is None and not isinstance(target, (int, float))) or kind not in "fiub":
        raise TypeError(f"{loss}: the target is {type_of(target)}, but it must be a Tensor, an array or a number")
    if shape and shape != x.shape:
        try:
            stretched = np.broadcast_shapes(shape, x.shape)
        except ValueError:
            raise ValueError(f"{loss}: a target {shape} can't be compared with {x.shape}; give it that shape") from None
        if stretched != x.shape:  # (N, 1) against (N,) would make (N, N), and learn nonsense
            raise ValueError(
                f"{loss}: the target stretches a loss of shape {x.shape} to {stretched}; give it the first shape"
            )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{loss}: reduction is {reduction!r}, but it must be "mean", "sum" or "none"')
    if allowed is not None:
        _check_range(loss, "the target", target, *allowed)


def check_floats(loss: str, *xs: Any) -> None:
    for x in xs:
        check_array(loss, x, "the input")
        if x.dtype.kind != "f":
            raise TypeError(f"{loss}: the input must be floats, but they are {x.dtype}")


def _check_range(loss: str, name: str, x: Any, low: float, high: float) -> None:
    """Raise ValueError for a number, or an array on the CPU, beyond the limits. NaN passes."""
    x = array_of(x)
    if isinstance(x, np.ndarray):
        low_x, high_x = (x.min(), x.max()) if x.size else (low, high)
    else:
        low_x, high_x = (x, x) if array_module(x) is np else (low, high)
    if low_x < low or high_x > high:
        raise ValueError(f"{loss}: {name} goes from {low_x:g} to {high_x:g}, but it must be from {low:g} to {high:g}")


def _reduce(loss: Any, reduction: str) -> Tensor:
    return loss if reduction == "none" else ops.mean(loss) if reduction == "mean" else ops.sum(loss)


def bce_logits(logits: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Binary cross entropy of p = σ(logits): -t log p - (1 - t) log(1 - p), without overflow for any logit.

    target: in [0, 1].

    >>> tg.losses.bce_logits(tg.tensor([0.0, 1000.0]), 1.0, "none").numpy().round(3)
    array([0.693, 0.   ], dtype=float32)
    """
    _check("bce_logits", logits, target, reduction, (0, 1))
    return _reduce(ops.sigmoid_cross_entropy(logits, target), reduction)


def bce(p: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Binary cross entropy of probabilities: -t log p - (1 - t) log(1 - p), with p and t in [0, 1].

    p is kept the machine's epsilon away from 0 and 1, as in Keras, so that the loss stays finite; there its gradient is
    0. So for a network that ends in a sigmoid, leave the sigmoid out and use bce_logits.

    >>> round(tg.losses.bce(tg.tensor([0.5]), 1.0).item(), 3)
    0.693
    """
    _check("bce", p, target, reduction, (0, 1))
    _check_range("bce", "p", p, 0, 1)
    edge = float(np.finfo(p.dtype).eps)
    p = ops.clip(p, edge, 1 - edge)
    return _reduce(-(target * ops.log(p) + (1 - target) * ops.log(1 - p)), reduction)


def cross_entropy(
    logits: Any,
    labels: Any,
    reduction: str = "mean",
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(logits)[label] for logits (N, classes) and integer labels (N,); reduced over the batch.

    weight: (classes,), a factor of each class's logarithm; the mean is then Σ loss / Σ weight[label], as in PyTorch.
    ignore_index: a label whose examples count neither in a sum nor in a mean.  label_smoothing ε: the label stands for
    1 - ε of an example, and each class for ε / classes of it (Szegedy et al. 2016, section 7).
    A label outside 0 to classes - 1, -1 included, raises IndexError on the CPU; on a GPU its loss is NaN.

    >>> logits = tg.tensor([[0.0, 0.0], [1000.0, 1000.0]])
    >>> tg.losses.cross_entropy(logits, np.array([0, 1]), "none").numpy().round(3)
    array([0.693, 0.693], dtype=float32)
    """
    name = "cross_entropy"
    check_array(name, labels, "labels")
    check_floats(name, logits)
    if logits.ndim != 2 or not logits.shape[1] or labels.shape != logits.shape[:1]:
        raise ValueError(f"{name}: expected logits (N, classes) and labels (N,), got {logits.shape} and {labels.shape}")
    smoothing = number(name, "label_smoothing", label_smoothing, 0, 1)
    ignored = _equal_to(ignore_index, labels)
    labels = labels if ignored is None else ops.where(ignored, 0, labels)
    labels, outside = check_indices(name, labels, logits.shape[1], "labels")
    _check(name, logits, 0.0, reduction)
    logp, weight = ops.log_softmax(logits), _of_classes(weight, logits)
    if weight is not None:
        logp = logp * weight
    each = -ops.getitem(logp, (array_module(logits).arange(logits.shape[0]), labels))
    if smoothing:
        each = each * (1 - smoothing) - ops.mean(logp, 1) * smoothing
    if outside is not None:
        each = ops.where(outside, math.nan, each)
    if ignored is not None:
        each = ops.where(ignored, 0.0, each)
    if reduction != "mean" or (weight is None and ignored is None):
        return _reduce(each, reduction)
    shares = 1.0 if weight is None else ops.getitem(weight, labels)
    total = ops.sum(shares if ignored is None else ops.astype(ops.where(ignored, 0.0, shares), logits.dtype))
    return ops.sum(each) / ops.where(ops.equal(total, 0), math.nan, total)


def _equal_to(ignore_index: Any, labels: Any) -> Any:
    """Where labels are ignore_index; None if that is None, or if they are no integers, which others refuse."""
    if ignore_index is None or labels.dtype.kind not in "iu":
        return None
    if not isinstance(ignore_index, (int, np.integer)) or isinstance(ignore_index, bool):
        raise TypeError(f"cross_entropy: ignore_index is {ignore_index!r}, but it must be an int, or None")
    return ops.equal(labels, ignore_index)


def _of_classes(weight: Any, logits: Any) -> Any:
    """The weights of the classes in the logits' dtype, or None. Raises TypeError or ValueError if they do not fit."""
    if weight is None:
        return None
    check_array("cross_entropy", weight, "weight")
    if weight.shape != logits.shape[1:]:
        raise ValueError(f"cross_entropy: weight is {weight.shape}, but logits {logits.shape} take one for each class")
    return ops.astype(weight, logits.dtype)


def mse(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(x - target)².

    >>> tg.losses.mse(tg.tensor([1.0, 3.0]), 0.0)
    Tensor(5., dtype=float32)
    """
    _check("mse", x, target, reduction)
    return _reduce(ops.power(x - target, 2), reduction)


def l1(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """|x - target|.

    >>> tg.losses.l1(tg.tensor([1.0, 3.0]), 0.0)
    Tensor(2., dtype=float32)
    """
    _check("l1", x, target, reduction)
    return _reduce(ops.abs(x - target), reduction)


def hinge(score: Any, target: Any, reduction: str = "mean") -> Tensor:
    """max(0, 1 - target · score), with targets -1 and 1.

    >>> tg.losses.hinge(tg.tensor([2.0, 0.0, -2.0]), 1.0, "none")
    Tensor([0., 1., 3.], dtype=float32)
    """
    _check("hinge", score, target, reduction)
    signs = array_of(target)
    if array_module(signs) is np and not np.all(np.abs(signs) == 1):
        raise ValueError("hinge: the targets must be -1 or 1, but some are not; turn labels 0 and 1 into 2 · label - 1")
    return _reduce(ops.relu(1 - target * score), reduction)


def gaussian_kl(mu: Any, logvar: Any) -> Tensor:
    """KL(N(mu, e^logvar) ‖ N(0, 1)), sum over the latents, mean over the batch. mu, logvar: (N, latents).

    Raises ValueError for other shapes.

    >>> tg.losses.gaussian_kl(tg.tensor([[0.0, 1.0]]), tg.tensor([[0.0, 0.0]]))
    Tensor(0.5, dtype=float32)
    """
    return ops.sum(gaussian_kls(mu, logvar))


def gaussian_kls(mu: Any, logvar: Any) -> Tensor:
    """gaussian_kl of each latent, (latents,): ½ (mu² + e^logvar - 1 - logvar), mean over the batch.

    Kingma and Welling 2013, appendix B.

    >>> tg.losses.gaussian_kls(tg.tensor([[0.0, 1.0]]), tg.tensor([[0.0, 0.0]]))
    Tensor([0. , 0.5], dtype=float32)
    """
    check_floats("gaussian_kl", mu, logvar)
    if mu.ndim != 2 or mu.shape != logvar.shape:
        raise ValueError(f"gaussian_kl: mu is {mu.shape} and logvar {logvar.shape}, but both must be (N, latents)")
    return ops.mean(mu * mu + ops.exp(logvar) - 1 - logvar, 0) * 0.5
