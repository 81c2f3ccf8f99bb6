"""What images show, and where, as a network sees it that knows such images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .classifier import SHAPE, load_classifier
from .faces import is_face, load_face_judge


def maps_for(shape: Sequence[int]) -> Callable[[Any], Any] | None:
    """The second convolution's maps, after their ReLU, of the judge of images of this shape: of digits for 28x28 grey
    ones, of drawn faces for squares of 32, 64, ... pixels in colour; None if no judge takes them.

    It takes images (N, *shape) in [0, 1].
    """
    if tuple(shape) == SHAPE:
        return load_classifier().maps
    return load_face_judge().maps if is_face(tuple(shape)) else None
