"""What a step takes and returns: arrays and Tensors in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..backend import is_array, is_tensor
from ..tensor import Tensor


class Leaf(NamedTuple):
    """The place of an array in a nest, and whether it was that of a Tensor, and of one that requires grad."""

    number: int
    tensor: bool = False
    requires_grad: bool = False


class Kept(NamedTuple):
    """A Tensor that is the same in each step, such as a parameter."""

    tensor: Tensor


def taken_apart(nest: Any, arrays: list[Any], kept: Collection[int] = ()) -> Any:
    """The nest with a Leaf in place of each array, which is added to `arrays`. kept: the ids of Tensors that stay."""
    if is_tensor(nest):
        if id(nest) in kept:
            return Kept(nest)
        arrays.append(nest.array)
        return Leaf(len(arrays) - 1, True, nest.requires_grad)
    if is_array(nest):
        arrays.append(nest)
        return Leaf(len(arrays) - 1)
    return _mapped(nest, lambda part: taken_apart(part, arrays, kept))


def put_together(form: Any, arrays: list[Any], results: bool = False) -> Any:
    """The nest again, with these arrays. results: its Tensors are constants."""
    if isinstance(form, Leaf):
        array = arrays[form.number]
        return Tensor(array, form.requires_grad and not results) if form.tensor else array
    if isinstance(form, Kept):
        return form.tensor
    return _mapped(form, lambda part: put_together(part, arrays, results))


def key_of(form: Any) -> Any:
    """A nest without its arrays as the key of a dict."""
    if isinstance(form, (Leaf, Kept)):
        return form
    if isinstance(form, dict):
        return (dict, *((name, key_of(part)) for name, part in form.items()))
    return (type(form), *map(key_of, form)) if isinstance(form, (tuple, list)) else (type(form), form)


def _mapped(nest: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(nest, dict):
        return {name: change(part) for name, part in nest.items()}
    if isinstance(nest, (tuple, list)):
        parts = [change(part) for part in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    return nest
