"""Pictures that cost nothing, for tests that are not about pictures."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import tinygen
from tinygen.train import session
from tinygen.train.compiling import CompiledStep


@pytest.fixture
def viz(monkeypatch):
    """Instead of tinygen.viz: records what it is asked to draw, and writes a file without a picture."""
    fake = ModuleType("tinygen.viz")
    fake.drawn = []

    def draw(path, *content):
        fake.drawn.append((Path(path).name, *content))
        Path(path).write_bytes(b"a picture")

    def save_grid(images, path, value_range, points_range, columns=None, vocabulary=None):
        draw(path, images, value_range, points_range)

    fake.save_grid = save_grid
    fake.save_curves = lambda rows, path: draw(path, list(rows))
    fake.save_gif = lambda frames, path: draw(path, [frame.name for frame in frames])
    fake.save_drawing = lambda name, model, x, labels, path: draw(path, name)
    monkeypatch.setitem(sys.modules, "tinygen.viz", fake)
    monkeypatch.setattr(tinygen, "viz", fake, raising=False)
    return fake


@pytest.fixture
def steps_made(monkeypatch):
    """The compiled steps of the trainings."""
    made = []

    class Kept(CompiledStep):
        def __init__(self, model):
            super().__init__(model)
            made.append(self._step)

    monkeypatch.setattr(session, "CompiledStep", Kept)
    return made
