"""The examples in docstrings run, and every public name is used in one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import typing

import numpy as np
import pytest
from test_package import public_modules

import tinygen as tg
from tinygen.checks import installed

APART = {"tg.estimators": "sklearn"}  # modules that are imported apart, and the package that each needs
PACKAGES = {  # what an example needs beside NumPy
    "tg.export.OnnxModule": ["onnx"],
    "tg.export.onnx": ["onnx"],
    "tg.export.read_onnx": ["onnx"],
    "tg.metrics.Inception": ["onnx", "onnxruntime"],
    "tg.parallel.join": ["mpi4py"],
    "tg.train.TensorBoard": ["tensorboardX"],
}
ROOMS = public_modules()
ROOMS |= {room: importlib.import_module(f"tinygen.{room[3:]}") for room, package in APART.items() if installed(package)}


def values_of(room):
    """The public names of a module and what they stand for, without modules and aliases of types."""
    values = {name: getattr(ROOMS[room], name) for name in ROOMS[room].__all__}
    return {x: v for x, v in values.items() if not (inspect.ismodule(v) or isinstance(v, str) or typing.get_origin(v))}


def example_of(value):
    """The docstring of a function or a class, if it has an example."""
    text = (inspect.getdoc(value) or "") if callable(value) else ""
    return text if ">>>" in text else ""


def extra(names):
    """The names as parameters, those marked that need what a plain installation lacks."""
    marked = (*PACKAGES, *APART)
    return [pytest.param(x, marks=[pytest.mark.oracle] if x.startswith(marked) else []) for x in names]


ALL = {example_of(value): f"{room}.{name}" for room in ROOMS for name, value in values_of(room).items()}  # each once
EXAMPLES = {name: text for text, name in ALL.items() if text}


@pytest.mark.parametrize("name", extra(EXAMPLES))
def test_an_example_tells_the_truth(name, tmp_path, monkeypatch, as_found):
    for package in PACKAGES.get(name, []):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {"tg": tg, "np": np}, name, None, None)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("room", extra(ROOMS))
def test_every_public_name_has_an_example_or_is_used_in_one(room):
    values = values_of(room)
    code = "".join(line for value in values.values() for line in re.findall(r"(?:>>>|[.]{3}) .*", example_of(value)))
    used = re.findall(rf"\b{room}\.(\w+)", code)
    assert not {name for name, value in values.items() if not example_of(value)} - set(used)
