"""What a step takes and returns: arrays and Tensors in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import array_of, is_array, is_tensor
from ..tensor import Tensor


class Leaf:
    """The place of an array in a nest; of a Tensor, if it was one."""

    def __init__(self, index: int, tensor: bool):
        self.index, self.tensor = index, tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and (self.index, self.tensor) == (other.index, other.tensor)

    def __hash__(self) -> int:
        return hash((self.index, self.tensor))


def taken_apart(nest: Any, arrays: list[Any]) -> Any:
    """The nest with a Leaf in place of each array, which is added to `arrays`."""
    if is_tensor(nest) or is_array(nest):
        arrays.append(array_of(nest))
        return Leaf(len(arrays) - 1, is_tensor(nest))
    return _mapped(nest, lambda part: taken_apart(part, arrays))


def put_together(form: Any, arrays: list[Any]) -> Any:
    """The nest again, with these arrays."""
    if isinstance(form, Leaf):
        array = arrays[form.index]
        return Tensor(array) if form.tensor else array
    return _mapped(form, lambda part: put_together(part, arrays))


def key_of(form: Any) -> Any:
    """A nest without its arrays as the key of a dict."""
    if isinstance(form, dict):
        return (dict, *((name, key_of(part)) for name, part in form.items()))
    return (type(form), *map(key_of, form)) if isinstance(form, (tuple, list)) else form


def _mapped(nest: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(nest, dict):
        return {name: change(part) for name, part in nest.items()}
    if isinstance(nest, (tuple, list)):
        parts = [change(part) for part in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    return nest
