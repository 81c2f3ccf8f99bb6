"""The judge of drawn faces: the shipped one, training another, and what its features compare."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import tinygen as tg
from tinygen.data import load
from tinygen.data.sixfactors import draw_faces
from tinygen.errors import DataError
from tinygen.judges import faces
from tinygen.judges.classifier import in_blocks
from tinygen.metrics import evaluate, fid, load_face_judge, read_factors, train_face_judge


@pytest.fixture(scope="module")
def drawn():
    """New faces, which the judge was not trained on."""
    return load("sixfactors", train=400, test=200, seed=1, size=32)


def test_the_shipped_judge_reads_the_factors(drawn):
    errors = np.abs(read_factors(load_face_judge(), drawn.train) - drawn.factors)
    assert errors.mean() < 0.006 and errors.mean(axis=0).max() < 0.01


def test_larger_faces_are_averaged_down(drawn):
    judge, factors = load_face_judge(), drawn.factors[:20]
    np.testing.assert_allclose(
        read_factors(judge, draw_faces(factors)), read_factors(judge, draw_faces(factors, size=32)), atol=1e-4
    )


def test_the_shipped_file_is_the_one_that_is_meant(tmp_path, monkeypatch):
    content = faces.WEIGHTS.read_bytes()
    assert len(content) < 600_000 and hashlib.sha256(content).hexdigest() == faces.SHA256
    broken = tmp_path / "face_judge.safetensors"
    broken.write_bytes(content[:-1] + b"\0")
    monkeypatch.setattr(faces, "WEIGHTS", broken)
    with pytest.raises(DataError, match="not the weights of this version"):
        load_face_judge()


def test_it_is_frozen_and_the_same_on_every_device(backend, drawn):
    judge = load_face_judge()
    assert not judge.training and not any(p.requires_grad for p in judge.parameters())
    assert sum(p.size for p in judge.parameters()) == 112_662
    read = read_factors(judge, backend.asarray(drawn.test[:30]))
    with tg.use("cpu"):
        np.testing.assert_allclose(read, read_factors(load_face_judge(), drawn.test[:30]), atol=1e-5)


def test_its_features_tell_faces_from_broken_ones(drawn):
    judge = load_face_judge()
    real = in_blocks(judge.features, drawn.train)
    assert np.mean(real**2, axis=1) == pytest.approx(1, abs=1e-4)
    own, upside_down = (fid(real, in_blocks(judge.features, x)) for x in (drawn.test, drawn.test[:, ::-1]))
    assert own < 0.1 and upside_down > 20 * own


def test_evaluation_of_drawn_faces_uses_them(drawn):
    class Painter(tg.models.Model):
        value_range = (0.0, 1.0)

        def sample(self, n, rng=None):
            return drawn.train[:n].astype(np.float32) / 255

    scores = evaluate(Painter(), drawn, n=200, parts=["images"])
    assert {score.features for score in scores.values()} == {"judge of drawn faces"}
    assert scores["fid"].value < 0.1


def test_another_judge_learns(drawn):
    judge = train_face_judge(drawn.train, drawn.factors, steps=80, batch=32)
    assert np.abs(read_factors(judge, drawn.test) - drawn.test_factors).mean() < 0.18  # a guess of 1/2: 0.25


def test_what_it_does_not_take_is_refused(drawn):
    with pytest.raises(DataError, match=r"x is \(5, 28, 28, 3\), but it takes faces \(N, 32, 32, 3\)"):
        read_factors(load_face_judge(), drawn.train[:5, :28, :28])
    with pytest.raises(DataError, match=r"the factors are \(3, 6\), but 400 faces have \(400, 6\)"):
        train_face_judge(drawn.train, drawn.factors[:3])
