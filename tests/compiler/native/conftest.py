"""Code that these tests compile is kept in a folder of theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("llvmlite", "0.45", reason="machine code is made by llvmlite, which the extra `fast` brings")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYGEN_CACHE", str(tmp_path_factory.mktemp("code")))
        yield
