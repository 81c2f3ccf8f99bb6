"""Random numbers: their distributions, their streams, and that these go back to where they stood."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import standin
from scipy import stats

from tinygen import Tensor, random
from tinygen.backend import current_device, device_module, to_host, use
from tinygen.kernels import noise
from tinygen.random import Generator, default_rng, new_stream

FLOATS = [np.float32, np.float64]
DRAWS = {
    "normal": lambda rng, n: rng.normal((n,), 3.0, 2.0),
    "normal64": lambda rng, n: rng.normal((n,), dtype=np.float64),
    "uniform": lambda rng, n: rng.uniform((n,), -1.0, 1.0),
    "uniform64": lambda rng, n: rng.uniform((n,), dtype=np.float64),
    "gumbel": lambda rng, n: rng.gumbel((n,), 1.0, 2.0),
    "integers": lambda rng, n: rng.integers(-3, 1000, (n,)),
    "permutation": lambda rng, n: rng.permutation(n),
    "bernoulli": lambda rng, n: rng.bernoulli(0.5, device_module(rng.device).empty(n)),
}


def _draw(kind, rng, n=1000):
    return to_host(DRAWS[kind](rng, n))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_is_normal(backend, dtype):
    n = 200_000
    x = Generator(1, "normal").normal((n // 100, 100), 2.0, 3.0, dtype)
    assert (x.dtype, x.shape) == (dtype, (n // 100, 100))
    z = (to_host(x).ravel().astype(np.float64) - 2) / 3
    assert abs(z.mean()) < 4 / n**0.5
    assert abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z[1:] * z[:-1]).mean()) < 4 / n**0.5
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert np.abs(z).max() > 4


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_is_uniform(backend, dtype):
    n = 200_000
    x = Generator(2, "uniform").uniform((n,), -1.0, 3.0, dtype)
    assert (x.dtype, x.shape) == (dtype, (n,))
    u = (to_host(x).astype(np.float64) + 1) / 4
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() <= 1
    assert abs(u.mean() - 1 / 2) < 4 * (1 / 12 / n) ** 0.5
    assert abs(u.var() - 1 / 12) < 4 * (1 / 180 / n) ** 0.5
    assert abs(((u[1:] - 0.5) * (u[:-1] - 0.5)).mean()) < 4 / 12 / n**0.5
    assert stats.kstest(u, "uniform").pvalue > 0.01


@pytest.mark.parametrize("dtype", FLOATS)
def test_gumbel_is_gumbel(backend, dtype):
    n = 200_000
    x = Generator(5, "gumbel").gumbel((n,), 2.0, 3.0, dtype)
    assert (x.dtype, x.shape) == (dtype, (n,))
    assert stats.kstest((to_host(x).astype(np.float64) - 2) / 3, "gumbel_r").pvalue > 0.01


@pytest.mark.parametrize("dtype", [np.float16, *FLOATS])
def test_gumbel_noise_is_finite(cuda, dtype, monkeypatch):
    for bits in (0, 2**64 - 1):
        monkeypatch.setattr(noise, "bits", lambda out, first, bits=bits: standin.full(out.shape, bits, np.uint64))
        g = Generator(0, device="cuda").gumbel((), dtype=dtype)
        assert g.dtype == dtype and np.isfinite(float(g)) and (float(g) < -2 if bits == 0 else float(g) > 10)


def test_integers_are_equally_likely(backend):
    n, low, high = 200_000, -7, 30
    x = Generator(3).integers(low, high, (n,))
    assert (x.dtype, x.shape) == (np.int64, (n,))
    counts = np.bincount(to_host(x) - low, minlength=high - low)
    assert len(counts) == high - low
    assert stats.chisquare(counts).pvalue > 0.01


def test_permutations_are_equally_likely(backend):
    rng = Generator(4)
    assert sorted(to_host(rng.permutation(1000))) == list(range(1000))
    orders = [tuple(to_host(rng.permutation(3))) for _ in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01
    assert rng.permutation(5).dtype == np.int64
    assert rng.permutation(0).shape == (0,)


@pytest.mark.parametrize("p", [0.001, 0.3, 0.5, 0.9])
def test_bernoulli_has_its_share(backend, p):
    n = 200_000
    draws = to_host(Generator(11).bernoulli(p, backend.xp.zeros(n, np.float32)))
    assert abs(draws.mean() - p) < 4 * (p * (1 - p) / n) ** 0.5
    for lag in (1, 2, 3, 4, 8):  # the CPU makes four draws of 64 bits
        assert abs(np.corrcoef(draws[lag:], draws[:-lag])[0, 1]) < 4 / n**0.5


def test_bernoulli_of_nothing_and_of_everything(backend):
    x = backend.xp.zeros(100_000)
    assert not Generator(0).bernoulli(0.0, x).any() and Generator(0).bernoulli(1.0, x).all()


def test_bernoulli_is_laid_out_as_what_it_is_for(backend):
    """And then the numbers follow the memory, so that an elementwise pass over both is one."""
    rng = Generator(12)
    hwnc = backend.xp.zeros((3, 4, 2, 5), np.float32).transpose(2, 0, 1, 3)
    for x in (backend.xp.zeros((2, 3, 4)), hwnc, hwnc[::-1, :, 1:], backend.xp.zeros(()), backend.xp.zeros((0, 3))):
        state, kept = rng.state, rng.bernoulli(0.5, Tensor(x))
        assert type(kept) is backend.xp.ndarray and kept.dtype == bool and kept.shape == x.shape
        rng.state = state
        np.testing.assert_array_equal(to_host(rng.bernoulli(0.5, x)), to_host(kept))
    kept = to_host(Generator(12).bernoulli(0.5, hwnc))
    if backend.name == "numpy":
        assert kept.transpose(1, 2, 0, 3).flags.c_contiguous
    expected = kept.transpose(1, 2, 0, 3) if backend.name == "numpy" else kept
    in_a_row = Generator(12).bernoulli(0.5, backend.xp.zeros(120))
    np.testing.assert_array_equal(expected.ravel(), to_host(in_a_row))


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_never_reaches_one_and_the_logarithm_in_normal_is_finite(cuda, dtype, monkeypatch):
    rng = Generator(0, device="cuda")
    for bits in (0, 2**64 - 1):
        monkeypatch.setattr(noise, "bits", lambda out, first, bits=bits: standin.full(out.shape, bits, np.uint64))
        u = float(rng.uniform((), dtype=dtype))
        assert u == 0 if bits == 0 else 1 - 2.0**-20 < u < 1
        assert np.isfinite(float(rng.normal((), dtype=dtype)))
        for high in (1, 3, 1000, 2**31 - 1, 2**53 - 1):
            assert int(rng.integers(0, high)) == (0 if bits == 0 else high - 1)


@pytest.mark.parametrize("shape", [(), 3, (2, 3), [4], (0,), (2, 0, 3)])
def test_every_shape_gives_an_array_of_the_device(backend, shape):
    expected = (shape,) if isinstance(shape, int) else tuple(shape)
    rng = Generator(0)
    draws = [rng.normal(shape), rng.normal(shape, 1.0, 2.0), rng.uniform(shape), rng.uniform(shape, -1.0, 1.0)]
    for x in [*draws, rng.integers(0, 9, shape)]:
        assert type(x) is backend.xp.ndarray
        assert x.shape == expected
    assert {x.dtype for x in draws} == {np.dtype(np.float32)}


def test_integers_of_an_empty_range(backend):
    rng = Generator(0)
    for low, high in ((0, 0), (5, 3)):
        with pytest.raises(ValueError, match=f"integers: low is {low}, but it must be less than high, which is {high}"):
            rng.integers(low, high, (2,))
    assert to_host(rng.integers(-1, 0, (3,))).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("kind", DRAWS)
def test_a_stream_goes_back_to_its_state(backend, kind):
    rng = Generator(5, "stream")
    _draw(kind, rng, 3)  # leaves half a word in NumPy's buffer
    state = json.loads(json.dumps(rng.state))
    first, second = _draw(kind, rng), _draw(kind, rng)
    assert not np.array_equal(first, second)
    rng.state = state
    np.testing.assert_array_equal(_draw(kind, rng), first)
    np.testing.assert_array_equal(_draw(kind, rng), second)

    other = Generator(99, "another")
    other.state = state
    assert (other.seed, other.name, other.state) == (5, "stream", state)
    np.testing.assert_array_equal(_draw(kind, other), first)


def test_a_state_is_a_snapshot(backend):
    rng = Generator(5)
    state = rng.state
    before = json.dumps(state)
    rng.normal((3,))
    assert json.dumps(state) == before
    assert rng.state != state


def test_a_state_of_the_other_device_is_refused(cuda):
    cpu, gpu = Generator(0), Generator(0, device="cuda")
    with pytest.raises(ValueError, match=r"Generator\(seed=0, .*'cuda'\): this state belongs to a stream on 'cpu'"):
        gpu.state = cpu.state
    with pytest.raises(ValueError, match="belongs to a stream on 'cuda'"):
        cpu.state = gpu.state


@pytest.mark.parametrize("kind", [kind for kind in DRAWS if kind not in ("permutation", "bernoulli")])
def test_pieces_are_equal_to_the_whole(backend, kind):
    whole = _draw(kind, Generator(6), 100)
    rng = Generator(6)
    np.testing.assert_array_equal(np.concatenate([_draw(kind, rng, n) for n in (1, 0, 6, 93)]), whole)


def test_the_shape_does_not_change_the_numbers(backend):
    square, row = Generator(6).normal((10, 10)), Generator(6).normal(100)
    np.testing.assert_array_equal(to_host(square).ravel(), to_host(row))


@pytest.mark.parametrize("kind", DRAWS)
def test_equal_seeds_draw_equal_numbers_and_copies_go_their_own_way(backend, kind):
    rng = Generator(7, "a")
    twin = copy.deepcopy(rng)
    first = _draw(kind, rng)
    np.testing.assert_array_equal(_draw(kind, Generator(7, "a")), first)
    np.testing.assert_array_equal(_draw(kind, twin), first)


def test_streams_are_independent(backend):
    n, keys = 20_000, [(0, ""), (1, ""), (2, ""), (0, "a"), (0, "b"), (1, "a"), (2**70, ""), (0, "D.0/1"), (0, "D.0/2")]
    u = np.stack([to_host(Generator(seed, name).uniform((n,), dtype=np.float64)) for seed, name in keys])
    assert len(np.unique(u)) == u.size
    correlation = np.corrcoef(u) - np.eye(len(keys))
    assert np.abs(correlation).max() < 4 / n**0.5


def test_drawing_on_the_device_waits_for_nothing(cuda):
    rng = Generator(0, device="cuda")
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


def bits_of(rng, shape):
    """The next bits of a stream on the device."""
    out = device_module("cuda").empty(shape, np.uint64)
    return random.fill_from(rng.take("bits", out.size), "bits", out)


def test_the_stream_on_the_device_is_splitmix64(cuda):
    rng = Generator(0, device="cuda")
    rng._key = 1234567
    assert bits_of(rng, (5,)).tolist() == SPLITMIX64
    rng = Generator(8, "key", device="cuda")
    reference = _splitmix64(rng._key)
    expected = [next(reference) for _ in range(1000)]
    assert [*bits_of(rng, (10, 30)).ravel().tolist(), *bits_of(rng, (700,)).tolist()] == expected
    rng.state = {**rng.state, "where": {"counter": 990}}
    assert bits_of(rng, (10,)).tolist() == expected[990:]
    rng._key, rng._counter = 0, 2**64 - 1  # the counter wraps as the state does
    assert bits_of(rng, (2,)).tolist() == [0, next(_splitmix64(0))]


def test_draws_on_the_device_follow_from_its_bits(cuda):
    """53 bits make a float64, 24 a float32; Box and Muller make a normal draw of two uniform ones."""
    rng = Generator(9, device="cuda")
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
    rng = Generator(0)
    assert rng.state["where"]["bit_generator"] == "PCG64DXSM"
    twin = np.random.Generator(np.random.PCG64DXSM())
    twin.bit_generator.state = rng.state["where"]
    np.testing.assert_array_equal(rng.normal((5,)), twin.standard_normal(5, np.float32))


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True, np.float64(2)])
def test_a_bad_seed_is_refused_and_changes_nothing(seed):
    with pytest.raises(ValueError, match=r"Generator: seed is .*, but it must be an int of at least 0"):
        Generator(seed)
    expected = to_host(new_stream("x").uniform(3))
    random.seed(0)
    with pytest.raises(ValueError, match="Generator: seed is"):
        random.seed(seed)
    np.testing.assert_array_equal(to_host(new_stream("x").uniform(3)), expected)


def test_large_and_numpy_seeds():
    assert Generator(np.int64(3)).state == Generator(3).state
    assert Generator(2**200).state != Generator(0).state


# The streams that are there by default.


def test_seed_starts_the_default_streams_anew(backend):
    def draw():
        shared = [to_host(default_rng().uniform(2)) for _ in range(2)]
        own = [to_host(new_stream(name).uniform(2)) for name in ("a", "a", "b")]
        return np.stack(shared + own)

    random.seed(3)
    first = draw()
    assert len(np.unique(first)) == first.size
    assert not np.array_equal(first, draw())
    random.seed(3)
    np.testing.assert_array_equal(draw(), first)
    random.seed(4)
    assert not np.isin(draw(), first).any()


def test_names_of_the_default_streams(backend):
    assert default_rng() is default_rng()
    assert (default_rng().name, default_rng().device) == ("default", current_device())
    names = [new_stream(name).name for name in ("noise", "noise", "data", "noise")]
    assert names == ["noise/0", "noise/1", "data/0", "noise/2"]
    assert repr(new_stream("data")) == f"Generator(seed=0, name='data/1', device={current_device()!r})"


def test_each_device_has_its_default_stream(cuda):
    cpu = default_rng()
    with use("cuda"):
        gpu = default_rng()
        assert gpu is default_rng()
    assert default_rng() is cpu
    assert (cpu.device, gpu.device) == ("cpu", "cuda")
