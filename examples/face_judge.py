"""Train the judge of drawn faces that tinygen's metrics use, and write its weights, which ship in tinygen/judges."""

import hashlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save

import tinygen as tg
from tinygen.metrics import read_factors, train_face_judge

steps = 6000
path = Path("face_judge.safetensors")
faces = tg.data.load("sixfactors", size=32)

judge = train_face_judge(faces.train, faces.factors, steps, batch=64, seed=0)
path.write_bytes(save(judge.state_dict()))
error = np.abs(read_factors(judge, faces.test) - faces.test_factors).mean()
print(f"mean absolute error on {len(faces.test):,} test faces: {error:.4f} (a guess of 1/2: 0.25)")
print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
