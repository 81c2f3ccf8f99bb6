"""The examples in docstrings run, and every public name is used in one."""

from __future__ import annotations

import doctest
import inspect
import re
import typing

import numpy as np
import pytest
from test_package import public_modules

import tinygen as tg

ROOMS = public_modules()


def values_of(room):
    """The public names of a module and what they stand for, without modules and aliases of types."""
    values = {name: getattr(ROOMS[room], name) for name in ROOMS[room].__all__}
    return {x: v for x, v in values.items() if not (inspect.ismodule(v) or isinstance(v, str) or typing.get_origin(v))}


def example_of(value):
    """The docstring of a function or a class, if it has an example."""
    text = (inspect.getdoc(value) or "") if callable(value) else ""
    return text if ">>>" in text else ""


ALL = {example_of(value): f"{room}.{name}" for room in ROOMS for name, value in values_of(room).items()}  # each once
EXAMPLES = {name: text for text, name in ALL.items() if text}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_tells_the_truth(name, tmp_path, monkeypatch, as_found):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {"tg": tg, "np": np}, name, None, None)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_example_or_is_used_in_one(room):
    values = values_of(room)
    code = "".join(line for value in values.values() for line in re.findall(r"(?:>>>|[.]{3}) .*", example_of(value)))
    used = re.findall(rf"\b{room}\.(\w+)", code)
    assert not {name for name, value in values.items() if not example_of(value)} - set(used)
