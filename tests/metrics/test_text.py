"""The scores of sentences, of writers whose probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen.data import Dataset, load
from tinygen.data.grammar import GRAMMAR, WORDS
from tinygen.metrics import evaluate
from tinygen.models import Model, ModelConfig
from tinygen.random import Generator

DATA = load("grammar", train=300, test=200)


class Parrot(Model):
    """Writes what it is given, and takes every sentence for as likely as it is, but for `off` nats."""

    Config = ModelConfig

    def __init__(self, tokens, off=0.0):
        super().__init__(ModelConfig(data_shape=(12,)))
        self.tokens, self.off = tokens, off

    def sample(self, n, rng=None):
        return np.resize(self.tokens, (n, 12))

    def log_probability(self, x):
        return GRAMMAR.log_probability(x) - self.off


def values(model, data=DATA, n=100):
    return {name: score.value for name, score in evaluate(model, data, n=n, parts=["text"]).items()}


def test_the_grammar_itself_is_perfect():
    scores = values(Parrot(GRAMMAR.draw(100, Generator(9)), off=0.25))
    assert scores["valid"] == 1 and scores["kl"] == pytest.approx(0.25)
    assert scores["distinct"] > 0.9 and 0.5 < scores["unseen"] <= 1


def test_one_sentence_or_the_data_again():
    scores = values(Parrot(DATA.train[:1]))
    assert scores["distinct"] == 0.01 and scores["unseen"] == 0 and scores["valid"] == 1
    assert values(Parrot(DATA.train[:50]))["distinct"] == pytest.approx(len(np.unique(DATA.train[:50], axis=0)) / 100)


def test_what_is_wrong_is_counted_and_nothing_is_unseen_among_it():
    wrong = DATA.train[:100].copy()
    wrong[:40, 0] = WORDS.index("dog")
    assert values(Parrot(wrong))["valid"] == 0.6
    wrong[:, 0] = WORDS.index("dog")
    scores = values(Parrot(wrong))
    assert scores["valid"] == 0 and "unseen" not in scores


def test_the_reference_is_that_of_real_sentences():
    scores = evaluate(Parrot(DATA.train), DATA, n=100, parts=["text"])
    assert {name: score.reference for name, score in scores.items() if name in ("valid", "kl")} == {"valid": 1, "kl": 0}
    assert scores["distinct"].reference == len(np.unique(DATA.test[:100], axis=0)) / 100


def test_sentences_of_an_unknown_grammar_are_only_counted():
    data = Dataset("mine", DATA.train, DATA.test, vocabulary=WORDS)
    assert list(values(Parrot(DATA.train), data)) == ["distinct"]
