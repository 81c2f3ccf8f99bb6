"""Devices, and copies between them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import standin

from tinygen import backend as tg
from tinygen.errors import DeviceError, UserError


def test_the_cpu_is_the_default():
    assert tg.current_device() == "cpu"
    assert tg.current_module() is np


def test_use_as_a_statement(cuda):
    tg.use("cuda")
    try:
        assert tg.current_device() == "cuda"
        assert tg.current_module() is standin
    finally:
        tg.use("cpu")
    assert tg.current_module() is np


def test_use_nests_as_a_context_manager(cuda):
    with tg.use("cuda") as outer:
        assert repr(outer) == "tinygen.use('cuda')"
        with tg.use("cpu"):
            assert tg.current_device() == "cpu"
            with tg.use("cuda"):
                assert tg.current_device() == "cuda"
            assert tg.current_device() == "cpu"
        assert tg.current_device() == "cuda"
    assert tg.current_device() == "cpu"


def test_use_ends_with_an_exception(cuda):
    with pytest.raises(KeyError), tg.use("cuda"):
        raise KeyError
    assert tg.current_device() == "cpu"


@pytest.mark.parametrize("device", ["gpu", "CUDA", "", None, 0])
def test_an_unknown_device_is_named_and_changes_nothing(device):
    with pytest.raises(ValueError, match=r"use: device is .*, but it must be one of 'cpu', 'cuda'"):
        tg.use(device)
    assert tg.current_device() == "cpu"


def _install_cupy(monkeypatch, cupy):
    monkeypatch.setattr(tg, "_modules", {"cpu": np})
    monkeypatch.setattr(tg, "_module_of", {np.ndarray: np})
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def _fake_cupy(count_devices):
    class ndarray:
        __module__ = "cupy"
        shape = (2,)

    cupy = ModuleType("cupy")
    cupy.ndarray = ndarray
    cupy.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=count_devices))
    return cupy


def test_without_cupy_the_error_says_what_to_install(monkeypatch):
    _install_cupy(monkeypatch, None)  # None makes Python raise ModuleNotFoundError
    with pytest.raises(DeviceError, match=r"CuPy is not installed; pip install \"tinygen\[cuda13\]\"") as caught:
        tg.use("cuda")
    assert isinstance(caught.value, UserError)
    assert tg.current_device() == "cpu"
    assert tg._modules == {"cpu": np}


def test_without_a_gpu_the_error_says_so(monkeypatch):
    _install_cupy(monkeypatch, _fake_cupy(lambda: 0))
    with pytest.raises(DeviceError, match=r"no usable GPU \(CuPy sees no GPU\); `tinygen doctor` says more"):
        tg.use("cuda")


@pytest.mark.parametrize("error", [RuntimeError("cudaErrorInsufficientDriver"), ImportError("libcudart.so.13")])
def test_without_a_driver_the_error_carries_the_cause(monkeypatch, error):
    def count_devices():
        raise error

    _install_cupy(monkeypatch, _fake_cupy(count_devices))
    with pytest.raises(DeviceError, match=rf"no usable GPU \({error}\)"):
        tg.use("cuda")


def test_the_first_compilation_of_kernels_is_told_once(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "kernels"
    monkeypatch.setenv("CUPY_CACHE_DIR", str(folder))
    line = "tinygen: CuPy compiles its kernels for this GPU, once, when each is first used ...\n"
    for there, told in [(None, line), ("ab.cubin.cu", line), ("ab.cubin", "")]:
        folder.mkdir(exist_ok=True)
        if there:
            (folder / there).touch()
        _install_cupy(monkeypatch, standin)
        for _ in range(2):
            with tg.use("cuda"):
                tg.current_module().zeros(3)
        assert capsys.readouterr().err == told


def test_no_compilation_is_told_where_there_is_no_gpu(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    _install_cupy(monkeypatch, _fake_cupy(lambda: 0))
    with pytest.raises(DeviceError):
        tg.use("cuda")
    assert capsys.readouterr().err == ""


def test_an_array_that_was_made_before_cuda_was_asked_for(monkeypatch):
    cupy = _fake_cupy(lambda: 1)
    _install_cupy(monkeypatch, cupy)
    assert tg.array_module(cupy.ndarray()) is cupy
    assert tg.is_array(cupy.ndarray())
    assert tg.current_device() == "cpu"


# What owns an array, and the way from one device to the other.


class Tensor:
    """As much of a Tensor as the backend looks at."""

    def __init__(self, data):
        self.array = data
        self.shape = data.shape


SCALARS = [1, 2.0, True, None, "text", [1.0], (1.0,), np.float32(1.0)]


def test_array_module(backend):
    x = backend.asarray(np.ones(3))
    assert tg.array_module(x) is backend.xp
    assert tg.array_module(Tensor(x)) is backend.xp
    assert tg.array_module(2.0, None, x) is backend.xp
    assert tg.array_module(x[0]) is backend.xp or backend.name == "numpy"
    assert tg.device_of(x) == tg.device_of(Tensor(x)) == tg.current_device()
    assert tg.is_array(x)
    assert not tg.is_array(Tensor(x))


@pytest.mark.parametrize("scalar", SCALARS)
def test_numpy_owns_what_nobody_owns(backend, scalar):
    assert tg.array_module(scalar) is np
    assert not tg.is_array(scalar)


def test_a_subclass_of_numpy_is_an_array_of_numpy(tmp_path):
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(3,))
    assert tg.array_module(x) is np
    assert tg.is_array(x)
    assert tg.to_device(x) is x


def test_the_first_array_decides(cuda):
    x, y = np.ones(2), standin.ones(2)
    assert tg.array_module(x, y) is np
    assert tg.array_module(y, x) is standin


def test_round_trips_keep_values_types_and_identity(backend):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = tg.to_device(host)
    assert tg.array_module(x) is backend.xp
    assert tg.to_device(x) is x
    back = tg.to_host(x)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (host.dtype, host.shape)
    np.testing.assert_array_equal(back, host)
    assert tg.to_host(back) is back
    assert (back is host) == (backend.name == "numpy")


def test_a_tensor_is_moved_as_its_array_is(cuda):
    x = Tensor(tg.to_device(np.array([1.0, 2.0]), "cuda"))
    for moved in (tg.to_host(x), tg.to_device(x, "cpu")):
        assert type(moved) is np.ndarray and moved.tolist() == [1, 2]


def test_to_device_takes_the_device_by_name(cuda):
    x = tg.to_device(np.ones(2), "cuda")
    assert type(x) is standin.ndarray
    assert tg.to_device(x, "cuda") is x
    assert type(tg.to_device(x)) is np.ndarray
    with tg.use("cuda"):
        assert type(tg.to_device(x, "cpu")) is np.ndarray
    with pytest.raises(ValueError, match="use: device is 'tpu'"):
        tg.to_device(x, "tpu")


@pytest.mark.parametrize("data", [[1.0, 2.0], 3.0, np.float32(4.0), [[1, 2], [3, 4]]])
def test_lists_and_scalars_become_arrays(backend, data):
    x = tg.to_device(data)
    assert tg.array_module(x) is backend.xp
    np.testing.assert_array_equal(tg.to_host(x), data)
    np.testing.assert_array_equal(tg.to_host(data), data)


def test_a_copy_to_the_host_waits_and_nothing_else_does(cuda):
    x = standin.ones(3)
    with standin.count_syncs() as syncs:
        tg.array_module(x), tg.is_array(x), tg.device_of(x), tg.to_device(x, "cuda")
    assert syncs.count == 0, syncs
    with standin.count_syncs() as syncs:
        tg.to_host(x)
    assert syncs.count == 1
