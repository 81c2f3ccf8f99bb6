"""The back ends under test, and a folder of the tests' own for the code that they compile."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
from compiler.graphs import on_standin
from conftest import Backend

NATIVE = pytest.param(
    "native",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("llvmlite") is None,
        reason="machine code is made by llvmlite, which the extra `fast` brings",
    ),
)


@pytest.fixture(params=["numpy", NATIVE])
def back_end(request: pytest.FixtureRequest) -> str:
    """Each back end in turn that makes something of a program."""
    return request.param


@pytest.fixture
def graphs(gpu: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backends of a GPU in turn, on which compiled steps are captured as graphs."""
    if gpu.name == "standin":
        on_standin(monkeypatch)
    return gpu


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYGEN_CACHE", str(tmp_path_factory.mktemp("code")))
        yield
