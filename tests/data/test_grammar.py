"""The sentences of the grammar: drawn, parsed, and their probabilities, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygen.data import Dataset, Loader, load, to_sentences, to_tokens
from tinygen.data.grammar import GRAMMAR, LENGTH, WORDS, Grammar
from tinygen.errors import ConfigError, DataError
from tinygen.random import Generator

LN2, LN3, LN4 = (math.log(n) for n in (2, 3, 4))


def log_p(*sentences):
    return GRAMMAR.log_probability(to_tokens(sentences, WORDS, LENGTH))


@pytest.mark.parametrize(
    ("sentence", "nats"),
    [
        # number, determiner, no adjective, noun; no preposition; intransitive: which, no adverb
        ("a dog sleeps .", -(LN2 + LN3 + LN2 + LN4) + math.log(0.6) + math.log(0.4) - LN2 - LN2),
        ("the dog sleeps .", -(LN2 + LN3 + LN2 + LN4) + math.log(0.6) + math.log(0.4) - LN2 - LN2),
        ("many dogs sing well .", -(LN2 + LN3 + LN2 + LN4) + math.log(0.6) + math.log(0.4) - LN2 - 2 * LN2),
        (
            "the red dogs near a fox like every shy bird .",  # the verb agrees with the dogs, across the fox
            -(LN2 + LN3 + LN2 + LN4 + LN4) + math.log(0.4) - LN2 - (LN2 + LN3 + LN2 + LN4) + math.log(0.6) - LN3
            - (LN2 + LN3 + LN2 + LN4 + LN4),
        ),
    ],
)  # fmt: skip
def test_log_probabilities_by_hand(sentence, nats):
    assert log_p(sentence) == pytest.approx([nats], abs=1e-12)


@pytest.mark.parametrize(
    "sentence",
    [
        "dog sleeps .", "a dogs sleep .", "a dog sleep .", "the dogs sleeps .", "the dogs near a fox likes a bird .",
        "the dog near a fox near a fox sleeps .", "the red big dog sleeps .", "a dog sees .", "a dog sleeps", ". a dog",
        "a dog sleeps a cat .", "a dog sleeps well well .", "a dog sleeps . a", "a dog quietly sleeps .", ".",
    ],
)  # fmt: skip
def test_what_is_no_sentence_has_no_probability(sentence):
    assert log_p(sentence).tolist() == [-np.inf]


def test_tokens_out_of_the_vocabulary_are_no_sentence_and_other_arrays_are_refused():
    tokens = to_tokens(["a dog sleeps ."] * 2, WORDS, LENGTH)
    tokens[0, -1], tokens[1, 0] = 32, -1
    assert GRAMMAR.log_probability(tokens).tolist() == [-np.inf, -np.inf]
    for wrong in (tokens[:, :5], tokens.astype(float), tokens[0]):
        with pytest.raises(DataError, match=r"Grammar: tokens are .*, but they must be integers \(N, 12\)"):
            GRAMMAR.log_probability(wrong)


def test_probabilities_of_all_sentences_add_up_to_1_and_the_entropy_is_theirs():
    """Of the beginnings, which are 32 words each, counted exactly: p of all ways to each state, after each word."""
    at = np.eye(len(GRAMMAR._p))[0]
    for _ in range(LENGTH):
        at = np.array([((at[:, None] * GRAMMAR._p)[GRAMMAR._next == s]).sum() for s in range(len(at))])
    assert at[GRAMMAR._end] == pytest.approx(1, abs=1e-12)
    noun_phrase = LN2 + LN3 + LN2 + 0.5 * LN4 + LN4
    few, more = (-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (0.4, 0.6))
    expected = noun_phrase + few + 0.4 * (LN2 + noun_phrase) + more + 0.6 * (LN3 + noun_phrase)
    expected += 0.4 * (LN2 + LN2 + 0.5 * LN2)
    assert GRAMMAR.entropy() == pytest.approx(expected, abs=1e-12) == pytest.approx(12.1043, abs=1e-4)


def test_the_entropy_of_a_small_grammar_is_that_of_its_sentences():
    rules = [(("s",), ["a", "b"], 0.7, ("t",)), (("s",), ["."], 0.3, ("e",)), (("t",), ["a"], 0.2, ("t",)),
             (("t",), ["."], 0.8, ("e",)), (("e",), ["."], 1.0, ("e",))]  # fmt: skip
    small = Grammar((".", "a", "b"), 3, rules, ("s",), ("e",))
    every = np.stack(np.meshgrid(*[range(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    log_p = small.log_probability(every)
    p = np.exp(log_p[np.isfinite(log_p)])
    too_long = 0.7 * 0.2 * 0.2
    assert len(p) == 5 and p.sum() == pytest.approx(1 - too_long)
    open_ended = 2 * 0.35 * 0.2 * 0.2 * math.log(0.35 * 0.2 * 0.2)
    assert small.entropy() == pytest.approx(-(p * np.log(p)).sum() - open_ended)


def test_the_data():
    data = load("grammar")
    assert data.train.shape == (5000, 12) and data.test.shape == (1000, 12) and data.train.dtype == np.int64
    assert data.vocabulary == WORDS and len(set(WORDS)) == 32
    assert "each (12,) int64, 32 words, no labels" in str(data)
    nats = -GRAMMAR.log_probability(np.concatenate([data.train, data.test]))
    assert abs(nats.mean() - GRAMMAR.entropy()) < 4 * nats.std() / 6000**0.5  # none of them infinite
    first = load("grammar", train=3, test=1, seed=5)
    np.testing.assert_array_equal(first.train, load("grammar", train=3, test=1, seed=5).train)
    assert first.fingerprint() != load("grammar", train=3, test=1, seed=6).fingerprint()


def test_words_are_as_frequent_as_they_are_probable():
    tokens = GRAMMAR.draw(20_000, Generator(0))
    first = np.bincount(tokens[:, 0], minlength=32) / 20_000
    for word, p in (("the", 1 / 3), ("a", 1 / 6), ("many", 1 / 6), ("dog", 0)):
        assert first[WORDS.index(word)] == pytest.approx(p, abs=0.015)


def test_sentences_and_tokens_are_the_same():
    data = load("grammar", train=200, test=0)
    sentences = to_sentences(data.train, WORDS)
    np.testing.assert_array_equal(to_tokens(sentences, WORDS, LENGTH), data.train)
    assert to_sentences(np.array([[0, 1, 1, 1], [1, 1, 1, 1], [0, 1, 0, 1]]), ("b", ".")) == ["b .", ".", "b . b ."]
    for sentence, message in (("a dig .", "no word 'dig'"), ("", "has 0 words"), ("a " * 13, "has 13 words")):
        with pytest.raises(DataError, match=f"to_tokens: .*{message}"):
            to_tokens([sentence], WORDS, LENGTH)


def test_tokens_need_a_vocabulary_and_lie_in_it():
    tokens, floats = np.array([[0, 1], [2, 0]]), np.zeros((2, 2), np.float32)
    assert Dataset("mine", tokens, tokens[:0], vocabulary=("a", "b", "c")).shape == (2,)
    with pytest.raises(DataError, match=r"train holds tokens, int64 .* but there is no vocabulary"):
        Dataset("mine", tokens, tokens)
    with pytest.raises(DataError, match=r"train holds no tokens, float32 .* but there is a vocabulary"):
        Dataset("mine", floats, floats, vocabulary=("a",))
    with pytest.raises(DataError, match="test: tokens go from 0 to 2, but with 2 words they must go from 0 to 1"):
        Dataset("mine", tokens[:1], tokens, vocabulary=("a", "b"))
    with pytest.raises(DataError, match=r"dtype uint32, but it must be uint8 .* or signed integers"):
        Dataset("mine", tokens.astype(np.uint32), tokens, vocabulary=("a", "b", "c"))


def test_a_loader_gives_tokens_as_they_are(backend):
    data = load("grammar", train=9, test=0)
    batch = Loader(data.train, 4, value_range=None, shuffle=False).next_batch()
    assert type(batch) is backend.xp.ndarray and batch.dtype == np.int64
    np.testing.assert_array_equal(backend.to_host(batch), data.train[:4])
    with pytest.raises(ConfigError, match=r"value_range is .*, but data holds tokens, which have none; pass None"):
        Loader(data.train, 4)
