"""How well sentences are written: whether they are right, how many differ, and how their probabilities compare."""

from __future__ import annotations

import numpy as np

from ..backend import to_host
from ..models.base import has
from .subject import Score, Subject

SENTENCES = 1_000  # samples; the share that are distinct depends on their number

ABOUT = {
    "valid": "share of the sentences that the grammar allows; higher is better",
    "distinct": "share of the sentences that are no copies; best as high as of real ones",
    "unseen": "share of the valid sentences that are not among those trained on",
    "kl": "KL(data ‖ G) over the test sentences, in nats a sentence; lower is better",
}


def distinct(tokens: np.ndarray) -> float:
    """The share of sentences (N, L) that remain when copies are taken away."""
    return len(np.unique(tokens, axis=0)) / len(tokens)


def measure(subject: Subject) -> dict[str, Score]:
    """The scores of a model of sentences; `valid`, `unseen` and `kl` where their distribution p is known.

    kl is E log p(x) - log q(x) over test sentences x: KL(data ‖ G) = E log p/q, with the exact p and q, the latter the
    product of the probabilities that G gives to each word after the ones before it.
    """
    data, model, n = subject.data, subject.model, subject.n or SENTENCES
    if data.vocabulary is None or not has(model, "sample"):
        return {}
    sentences, real = subject.samples(n), subject.real(n)
    scores = {"distinct": Score(distinct(sentences), distinct(real))}
    if data.grammar is None:
        return scores
    known = {tuple(row) for row in data.train.tolist()}

    def unseen(tokens: np.ndarray) -> float:
        return float(np.mean([tuple(row) not in known for row in tokens.tolist()]))

    right = np.isfinite(data.grammar.log_probability(sentences))
    scores = {"valid": Score(float(right.mean()), 1.0), **scores}
    if right.any():
        scores["unseen"] = Score(unseen(sentences[right]), unseen(real))
    if has(model, "log_probability"):
        log_q = [to_host(model.log_probability(batch)) for batch in subject.batches(data.test)]
        log_p = data.grammar.log_probability(data.test)
        scores["kl"] = Score(float(np.mean(log_p - np.concatenate(log_q).astype(np.float64))), 0.0)
    return scores
