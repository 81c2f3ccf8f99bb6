"""Sentences as tokens: indices of words in a vocabulary. The last word is repeated to fill a sentence up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import Array, to_host
from ..errors import DataError
from ..settings import did_you_mean


def to_sentences(tokens: Array, vocabulary: Sequence[str]) -> list[str]:
    """The sentences of tokens (N, L): words with spaces between, and the last word once.

    >>> tg.data.to_sentences(np.array([[0, 1, 2, 2]]), ("it", "rains", "."))
    ['it rains .']
    """
    return [" ".join(vocabulary[i] for i in _without_fill(row)) for row in to_host(tokens).tolist()]


def _without_fill(row: list[int]) -> list[int]:
    n = len(row)
    while n > 1 and row[n - 1] == row[n - 2]:
        n -= 1
    return row[:n]


def to_tokens(sentences: Sequence[str], vocabulary: Sequence[str], length: int) -> np.ndarray:
    """The tokens (N, length) of sentences, int64. Raises DataError for an unknown word, or a sentence without words or
    with too many.

    >>> tg.data.to_tokens(["it rains ."], ("it", "rains", "."), length=4)
    array([[0, 1, 2, 2]])
    """
    place = {word: i for i, word in enumerate(vocabulary)}
    tokens = np.empty((len(sentences), length), np.int64)
    for row, sentence in zip(tokens, sentences, strict=True):
        words = sentence.split()
        if not 1 <= len(words) <= length:
            raise DataError(f"to_tokens: {sentence!r:.80} has {len(words)} words, but it must have 1 to {length}")
        if unknown := [word for word in words if word not in place]:
            raise DataError(f"to_tokens: there is no word {unknown[0]!r}{did_you_mean(unknown[0], place)}")
        row[:] = [place[word] for word in words] + [place[words[-1]]] * (length - len(words))
    return tokens
