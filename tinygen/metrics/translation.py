"""How well images of one domain are turned into those of another, beside what doing nothing scores.

A network that judges can be fooled, so its verdict never stands alone: beside it are the error to what the image should
look like, where that is known, and the Fréchet distance to the other domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..backend import to_host
from ..data import Dataset
from ..data.domains import HAPPY, PARTNERS, SAD
from ..data.sixfactors import SMILE, draw_faces, mouth_index
from ..judges.classifier import SHAPE, accuracy, in_blocks, train_classifier, unit_images
from ..judges.faces import has_drawn_faces, load_face_judge, read_factors
from ..models.base import has
from .distances import fid
from .images import FEWEST, features_for
from .subject import MOST, Score, Subject

KEPT = 0.15  # a factor that moves by less is kept
MARGIN = 0.1  # a smile this far outside of a domain's range still counts as one of the domain
BACK = {"ab": "ba", "ba": "ab"}
LINES = {
    "fid": "Fréchet distance to the images of the other domain; lower is better",
    "round_trip": "absolute difference of images there and back; lower is better",
    "moved": "share of faces with a smile of the other domain; higher is better",
    "moved_alone": "share of faces with such a smile and all else kept; higher is better",
    "mouth_error": "absolute error of mouths to the drawn truth; lower is better",
    "partner_error": "absolute error to the true partner; lower is better",
    "class_kept": "share of digits still seen as their class; higher is better",
}
ABOUT = {
    f"{name}_{direction}": f"{direction[0]} to {direction[1]}: {line}"
    for name, line in LINES.items()
    for direction in BACK
}

Measure = Callable[[np.ndarray], float]  # of translated images, or of others in their place


def measure(subject: Subject) -> dict[str, Score]:
    data, model = subject.data, subject.model
    if not getattr(model, "takes_domains", False) or not has(model, "translate") or data.other is None:
        return {}
    there, back = _Translated(subject, "ab", data, data.other), _Translated(subject, "ba", data.other, data)
    return {f"{name}_{y.direction}": score for y in (there, back) for name, score in y.scores().items()}


class _Translated:
    """The test images of one domain, translated to the other."""

    def __init__(self, subject: Subject, direction: str, source: Dataset, target: Dataset):
        self.subject, self.direction, self.source, self.target = subject, direction, source, target
        self.x = unit_images(source.test[: subject.n or MOST])
        self.y = self.translated(self.x, direction)

    def translated(self, x: np.ndarray, direction: str) -> np.ndarray:
        """Images in [0, 1], translated."""
        model = self.subject.model
        batches = (to_host(model.translate(batch, direction=direction)) for batch in self.batches(x))
        return np.concatenate([unit_images(y, model.value_range) for y in batches])

    def batches(self, x: np.ndarray) -> Iterator[np.ndarray]:
        low, high = self.subject.model.value_range
        return self.subject.batches(x * np.float32(high - low) + np.float32(low))

    def scores(self) -> dict[str, Score]:
        """Every score that suits the data: of the translated images, of real ones, and of the images as they are."""
        back = self.translated(self.y, BACK[self.direction])
        scores = {"round_trip": Score(float(np.abs(back - self.x).mean()), plain=0.0)}
        real, features = unit_images(self.target.test[: len(self.x)]), None
        measures: dict[str, Measure] = {}
        if min(len(self.x), len(self.target.test)) >= FEWEST:
            extract, features = features_for(self.subject)
            of_real = in_blocks(extract, self.target.test)
            measures["fid"] = lambda images: fid(of_real, in_blocks(extract, images))
            real = unit_images(self.target.train[: len(self.target.test)])
        if has_drawn_faces(self.source):
            measures |= self.of_faces()
        measures |= self.of_digits()
        for name, of in measures.items():
            reference = of(real) if name in ("fid", "moved") else None
            scores[name] = Score(of(self.y), reference, features if name == "fid" else None, of(self.x))
        return scores

    def of_faces(self) -> dict[str, Measure]:
        """Whether the judge sees the smile moved and all else kept, and the error to a drawing with that smile."""
        judge, known = load_face_judge(), self.source.test_factors[: len(self.x)]  # type: ignore[index]
        low, high = HAPPY if self.direction == "ab" else SAD
        place = mouth_index(self.x.shape[1])

        def moved(images: np.ndarray) -> np.ndarray:
            smile = read_factors(judge, images)[:, SMILE]
            return (smile > low - MARGIN) & (smile < high + MARGIN)

        def alone(images: np.ndarray) -> float:
            others = np.abs(read_factors(judge, images)[:, 1:] - known[:, 1:])
            return float((moved(images) & (others < KEPT).all(axis=1)).mean())

        def error(images: np.ndarray) -> float:
            smile = np.clip(read_factors(judge, images)[:, :1], low, high)  # of the domain, as near as it can be
            truth = draw_faces(np.hstack([smile, known[:, 1:]]), size=images.shape[1])
            return float(np.abs(images - truth)[place].mean())

        return {"moved": lambda images: float(moved(images).mean()), "moved_alone": alone, "mouth_error": error}

    def of_digits(self) -> dict[str, Measure]:
        """The error to what an image should become, if it is known, and whether its class is kept, if there are any."""
        measures: dict[str, Measure] = {}
        change, labels = PARTNERS.get(self.subject.data.name), self.source.test_labels
        if change is not None and self.direction == "ab":
            partners = unit_images(change(self.source.test[: len(self.x)]))
            measures["partner_error"] = lambda images: float(np.abs(images - partners).mean())
        if self.x.shape[1:] == SHAPE and labels is not None and self.target.labels is not None:
            judge = train_classifier(self.target.train, self.target.labels, seed=self.subject.seed)
            known = labels[: len(self.x)]
            measures["class_kept"] = lambda images: accuracy(judge, images, known)
        return measures
