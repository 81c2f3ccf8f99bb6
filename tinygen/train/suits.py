"""Whether examples suit a model: their kind, their shape and their range; and if they don't, what to do about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..backend import Array
from ..errors import DataError

if TYPE_CHECKING:
    from ..models.base import Model

UNIT_ENDS = (0.05, 0.95)  # data in [0, 1] have values below the first and above the second
TOLERANCE = 1e-3  # of the length of a range: how far rounding may lead out of it


def check_examples(x: Array, model: Model, scaled: bool, what: str = "the data") -> None:
    """Raise DataError unless x (N, ...) is what a model takes: floats in its value_range, of its data_shape.

    scaled: whether uint8 will be scaled to value_range, as a Loader does.  This waits for the GPU.
    """
    kind = f"fit: {what} are {x.dtype} of shape {tuple(x.shape)}"
    if x.ndim == 0 or len(x) == 0:
        raise DataError(f"{kind}, which holds no examples")
    _check_shape(x, model, kind)
    if x.dtype == np.uint8 and model.value_range is not None:
        if not scaled:
            advice = _scaling((0, 255), model.value_range)
            raise DataError(
                f"{kind}, but batches must be floats {_between(model.value_range)}; give an array or a Loader, which "
                f"scale images, or x.astype(np.float32){advice}"
            )
    elif x.dtype.kind != "f":
        raise DataError(f"{kind}, but {model.name} takes floats: x.astype(np.float32){_unequal(x)}")
    else:
        _check_range(x, model, kind)


def _check_shape(x: Array, model: Model, kind: str) -> None:
    wanted, shape = getattr(model.config, "data_shape", None), tuple(x.shape[1:])
    if wanted is None or shape == tuple(wanted):
        return
    wanted = tuple(wanted)
    if (*shape, 1) == wanted:
        advice = "add an axis for the channel, x[..., np.newaxis]"
    elif len(shape) == len(wanted) == 3 and (shape[1], shape[2], shape[0]) == wanted:
        advice = "images are NHWC, x.transpose(0, 2, 3, 1) makes them of NCHW"
    elif tuple(x.shape) == wanted:
        advice = "each of them seems to be an example, but a list is taken as one of batches; give np.stack(data)"
    elif math.prod(shape) == math.prod(wanted):
        advice = f"x.reshape(-1, {', '.join(map(str, wanted))}) if the numbers are in that order"
    else:
        advice = f"build it for these, with {type(model.config).__name__}(data_shape={shape}), or give others"
    raise DataError(f"{kind}, so an example is {shape}, but {model.name} takes {wanted}; {advice}")


def _check_range(x: Array, model: Model, kind: str) -> None:
    least, most = float(x.min()), float(x.max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise DataError(f"{kind} and hold NaN or infinite values; leave those examples out, or mend them")
    if model.value_range is None:
        return
    low, high = model.value_range
    room = TOLERANCE * (high - low)
    from_0_to_1 = low < 0 <= least < UNIT_ENDS[0] and UNIT_ENDS[1] < most <= 1  # with the lower half unused
    if low - room <= least and most <= high + room and not from_0_to_1:
        return
    known = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]
    source = next(((a, b) for a, b in known if a <= least and most <= b), (least, most))
    raise DataError(
        f"{kind} with values from {least:g} to {most:g}, but {model.name} takes them {_between(model.value_range)}; "
        f"scale them, x{_scaling(source, model.value_range)}"
    )


def _between(value_range: tuple[float, float]) -> str:
    return f"from {value_range[0]:g} to {value_range[1]:g}"


def _scaling(source: tuple[float, float], target: tuple[float, float]) -> str:
    """What to write behind x to bring it from one range to another: " / 127.5 - 1"."""
    (a, b), (low, high) = source, target
    factor = (high - low) / (b - a) if b > a else 1.0
    shift = low - factor * a
    times = "" if factor == 1 else f" * {factor:g}" if factor > 1 else f" / {1 / factor:g}"
    return times + ("" if shift == 0 else f" {'+' if shift > 0 else '-'} {abs(shift):g}")


def _unequal(x: Array) -> str:
    return ", of arrays of one shape" if x.dtype == object else ""
