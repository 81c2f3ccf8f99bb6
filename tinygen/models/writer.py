"""The networks of a GAN of sentences: a recurrent G that writes a word at a time, and a D of convolutions over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import init, layers, ops
from ..backend import Array, array_module, array_of
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Parameter, Tensor


class Start(layers.Module):
    """What stands before the first word of each of N sentences: the same learnt vector, (N, vocabulary)."""

    def __init__(self, vocabulary: int, rng: Generator):
        self.w = Parameter(init.normal((1, vocabulary), rng, std=1.0))

    def forward(self, like: Any) -> Tensor:
        return ops.broadcast_to(self.w, (len(like), self.w.shape[1]))


class Writer(layers.Module):
    """q(x) = Πₜ softmax(w hₜ + b)[xₜ], hₜ = GRU(xₜ₋₁, hₜ₋₁): sentences of `length` words out of `vocabulary`.

    A word is its one-hot vector; `start`, which is learnt too, stands before the first. Word t is drawn as
    argmax(w hₜ + b + noiseₜ) for Gumbel noise (N, length, vocabulary), so that its probability is the softmax's.
    """

    def __init__(self, vocabulary: int, length: int, features: int, weight_init: init.Init, rng: Generator):
        self.start = Start(vocabulary, rng)
        self.cell = layers.GRUCell(vocabulary, features, rng=rng)
        self.words = layers.Dense(features, vocabulary, weight_init=weight_init, rng=rng)
        self.vocabulary, self.length = vocabulary, length

    def forward(self, noise: Any, tau: float = 1.0) -> Tensor:
        """One-hot vectors (N, length, vocabulary), with the gradient of softmax((logits + noise) / τ)."""
        word, h, words = self.first(noise), None, []
        for t in range(self.length):
            h = self.cell(word, h)
            word = ops.gumbel_softmax(self.words(h), noise[:, t], tau, hard=True)
            words.append(word)
        return ops.stack(words, axis=1)

    @no_grad()
    def write(self, noise: Array) -> Array:
        """The tokens (N, length) of the same sentences."""
        words = [word for word, _ in self.go_on(noise, self.first(noise), None)]
        return array_module(noise).stack(words, axis=1)

    def go_on(self, noise: Array, word: Any, h: Any) -> Iterator[tuple[Array, Any]]:
        """For each step of noise (N, T, vocabulary), the word drawn, (N,), and the state that it was drawn from: after
        the one-hot vectors of a last word and the state h before it."""
        for t in range(noise.shape[1]):
            h = self.cell(word, h)
            drawn = (array_of(self.words(h)) + noise[:, t]).argmax(axis=-1)
            word = ops.one_hot(drawn, self.vocabulary, noise.dtype)
            yield drawn, h

    def log_probabilities(self, x: Any) -> Tensor:
        """log q(xₜ | x₁ ... xₜ₋₁) of each word, (N, length), for one-hot vectors x (N, length, vocabulary)."""
        word, h, states = self.first(x), None, []
        for t in range(self.length):
            h = self.cell(word, h)
            states.append(h)
            word = x[:, t]
        logits = self.words(ops.stack(states, axis=1))
        return ops.sum(x * logits, axis=-1) - ops.logsumexp(logits, axis=-1)

    def first(self, like: Any) -> Tensor:
        """What stands before the first word of as many sentences, (N, vocabulary)."""
        return self.start(like)


def reader(
    vocabulary: int, length: int, embedding: int, channels: Sequence[int], kernel: int, hidden: int, slope: float,
    bias: bool, **weights: Any,
) -> layers.Sequential:  # fmt: skip
    """D of one-hot vectors (N, length, vocabulary): their embeddings as an image of one column, convolutions along it,
    and all their maps, not only the largest values, to a score: what is wrong may be how two distant words agree.

    bias: of the score; where D's scores are only compared, it would add the same to both.
    """
    network: list[layers.Module] = [layers.Dense(vocabulary, embedding, bias=False, **weights)]
    network.append(layers.Reshape((length, 1, embedding)))
    for before, after in zip((embedding, *channels), channels, strict=False):
        network += [layers.Conv(before, after, (kernel, 1), **weights), layers.LeakyReLU(slope)]
    flat = length * (embedding, *channels)[-1]
    network += [layers.Flatten(), layers.Dense(flat, hidden, **weights), layers.LeakyReLU(slope)]
    return layers.Sequential(*network, layers.Dense(hidden, 1, bias, **weights))


def distinct_share(tokens: Array) -> Array:
    """The share of the sentences (N, L) that are no copies of an earlier one, as a 0-d array."""
    xp, n = array_module(tokens), len(tokens)
    same = (tokens[:, None, :] == tokens[None, :, :]).sum(axis=-1) == tokens.shape[1]
    earlier = xp.arange(n) < xp.arange(n)[:, None]
    copies = (same & earlier).max(axis=1)
    return 1 - copies.astype(np.float32).mean()
