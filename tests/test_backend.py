"""Devices, copies between them, and random numbers."""

from __future__ import annotations

import copy
import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import standin
from scipy import stats

from tinygen import backend as tg
from tinygen.errors import DeviceError, UserError

# Devices.


@pytest.fixture
def cuda(monkeypatch):
    """The stand-in as "cuda", while the CPU stays the current device."""
    monkeypatch.setattr(tg, "_modules", {"cpu": np, "cuda": standin})
    monkeypatch.setattr(tg, "_module_of", {np.ndarray: np, standin.ndarray: standin})


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
        self._data = data
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


# Random numbers.

FLOATS = [np.float32, np.float64]
DRAWS = {
    "normal": lambda rng, n: rng.normal((n,), 3.0, 2.0),
    "normal64": lambda rng, n: rng.normal((n,), dtype=np.float64),
    "uniform": lambda rng, n: rng.uniform((n,), -1.0, 1.0),
    "uniform64": lambda rng, n: rng.uniform((n,), dtype=np.float64),
    "integers": lambda rng, n: rng.integers(-3, 1000, (n,)),
    "permutation": lambda rng, n: rng.permutation(n),
    "bernoulli": lambda rng, n: rng.bernoulli(0.5, tg._load(rng.device).empty(n)),
}


def _draw(kind, rng, n=1000):
    return tg.to_host(DRAWS[kind](rng, n))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_is_normal(backend, dtype):
    n = 200_000
    x = tg.Generator(1, "normal").normal((n // 100, 100), 2.0, 3.0, dtype)
    assert (x.dtype, x.shape) == (dtype, (n // 100, 100))
    z = (tg.to_host(x).ravel().astype(np.float64) - 2) / 3
    assert abs(z.mean()) < 4 / n**0.5
    assert abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z[1:] * z[:-1]).mean()) < 4 / n**0.5
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert np.abs(z).max() > 4


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_is_uniform(backend, dtype):
    n = 200_000
    x = tg.Generator(2, "uniform").uniform((n,), -1.0, 3.0, dtype)
    assert (x.dtype, x.shape) == (dtype, (n,))
    u = (tg.to_host(x).astype(np.float64) + 1) / 4
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() <= 1
    assert abs(u.mean() - 1 / 2) < 4 * (1 / 12 / n) ** 0.5
    assert abs(u.var() - 1 / 12) < 4 * (1 / 180 / n) ** 0.5
    assert abs(((u[1:] - 0.5) * (u[:-1] - 0.5)).mean()) < 4 / 12 / n**0.5
    assert stats.kstest(u, "uniform").pvalue > 0.01


def test_integers_are_equally_likely(backend):
    n, low, high = 200_000, -7, 30
    x = tg.Generator(3).integers(low, high, (n,))
    assert (x.dtype, x.shape) == (np.int64, (n,))
    counts = np.bincount(tg.to_host(x) - low, minlength=high - low)
    assert len(counts) == high - low
    assert stats.chisquare(counts).pvalue > 0.01


def test_permutations_are_equally_likely(backend):
    rng = tg.Generator(4)
    assert sorted(tg.to_host(rng.permutation(1000))) == list(range(1000))
    orders = [tuple(tg.to_host(rng.permutation(3))) for _ in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01
    assert rng.permutation(5).dtype == np.int64
    assert rng.permutation(0).shape == (0,)


@pytest.mark.parametrize("p", [0.001, 0.3, 0.5, 0.9])
def test_bernoulli_has_its_share(backend, p):
    n = 200_000
    draws = tg.to_host(tg.Generator(11).bernoulli(p, backend.xp.zeros(n, np.float32)))
    assert abs(draws.mean() - p) < 4 * (p * (1 - p) / n) ** 0.5
    for lag in (1, 2, 3, 4, 8):  # the CPU makes four draws of 64 bits
        assert abs(np.corrcoef(draws[lag:], draws[:-lag])[0, 1]) < 4 / n**0.5


def test_bernoulli_of_nothing_and_of_everything(backend):
    x = backend.xp.zeros(100_000)
    assert not tg.Generator(0).bernoulli(0.0, x).any() and tg.Generator(0).bernoulli(1.0, x).all()


def test_bernoulli_is_laid_out_as_what_it_is_for(backend):
    """And then the numbers follow the memory, so that an elementwise pass over both is one."""
    rng = tg.Generator(12)
    hwnc = backend.xp.zeros((3, 4, 2, 5), np.float32).transpose(2, 0, 1, 3)
    for x in (backend.xp.zeros((2, 3, 4)), hwnc, hwnc[::-1, :, 1:], backend.xp.zeros(()), backend.xp.zeros((0, 3))):
        state, kept = rng.state, rng.bernoulli(0.5, Tensor(x))
        assert type(kept) is backend.xp.ndarray and kept.dtype == bool and kept.shape == x.shape
        rng.state = state
        np.testing.assert_array_equal(tg.to_host(rng.bernoulli(0.5, x)), tg.to_host(kept))
    kept = tg.to_host(tg.Generator(12).bernoulli(0.5, hwnc))
    if backend.name == "numpy":
        assert kept.transpose(1, 2, 0, 3).flags.c_contiguous
    expected = kept.transpose(1, 2, 0, 3) if backend.name == "numpy" else kept
    in_a_row = tg.Generator(12).bernoulli(0.5, backend.xp.zeros(120))
    np.testing.assert_array_equal(expected.ravel(), tg.to_host(in_a_row))


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_never_reaches_one_and_the_logarithm_in_normal_is_finite(cuda, dtype, monkeypatch):
    rng = tg.Generator(0, device="cuda")
    for bits in (0, 2**64 - 1):
        monkeypatch.setattr(rng, "_bits", lambda shape, bits=bits: standin.full(shape, bits, np.uint64))
        u = float(rng.uniform((), dtype=dtype))
        assert u == 0 if bits == 0 else 1 - 2.0**-20 < u < 1
        assert np.isfinite(float(rng.normal((), dtype=dtype)))
        for high in (1, 3, 1000, 2**31 - 1, 2**53 - 1):
            assert int(rng.integers(0, high)) == (0 if bits == 0 else high - 1)


@pytest.mark.parametrize("shape", [(), 3, (2, 3), [4], (0,), (2, 0, 3)])
def test_every_shape_gives_an_array_of_the_device(backend, shape):
    expected = (shape,) if isinstance(shape, int) else tuple(shape)
    rng = tg.Generator(0)
    draws = [rng.normal(shape), rng.normal(shape, 1.0, 2.0), rng.uniform(shape), rng.uniform(shape, -1.0, 1.0)]
    for x in [*draws, rng.integers(0, 9, shape)]:
        assert type(x) is backend.xp.ndarray
        assert x.shape == expected
    assert {x.dtype for x in draws} == {np.dtype(np.float32)}


def test_integers_of_an_empty_range(backend):
    rng = tg.Generator(0)
    for low, high in ((0, 0), (5, 3)):
        with pytest.raises(ValueError, match=f"integers: low is {low}, but it must be less than high, which is {high}"):
            rng.integers(low, high, (2,))
    assert tg.to_host(rng.integers(-1, 0, (3,))).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("kind", DRAWS)
def test_a_stream_goes_back_to_its_state(backend, kind):
    rng = tg.Generator(5, "stream")
    _draw(kind, rng, 3)  # leaves half a word in NumPy's buffer
    state = json.loads(json.dumps(rng.state))
    first, second = _draw(kind, rng), _draw(kind, rng)
    assert not np.array_equal(first, second)
    rng.state = state
    np.testing.assert_array_equal(_draw(kind, rng), first)
    np.testing.assert_array_equal(_draw(kind, rng), second)

    other = tg.Generator(99, "another")
    other.state = state
    assert (other.seed, other.name, other.state) == (5, "stream", state)
    np.testing.assert_array_equal(_draw(kind, other), first)


def test_a_state_is_a_snapshot(backend):
    rng = tg.Generator(5)
    state = rng.state
    before = json.dumps(state)
    rng.normal((3,))
    assert json.dumps(state) == before
    assert rng.state != state


def test_a_state_of_the_other_device_is_refused(cuda):
    cpu, gpu = tg.Generator(0), tg.Generator(0, device="cuda")
    with pytest.raises(ValueError, match=r"Generator\(seed=0, .*'cuda'\): this state belongs to a stream on 'cpu'"):
        gpu.state = cpu.state
    with pytest.raises(ValueError, match="belongs to a stream on 'cuda'"):
        cpu.state = gpu.state


@pytest.mark.parametrize("kind", [kind for kind in DRAWS if kind not in ("permutation", "bernoulli")])
def test_pieces_are_equal_to_the_whole(backend, kind):
    whole = _draw(kind, tg.Generator(6), 100)
    rng = tg.Generator(6)
    np.testing.assert_array_equal(np.concatenate([_draw(kind, rng, n) for n in (1, 0, 6, 93)]), whole)


def test_the_shape_does_not_change_the_numbers(backend):
    square, row = tg.Generator(6).normal((10, 10)), tg.Generator(6).normal(100)
    np.testing.assert_array_equal(tg.to_host(square).ravel(), tg.to_host(row))


@pytest.mark.parametrize("kind", DRAWS)
def test_equal_seeds_draw_equal_numbers_and_copies_go_their_own_way(backend, kind):
    rng = tg.Generator(7, "a")
    twin = copy.deepcopy(rng)
    first = _draw(kind, rng)
    np.testing.assert_array_equal(_draw(kind, tg.Generator(7, "a")), first)
    np.testing.assert_array_equal(_draw(kind, twin), first)


def test_streams_are_independent(backend):
    n, keys = 20_000, [(0, ""), (1, ""), (2, ""), (0, "a"), (0, "b"), (1, "a"), (2**70, ""), (0, "D.0/1"), (0, "D.0/2")]
    u = np.stack([tg.to_host(tg.Generator(seed, name).uniform((n,), dtype=np.float64)) for seed, name in keys])
    assert len(np.unique(u)) == u.size
    correlation = np.corrcoef(u) - np.eye(len(keys))
    assert np.abs(correlation).max() < 4 / n**0.5


def test_drawing_on_the_device_waits_for_nothing(cuda):
    rng = tg.Generator(0, device="cuda")
    with standin.capturing(), standin.count_syncs() as syncs:
        for draw in DRAWS.values():
            draw(rng, 100)
        rng.state = rng.state
    assert syncs.count == 0, syncs


# The first outputs of SplitMix64 for seed 1234567, as published: rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
SPLITMIX64 = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def _splitmix64(state: int):
    """SplitMix64 in Python's integers, one number at a time."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        yield z ^ z >> 31


def test_the_stream_on_the_device_is_splitmix64(cuda):
    rng = tg.Generator(0, device="cuda")
    rng._key = 1234567
    assert rng._bits((5,)).tolist() == SPLITMIX64
    rng = tg.Generator(8, "key", device="cuda")
    reference = _splitmix64(rng._key)
    expected = [next(reference) for _ in range(1000)]
    assert [*rng._bits((10, 30)).ravel().tolist(), *rng._bits((700,)).tolist()] == expected
    rng.state = {**rng.state, "where": {"counter": 990}}
    assert rng._bits((10,)).tolist() == expected[990:]
    rng._key, rng._counter = 0, 2**64 - 1  # the counter wraps as the state does
    assert rng._bits((2,)).tolist() == [0, next(_splitmix64(0))]


def test_draws_on_the_device_follow_from_its_bits(cuda):
    """53 bits make a float64, 24 a float32; Box and Muller make a normal draw of two uniform ones."""
    rng = tg.Generator(9, device="cuda")
    reference = _splitmix64(rng._key)
    bits = np.array([next(reference) for _ in range(12)], np.uint64)
    start, u = rng.state, (bits >> np.uint64(11)) / 2.0**53
    np.testing.assert_array_equal(rng.uniform((12,), dtype=np.float64).get(), u)
    rng.state = start
    np.testing.assert_array_equal(rng.uniform((12,)).get(), (bits >> np.uint64(40)) / np.float32(2**24))
    rng.state = start
    expected = np.sqrt(-2 * np.log(1 - u[::2])) * np.cos(2 * np.pi * u[1::2])
    np.testing.assert_allclose(rng.normal((6,), dtype=np.float64).get(), expected, rtol=1e-14)
    rng.state = start
    np.testing.assert_array_equal(rng.integers(-5, 95, (12,)).get(), np.floor(u * 100) - 5)
    rng.state = start
    np.testing.assert_array_equal(rng.permutation(12).get(), np.argsort(bits))


def test_the_stream_on_the_cpu_is_numpys(cuda):
    rng = tg.Generator(0)
    assert rng.state["where"]["bit_generator"] == "PCG64DXSM"
    twin = np.random.Generator(np.random.PCG64DXSM())
    twin.bit_generator.state = rng.state["where"]
    np.testing.assert_array_equal(rng.normal((5,)), twin.standard_normal(5, np.float32))


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True, np.float64(2)])
def test_a_bad_seed_is_refused_and_changes_nothing(seed):
    with pytest.raises(ValueError, match=r"Generator: seed is .*, but it must be an int of at least 0"):
        tg.Generator(seed)
    expected = tg.to_host(tg.new_stream("x").uniform(3))
    tg.seed(0)
    with pytest.raises(ValueError, match="Generator: seed is"):
        tg.seed(seed)
    np.testing.assert_array_equal(tg.to_host(tg.new_stream("x").uniform(3)), expected)


def test_large_and_numpy_seeds():
    assert tg.Generator(np.int64(3)).state == tg.Generator(3).state
    assert tg.Generator(2**200).state != tg.Generator(0).state


# The streams that are there by default.


def test_seed_starts_the_default_streams_anew(backend):
    def draw():
        shared = [tg.to_host(tg.default_rng().uniform(2)) for _ in range(2)]
        own = [tg.to_host(tg.new_stream(name).uniform(2)) for name in ("a", "a", "b")]
        return np.stack(shared + own)

    tg.seed(3)
    first = draw()
    assert len(np.unique(first)) == first.size
    assert not np.array_equal(first, draw())
    tg.seed(3)
    np.testing.assert_array_equal(draw(), first)
    tg.seed(4)
    assert not np.isin(draw(), first).any()


def test_names_of_the_default_streams(backend):
    assert tg.default_rng() is tg.default_rng()
    assert (tg.default_rng().name, tg.default_rng().device) == ("default", tg.current_device())
    names = [tg.new_stream(name).name for name in ("noise", "noise", "data", "noise")]
    assert names == ["noise/0", "noise/1", "data/0", "noise/2"]
    assert repr(tg.new_stream("data")) == f"Generator(seed=0, name='data/1', device={tg.current_device()!r})"


def test_each_device_has_its_default_stream(cuda):
    cpu = tg.default_rng()
    with tg.use("cuda"):
        gpu = tg.default_rng()
        assert gpu is tg.default_rng()
    assert tg.default_rng() is cpu
    assert (cpu.device, gpu.device) == ("cpu", "cuda")
