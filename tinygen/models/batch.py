"""What a batch of a model is, and the check of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import Array
from ..checks import check_array, type_of
from ..errors import DataError

if TYPE_CHECKING:
    from .base import Model


def in_words(model: Model) -> str:
    """What a batch of a model is: "x alone", "(x, labels)" or "(x, y) of two domains"."""
    return "(x, labels)" if model.takes_labels else "(x, y) of two domains" if model.takes_domains else "x alone"


def checked(model: Model, batch: Any) -> tuple[Array, ...]:
    """See Model.checked."""
    arrays = batch if isinstance(batch, tuple) else (batch,)
    for array in arrays:
        check_array(model.name, array, "the batch")
    if len(arrays) != (2 if model.takes_labels or model.takes_domains else 1):
        what = {1: "x alone", 2: "(x, labels)"}.get(len(arrays), f"{len(arrays)} arrays")
        raise DataError(f"{model.name}: the batch is {what}, but this model takes {in_words(model)}")
    x, *more = arrays
    kind, numbers = ("f", "floats") if model.vocabulary is None else ("i", "tokens, signed integers")
    for examples in arrays if model.takes_domains else (x,):
        if examples.shape[1:] != model.data_shape or not len(examples) or examples.dtype.kind != kind:
            raise DataError(
                f"{model.name}: the batch is {type_of(examples)}, but it must be {numbers} "
                f"(N, {str(model.data_shape)[1:]}, at least one example; set data_shape to that of the data"
            )
    if model.takes_domains and len(more[0]) != len(x):
        raise DataError(f"{model.name}: a batch has {len(x)} examples of one domain and {len(more[0])} of the other")
    if model.takes_labels and (more[0].shape != x.shape[:1] or more[0].dtype.kind not in "iu"):
        raise DataError(f"{model.name}: the labels are {type_of(more[0])}, but they must be {len(x)} integers")
    return arrays
