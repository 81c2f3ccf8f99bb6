"""Whether examples suit a model in dtype, shape and range, and if they don't, what to do about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array
from ..checks import takes
from ..data.examples import are_tokens, between, check_tokens, range_misfit, scaling
from ..errors import ConfigError, DataError
from ..layers import Module
from ..models.probe import undisturbed

if TYPE_CHECKING:
    from ..models.base import Model


def check_examples(x: Array, model: Model, scaled: bool, what: str = "the data") -> None:
    """Raise DataError unless x (N, ...) is what a model takes: floats in its value_range, of its data_shape; or tokens
    of its vocabulary.

    scaled: whether uint8 will be scaled to value_range, as a Loader does.  This waits for the GPU.
    """
    kind = f"fit: {what} are {x.dtype} of shape {tuple(x.shape)}"
    if x.ndim == 0 or len(x) == 0:
        raise DataError(f"{kind}, which holds no examples")
    check_kind(x, model, kind)
    _check_shape(x, model, kind)
    if model.vocabulary is not None:
        check_tokens("fit", what, x, model.vocabulary)
    elif x.dtype == np.uint8 and model.value_range is not None:
        if not scaled:
            advice = scaling((0, 255), model.value_range)
            raise DataError(
                f"{kind}, but batches must be floats {between(model.value_range)}; give an array or a Loader, which "
                f"scale images, or x.astype(np.float32){advice}"
            )
    elif x.dtype.kind != "f":
        raise DataError(f"{kind}, but {model.name} takes floats: x.astype(np.float32){_unequal(x)}")
    else:
        _check_range(x, model, kind)


def check_kind(x: Array, model: Model, kind: str) -> None:
    """Raise DataError for tokens if the model takes floats, and for floats if it takes tokens. kind: what x is."""
    if model.vocabulary is None and are_tokens(x):
        raise DataError(
            f"{kind}, but {model.name} takes floats: x.astype(np.float32); or, if these are the words of sentences, "
            "train a model that takes tokens, such as textgan"
        )
    if model.vocabulary is not None and not are_tokens(x):
        raise DataError(
            f"{kind}, but {model.name} takes sentences: signed integers (N, L), places in a vocabulary, such as "
            'tinygen.data.load("grammar")'
        )


def check_steps(model: Model, batch: Any) -> None:
    """Raise ConfigError if the steps that a model declares contradict themselves: what an optimiser moves must be among
    the networks that learn and not among the frozen ones, and steps of one name must be the same step."""
    if not model.has("steps"):
        return
    with undisturbed(model):
        steps = model.list_steps(batch)
    known = dict[str, set[int]]()
    for step in steps:
        moved = {id(p) for p in step.optimizer.params}
        name = f"{model.name}: step {step.name!r}"
        for option, function in (("loss", step.loss), ("then", step.then)):
            if not takes(function, 0):
                raise ConfigError(f"{name}: {option} must be a function that takes no arguments; see partial()")
        if frozen := [key for key, network in step.frozen.items() if moved & _parameters(network)]:
            raise ConfigError(
                f"{name}: its optimizer moves {frozen[0]!r}, which is frozen; leave it out of frozen, or out of the "
                "optimizer"
            )
        if moved - set().union(*map(_parameters, step.learns.values())):
            raise ConfigError(
                f"{name}: its optimizer moves parameters that are not those of {', '.join(step.learns) or 'learns'}; "
                "name in learns all networks that learn"
            )
        if known.setdefault(step.name, moved) != moved:
            raise ConfigError(f"{name} is there twice, for different networks; give each step a name of its own")


def _parameters(network: Module) -> set[int]:
    return {id(p) for p in network.parameters()}


def _check_shape(x: Array, model: Model, kind: str) -> None:
    wanted, shape = model.data_shape, tuple(x.shape[1:])
    if wanted is None or shape == wanted:
        return
    if (*shape, 1) == wanted:
        advice = "add an axis for the channel, x[..., np.newaxis]"
    elif len(shape) == len(wanted) == 3 and (shape[1], shape[2], shape[0]) == wanted:
        advice = "images are NHWC; x.transpose(0, 2, 3, 1) converts NCHW"
    elif tuple(x.shape) == wanted:
        advice = "each of them seems to be an example, but a list is read as a list of batches; give np.stack(data)"
    elif math.prod(shape) == math.prod(wanted):
        advice = f"x.reshape(-1, {', '.join(map(str, wanted))}) if the numbers are in that order"
    else:
        advice = f"build the model with {type(model.config).__name__}(data_shape={shape}), or give other data"
    raise DataError(f"{kind}, so an example is {shape}, but {model.name} takes {wanted}; {advice}")


def _check_range(x: Array, model: Model, kind: str) -> None:
    least, most = float(x.min()), float(x.max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise DataError(f"{kind} and hold NaN or infinite values; leave those examples out, or mend them")
    if model.value_range is not None and (misfit := range_misfit(x, model.value_range)):
        raise DataError(f"{kind} with {misfit.replace('they must be', f'{model.name} takes them')}")


def _unequal(x: Array) -> str:
    return ", of arrays of one shape" if x.dtype == object else ""
