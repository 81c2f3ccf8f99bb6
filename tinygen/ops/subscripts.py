"""Einstein's sums: axes by letters. They are made of products of matrices, sums and transposes."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import type_of
from .linear import matmul
from .reduce import sum
from .shape import getitem


def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein's sum, as in NumPy: a letter names an axis, and one that "->" leaves out of the result is summed.

    einsum("bik,kj->bij", a, b) is a product of matrices, einsum("ii->", a) a trace, einsum("...i->...", a) a sum: "..."
    are the axes without letters, which broadcast. Without "->" the letters that come once are left, in the order of the
    alphabet. More than two operands are multiplied from left to right.
    Raises ValueError for other subscripts, or a letter with two lengths.

    >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.ops.einsum("ii->", a), tg.ops.einsum("ij,j->i", a, np.array([1.0, 10.0]))
    (array(5.), array([21., 43.]))
    """
    parts, out = _spelled_out(subscripts, operands)
    lengths = _lengths(subscripts, parts, operands)
    y, letters = _single(operands[0], parts[0], lengths)
    for i, (x, part) in enumerate(zip(operands[1:], parts[1:], strict=True), 2):
        x, part = _single(x, part, lengths)
        kept = [c for c in dict.fromkeys(letters + part) if c in out + "".join(parts[i:])]
        y, letters = _product(y, letters, x, part, "".join(kept), lengths)
    y, letters = _summed(y, letters, out)
    return _in_order(y, letters, out)


def _spelled_out(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with letters of their own for the axes that "..." stands for."""
    if not isinstance(subscripts, str):
        raise TypeError(f'einsum: subscripts is {type_of(subscripts)}, but it must be text, such as "ij,jk->ik"')
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    parts, letters = given.split(","), given.replace("...", "").replace(",", "")
    if not arrow:
        out = "..." * ("..." in given) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    named = out.replace("...", "", 1)
    fits = len(set(named)) == len(named) and set(named) <= set(letters) and len(parts) == len(operands)
    if not fits or not all(_is_part(part) for part in (*parts, out)):
        raise ValueError(
            f"einsum: subscripts are {subscripts!r}, but expected letters for {len(operands)} operands, and a result "
            'of some of these letters, as in "ij,jk->ik" for two'
        )
    unnamed = [x.ndim - len(part.replace("...", "")) for x, part in zip(operands, parts, strict=True)]
    if any(n < 0 or (n and "..." not in part) for n, part in zip(unnamed, parts, strict=True)):
        raise ValueError(f"einsum: {subscripts!r} does not fit the axes of operands {_shapes(operands)}")
    spare = "".join(itertools.islice((c for c in string.ascii_letters if c not in letters), max(unnamed)))
    parts = [part.replace("...", spare[len(spare) - n :]) for n, part in zip(unnamed, parts, strict=True)]
    return parts, out.replace("...", spare)


def _is_part(part: str) -> bool:
    """Whether it is letters, with one "..." at most."""
    letters = part.replace("...", "", 1)
    return not letters or (letters.isalpha() and letters.isascii())


def _lengths(subscripts: str, parts: Sequence[str], operands: Sequence[Any]) -> dict[str, int]:
    """The length of each letter. Raises ValueError if it has two; but a 1 where "..." stands broadcasts."""
    found: dict[str, set[int]] = {}
    for x, part in zip(operands, parts, strict=True):
        for c, n in zip(part, x.shape, strict=True):
            found.setdefault(c, set()).add(n)
    if any(len(lengths if c in subscripts else lengths - {1}) > 1 for c, lengths in found.items()):
        raise ValueError(f"einsum: {subscripts!r} gives a letter two lengths, for operands {_shapes(operands)}")
    return {c: min(lengths - {1}, default=1) for c, lengths in found.items()}


def _shapes(operands: Sequence[Any]) -> str:
    return " and ".join(str(x.shape) for x in operands)


def _single(x: Any, letters: str, lengths: dict[str, int]) -> tuple[Any, str]:
    """An operand with each letter once, the diagonal of axes that share one, and without axes that broadcast."""
    wide = [i for i, c in enumerate(letters) if x.shape[i] == lengths[c]]
    if len(wide) < len(letters):
        x, letters = x.reshape([x.shape[i] for i in wide]), "".join(letters[i] for i in wide)
    while len(set(letters)) < len(letters):
        c = next(c for c in letters if letters.count(c) > 1)
        i, j = letters.index(c), letters.rindex(c)
        rest = [k for k in range(len(letters)) if k not in (i, j)]
        places = np.arange(lengths[c])
        x, letters = getitem(x.transpose([i, j, *rest]), (places, places)), c + "".join(letters[k] for k in rest)
    return x, letters


def _product(a: Any, left: str, b: Any, right: str, kept: str, lengths: dict[str, int]) -> tuple[Any, str]:
    """The product of two operands, summed over what is not kept: with their shared letters kept, then a's, then b's."""
    a, left = _summed(a, left, kept + right)
    b, right = _summed(b, right, kept + left)
    batch = "".join(c for c in left if c in right and c in kept)
    inner = "".join(c for c in left if c in right and c not in kept)
    rows, columns = ("".join(c for c in part if c not in batch + inner) for part in (left, right))
    shape, (M, K, N) = [lengths[c] for c in batch], (math.prod(lengths[c] for c in p) for p in (rows, inner, columns))
    a = _in_order(a, left, batch + rows + inner)
    b = _in_order(b, right, batch + inner + columns)
    if inner:
        y = matmul(_shaped(a, (*shape, M, K)), _shaped(b, (*shape, K, N)))
    else:
        y = _shaped(a, (*shape, M, 1)) * _shaped(b, (*shape, 1, N))
    letters = batch + rows + columns
    return _shaped(y, tuple(lengths[c] for c in letters)), letters


def _summed(x: Any, letters: str, kept: str) -> tuple[Any, str]:
    """x summed over the axes whose letters are not kept, and the letters that are left."""
    axes = tuple(i for i, c in enumerate(letters) if c not in kept)
    return (sum(x, axes), "".join(c for c in letters if c in kept)) if axes else (x, letters)


def _in_order(x: Any, letters: str, wanted: str) -> Any:
    """x with its axes in the order of the letters wanted."""
    return x if letters == wanted else x.transpose([letters.index(c) for c in wanted])


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else x.reshape(shape)
