"""What do generated images buy where data are scarce? A classifier of few digits, with and without those of a GAN.

As with medical images, there are few examples, and the GAN learns from these alone. A conditional GAN is trained on
100, 300 or 1,000 digits; then a LeNet, always for as many steps, on these digits as they are; shifted and rotated at
random; with 5,000 digits of the GAN beside them; and with both. Each is tested on the 1,000 test digits. Each of three
seeds draws other digits; nothing is selected. A GAN that has seen all 9,000 digits helps more (see the leaderboard),
but whoever has that GAN has the 9,000 digits, too.

    python examples/augmentation.py                         nine GANs, about 15 minutes on one core
    python examples/augmentation.py --sizes 100 --seeds 0   a taste
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import tinygen as tg
from tinygen.data import Compose, Rotate, Shift
from tinygen.metrics import accuracy, train_classifier, unit_images
from tinygen.train.batches import loader_for

steps = 3000  # of the GAN
CLASSIFIER_STEPS, GENERATED = 1000, 5000
WAYS = ("as they are", "shifted and rotated", "and generated ones", "and both")


def measured(size: int, seed: int, digits: tg.data.Dataset) -> dict[str, Any]:
    """The accuracy of each way, for so many digits drawn by a seed."""
    assert digits.labels is not None and digits.test_labels is not None
    few = tg.Generator(seed, "augmentation", "cpu").permutation(len(digits.train))[:size]
    x, labels = unit_images(digits.train[few]), digits.labels[few]
    made, made_labels = generated(digits.train[few], labels, seed)
    many = np.resize(np.arange(size), len(made))  # the few, over and over, so that they are half of all
    both, both_labels = np.concatenate([x[many], made]), np.concatenate([labels[many], made_labels])

    def score(images: np.ndarray, its_labels: np.ndarray, change: bool) -> float:
        rng = tg.Generator(seed, "classical", "cpu")
        augment = Compose(Shift(2, fill=0.0, rng=rng), Rotate(10, fill=0.0, rng=rng)) if change else None
        lenet = train_classifier(images, its_labels, CLASSIFIER_STEPS, seed=seed, augment=augment)
        return accuracy(lenet, digits.test, digits.test_labels)

    scores = [score(a, y, change) for a, y in ((x, labels), (both, both_labels)) for change in (False, True)]
    return {"size": size, "seed": seed, "steps": steps, **dict(zip(WAYS, scores, strict=True))}


def generated(x: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits of a conditional GAN that has learnt from x alone, in [0, 1], as many of each class."""
    tg.seed(seed)
    model = tg.models.CGAN(seed=seed)
    loader = loader_for(model, x, min(64, len(x)), tg.Generator(seed, "loader", "cpu"), labels)
    tg.fit(model, loader, steps, checkpoint_every=steps, progress=False)
    wanted = np.arange(GENERATED) % 10
    images = model.sample(GENERATED, tg.Generator(seed, "augmentation"), labels=wanted)
    return tg.to_host(unit_images(images, model.value_range)), wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", metavar="N", type=int, default=[100, 300, 1000])
    parser.add_argument("--seeds", nargs="+", metavar="N", type=int, default=[0, 1, 2])
    parser.add_argument("--out", metavar="FILE", default="augmentation.json", help="the numbers (augmentation.json)")
    args = parser.parse_args()
    digits, results = tg.data.load("digits"), list[dict[str, Any]]()
    for size in args.sizes:
        for seed in args.seeds:
            results.append(measured(size, seed, digits))
            print(results[-1], flush=True)
            Path(args.out).write_text(json.dumps(results, indent=1))
    print(f"\n| real digits | {' | '.join(WAYS)} |\n| --- | --- | --- | --- | --- |")
    for size in args.sizes:
        rows = np.array([[r[way] for way in WAYS] for r in results if r["size"] == size])
        cells = [f"{mean:.1%} ± {std:.1%}" for mean, std in zip(rows.mean(axis=0), rows.std(axis=0), strict=True)]
        print(f"| {size:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
