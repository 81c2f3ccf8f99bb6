"""Sentences of a small grammar of English whose probabilities are known, so that what a model has learnt is measured.

    S  = NP (.4: preposition NP) VP                    the old dog near some cats follows a fox .
    NP = determiner (.5: adjective) noun               singular or plural, with probability .5 each
    VP = .6: transitive verb NP  or  .4: intransitive verb (.5: adverb)

A determiner agrees with its noun, and a verb with the first noun, whatever noun stands between them. Where no
probability is given, all words are equally likely. "." ends a sentence and fills it up to LENGTH words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from ..backend import Array, to_host
from ..errors import DataError
from ..random import Generator
from .dataset import Dataset, own_stream

ONE, SEVERAL, EITHER = "one", "several", "either"  # numbers; "the" goes with either
DETERMINERS = {ONE: ("the", "a", "every"), SEVERAL: ("the", "some", "many")}
NOUNS = {ONE: ("dog", "cat", "bird", "fox"), SEVERAL: ("dogs", "cats", "birds", "foxes")}
TRANSITIVE = {ONE: ("sees", "likes", "follows"), SEVERAL: ("see", "like", "follow")}
INTRANSITIVE = {ONE: ("sleeps", "sings"), SEVERAL: ("sleep", "sing")}
ADJECTIVES, PREPOSITIONS, ADVERBS = ("big", "small", "red", "shy"), ("near", "behind"), ("quietly", "well")
END = "."
WORDS = (
    END, *dict.fromkeys([*DETERMINERS[ONE], *DETERMINERS[SEVERAL]]), *ADJECTIVES, *NOUNS[ONE], *NOUNS[SEVERAL],
    *PREPOSITIONS, *TRANSITIVE[ONE], *TRANSITIVE[SEVERAL], *INTRANSITIVE[ONE], *INTRANSITIVE[SEVERAL], *ADVERBS,
)  # fmt: skip
LENGTH = 12

State: TypeAlias = tuple[str, ...]
Rule: TypeAlias = "tuple[State, Sequence[str], float, State]"  # from a state, by one of these words, with p, to a state


class Grammar:
    """Sentences as walks through states: each word is drawn with the probabilities of a state, and leads to the next.

    words: the vocabulary; a token is an index into it.  length: of a sentence, in words.  Raises DataError for tokens
    that are not integers (N, length).
    """

    def __init__(self, words: Sequence[str], length: int, rules: Sequence[Rule], start: State, end: State):
        self.words, self.length = tuple(words), length
        number = {state: i for i, state in enumerate(dict.fromkeys([start, *(rule[0] for rule in rules), end]))}
        self._p = np.zeros((len(number), len(words)))
        self._next = np.zeros(self._p.shape, np.int64)
        for state, some, p, to in rules:
            for word in some:
                place = number[state], self.words.index(word)
                self._p[place] += p / len(some)
                self._next[place] = number[to]
        self._end = number[end]

    def __repr__(self) -> str:
        return f"Grammar({len(self.words)} words, sentences of {self.length})"

    def log_probability(self, tokens: Array) -> np.ndarray:
        """log p of each sentence (N, length), in nats; -inf for what is no sentence; float64 (N,)."""
        x = np.asarray(to_host(tokens))
        if x.ndim != 2 or x.shape[1] != self.length or x.dtype.kind not in "iu":
            raise DataError(f"Grammar: tokens are {x.dtype} {x.shape}, but they must be integers (N, {self.length})")
        known = np.all((x >= 0) & (x < len(self.words)), axis=1)
        state, p = np.zeros(len(x), np.int64), np.ones((self.length, len(x)))
        for i, word in enumerate(np.where(np.expand_dims(known, 1), x, 0).T):
            p[i], state = self._p[state, word], self._next[state, word]
        with np.errstate(divide="ignore"):
            return np.where(known & (state == self._end), np.log(p).sum(axis=0), -np.inf)

    def entropy(self) -> float:
        """-E log p of a sentence, in nats: the entropy of each state's words, times how often the state is visited."""
        p, at, total = self._p, np.eye(len(self._p))[0], 0.0
        each = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
        move = np.zeros((len(p), len(p)))
        np.add.at(move, (np.arange(len(p))[:, np.newaxis], self._next), p)
        for _ in range(self.length):
            total, at = total + float(at @ each), at @ move
        return total

    def draw(self, n: int, rng: Generator) -> np.ndarray:
        """n sentences, int64 (n, length)."""
        state, tokens = np.zeros(n, np.int64), np.empty((n, self.length), np.int64)
        u = to_host(rng.uniform((self.length, n), dtype=np.float64))
        edges = np.cumsum(self._p, axis=1)
        edges /= edges[:, -1:]
        for i in range(self.length):
            tokens[:, i] = (u[i, :, np.newaxis] >= edges[state]).sum(axis=1)
            state = self._next[state, tokens[:, i]]
        return tokens


def _noun_phrase(name: State, then: Callable[[str], State]) -> Iterator[Rule]:
    """The rules of a noun phrase from the state `name`; then: the state after a noun of either number."""
    yield name, ["the"], 1 / 3, (*name, EITHER)  # one of three determiners, whatever the number
    for number, words in DETERMINERS.items():
        yield name, [word for word in words if word != "the"], 1 / 3, (*name, number)
    for number in (ONE, SEVERAL, EITHER):
        for state, p in (((*name, number), 0.5), ((*name, number, "adjective"), 1.0)):
            for noun in (ONE, SEVERAL) if number == EITHER else (number,):
                yield state, NOUNS[noun], p * (0.5 if number == EITHER else 1.0), then(noun)
        yield (*name, number), ADJECTIVES, 0.5, (*name, number, "adjective")


def _rules() -> Iterator[Rule]:
    end, adverb = ("end",), ("adverb",)
    yield from _noun_phrase(("subject",), lambda number: ("after subject", number))
    for number in (ONE, SEVERAL):
        subject, verb = ("after subject", number), ("verb", number)
        yield subject, PREPOSITIONS, 0.4, ("after preposition", number)
        yield from _noun_phrase(("after preposition", number), lambda _, verb=verb: verb)  # type: ignore[misc]
        for state, p in ((subject, 0.6), (verb, 1.0)):
            yield state, TRANSITIVE[number], p * 0.6, ("object",)
            yield state, INTRANSITIVE[number], p * 0.4, adverb
    yield from _noun_phrase(("object",), lambda _: ("full stop",))
    yield adverb, ADVERBS, 0.5, ("full stop",)
    yield adverb, [END], 0.5, end
    yield ("full stop",), [END], 1.0, end
    yield end, [END], 1.0, end


GRAMMAR = Grammar(WORDS, LENGTH, list(_rules()), ("subject",), ("end",))


def load_grammar(train: int = 5_000, test: int = 1_000, seed: int = 0) -> Dataset:
    """Sentences of GRAMMAR: tokens (N, 12) of a vocabulary of 32 words."""
    tokens = GRAMMAR.draw(train + test, own_stream("grammar", train, test, seed))
    return Dataset("grammar", tokens[:train], tokens[train:], vocabulary=WORDS, grammar=GRAMMAR)
