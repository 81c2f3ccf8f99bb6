"""Tests of what llvmlite makes."""

from __future__ import annotations

import pytest

pytest.importorskip("llvmlite", "0.45", reason="machine code is made by llvmlite, which the extra `fast` brings")
