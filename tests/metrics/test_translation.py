"""Scores of translated images: of a perfect translator, of one that does nothing, and of one that fools the judge."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import tinygen as tg
from tinygen.data import load
from tinygen.data.domains import negative
from tinygen.data.sixfactors import draw_faces, mouth_index
from tinygen.metrics import evaluate, translation
from tinygen.metrics.evaluate import ABOUT


class Translator(tg.models.Model):
    """Translates by a plain function of images in bytes and the direction."""

    name, takes_domains, value_range = "translator", True, (-1.0, 1.0)

    def __init__(self, change):
        super().__init__()
        self.change = change

    def translate(self, x, direction="ab"):
        made = self.change(np.rint((x + 1) * 127.5).astype(np.uint8), direction)
        return made.astype(np.float32) / 127.5 - 1


@pytest.fixture(scope="module")
def smiles():
    return load("smiles", train=200, test=150)


def scores(change, data):
    return evaluate(Translator(change), data, parts=["translation"])


def test_a_perfect_translator_of_faces(smiles):
    """It knows the factors of each face, and draws it with the other domain's smile."""
    faces = {x.tobytes(): f for d in (smiles, smiles.other) for x, f in zip(d.test, d.test_factors, strict=True)}

    def change(x, direction):
        factors = np.array([faces[image.tobytes()] for image in x])
        factors[:, 0] += 0.7 if direction == "ab" else -0.7
        y = draw_faces(np.clip(factors, 0, 1), np.uint8, 32)
        faces.update({image.tobytes(): f for image, f in zip(y, factors, strict=True)})
        return y

    found = scores(change, smiles)
    assert found.keys() <= ABOUT.keys()
    for way in ("ab", "ba"):
        assert found[f"moved_{way}"].value == found[f"moved_alone_{way}"].value == 1
        assert found[f"moved_{way}"].plain == 0 and found[f"moved_{way}"].reference == 1
        assert found[f"mouth_error_{way}"].value < 0.2 * found[f"mouth_error_{way}"].plain
        assert found[f"fid_{way}"].value < 0.2 < 2 < found[f"fid_{way}"].plain
        assert found[f"fid_{way}"].features == "judge of drawn faces" and found[f"round_trip_{way}"].value < 0.01


def test_doing_nothing_scores_what_is_shown_beside(smiles):
    found = scores(lambda x, direction: x, smiles)
    assert all(score.value == pytest.approx(score.plain, abs=1e-5) for score in found.values())


def test_other_factors_that_move_are_seen(smiles):
    """Faces of other people: the smile is right, nothing else is."""
    found = scores(lambda x, direction: (smiles.other if direction == "ab" else smiles).train[: len(x)], smiles)
    assert found["moved_ab"].value == 1 and found["moved_alone_ab"].value < 0.1
    assert found["fid_ab"].value < 0.3 and found["mouth_error_ab"].value > found["mouth_error_ab"].plain


def test_the_mouth_is_where_the_smile_is():
    factors = np.full((2, 6), 0.5)
    factors[:, 0] = 0, 1
    for size in (64, 32):
        sad, happy = draw_faces(factors, size=size)
        changed = (sad != happy)[None]
        inside = np.zeros_like(changed)
        inside[mouth_index(size)] = True
        assert changed.any() and not (changed & ~inside).any()


def test_digits_have_partners_and_classes(monkeypatch):
    monkeypatch.setattr(translation, "train_classifier", partial(translation.train_classifier, steps=40))
    data = load("negatives")
    few = replace(data, test=data.test[:100], test_labels=data.test_labels[:100])
    found = scores(lambda x, direction: negative(x), few)
    assert found["partner_error_ab"].value < 1e-6 < 0.5 < found["partner_error_ab"].plain
    assert "partner_error_ba" not in found and found["class_kept_ab"].value > 0.4 > found["class_kept_ab"].plain
