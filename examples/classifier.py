"""Train the classifier that tinygen's metrics of digits use, and write its weights, which ship in tinygen/judges."""

import hashlib
from pathlib import Path

from safetensors.numpy import save

import tinygen as tg
from tinygen.data import Compose, Rotate, Shift
from tinygen.metrics import accuracy, train_classifier

steps = 5000
path = Path("lenet.safetensors")
digits = tg.data.load("digits")
augment = Compose(  # 9,000 digits are few, so each is shifted and rotated a little
    Shift(2, fill=0.0, rng=tg.Generator(0, "shift")), Rotate(10, fill=0.0, rng=tg.Generator(0, "rotate"))
)

model = train_classifier(digits.train, digits.labels, steps, batch=64, seed=0, augment=augment)
path.write_bytes(save(model.state_dict()))
print(f"accuracy on the {len(digits.test):,} test digits: {accuracy(model, digits.test, digits.test_labels):.1%}")
print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
