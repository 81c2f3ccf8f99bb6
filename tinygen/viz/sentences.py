"""Sentences as a picture: a line of text for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..backend import Array
from ..data.sentences import to_sentences
from .plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE, LETTER, MARGIN, SIZE = 20, 7.5, 16, 9  # pixels of a line, of a letter, at the edges; points of the letters
WIDEST = 1400  # pixels


def sentences_figure(tokens: Array, vocabulary: Sequence[str]) -> Figure:
    """A Figure with a line for each sentence of tokens (N, L); as wide for all sentences of L words, as in a film."""
    lines, length = to_sentences(tokens, vocabulary), tokens.shape[1]
    letters = length * (1 + sum(map(len, vocabulary)) / max(len(vocabulary), 1)) * 1.3  # of a long one
    width, height = min(round(letters * LETTER), WIDEST) + 2 * MARGIN, LINE * max(len(lines), 1) + 2 * MARGIN
    fig = figure(width, height, layout=None)
    fig.set_facecolor("white")
    for i, line in enumerate(lines):
        y = 1 - (MARGIN + (i + 0.5) * LINE) / height
        text = line.replace("$", r"\$")  # no formulas
        fig.text(MARGIN / width, y, text, family="monospace", size=SIZE, va="center", color="black")
    return fig
