"""Means over NCCL: what is asked of CuPy's communicator, on a stand-in for it that adds up what threads give."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from processes import on_threads

from tinygen.parallel.nccl import NCCL

TYPES = {6: np.float16, 7: np.float32, 8: np.float64}  # ncclDataType_t
STREAM = SimpleNamespace(ptr=42)
arrays: dict[int, Any] = {}


def kept(x: np.ndarray) -> Any:
    """An array that has an address, as those of a GPU do."""
    array = x.view(OnDevice)
    arrays[id(array)] = array
    return array


class OnDevice(np.ndarray):
    data = property(lambda x: SimpleNamespace(ptr=id(x)))


class Communicator:
    def __init__(self, size: int, identity: tuple[int, ...], rank: int):
        assert identity == (1, 2, 3)  # that of the first process
        self.group = groups[rank]
        assert (self.group.size, self.group.rank) == (size, rank)

    def allReduce(self, source: int, target: int, count: int, dtype: int, operation: int, stream: int) -> None:
        x, y = np.asarray(arrays[source]), np.asarray(arrays[target])
        assert (operation, stream, TYPES[dtype], count) == (0, STREAM.ptr, x.dtype, x.size)
        assert x.flags.c_contiguous and y.flags.c_contiguous
        y[...] = sum(self.group.from_all(x.copy()))


groups: dict[int, Any] = {}


@pytest.fixture(autouse=True)
def cupy(monkeypatch):
    nccl = SimpleNamespace(NCCL_SUM=0, NCCL_FLOAT16=6, NCCL_FLOAT32=7, NCCL_FLOAT64=8)
    nccl.get_unique_id, nccl.NcclCommunicator = lambda: (1, 2, 3), Communicator
    module, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
    module.cuda, cuda.nccl, cuda.get_current_stream = cuda, nccl, lambda: STREAM
    module.ascontiguousarray = lambda x: kept(np.ascontiguousarray(x))
    module.empty_like = lambda x: kept(np.empty(x.shape, x.dtype))
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_mean_is_one_all_reduce(dtype):
    def work(group: Any) -> Any:
        groups[group.rank] = group
        x = np.arange(6, dtype=dtype).reshape(2, 3).T + group.rank  # as it lies, not contiguous
        return np.asarray(NCCL(group).mean_of(x))

    for y in on_threads(2, work):
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, np.arange(6).reshape(2, 3).T + 0.5)
