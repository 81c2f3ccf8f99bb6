"""Initial weights: how they spread, which fans they count, and that they follow from the seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygen as tg
from tinygen import init
from tinygen.random import Generator

# The variance that each paper gives, of fan_in and fan_out, and the kurtosis of the law: 9/5 if uniform, 3 if normal.
LAWS = {
    init.glorot_uniform: (lambda fan_in, fan_out: 2 / (fan_in + fan_out), 1.8),
    init.glorot_normal: (lambda fan_in, fan_out: 2 / (fan_in + fan_out), 3.0),
    init.he_uniform: (lambda fan_in, fan_out: 2 / fan_in, 1.8),
    init.he_normal: (lambda fan_in, fan_out: 2 / fan_in, 3.0),
    init.fan_in_uniform: (lambda fan_in, fan_out: 1 / (3 * fan_in), 1.8),
    init.normal: (lambda fan_in, fan_out: 0.02**2, 3.0),
}
ALL = [*LAWS, init.orthogonal, init.zeros, init.ones]
FANS = [((300, 200), 300, 200), ((5, 3, 32, 64), 5 * 3 * 32, 5 * 3 * 64)]
SIGMAS = 5


def name(f):
    return f.__name__


@pytest.mark.parametrize("shape, fan_in, fan_out", FANS)
@pytest.mark.parametrize("law", LAWS, ids=name)
def test_moments(backend, law, shape, fan_in, fan_out):
    variance, kurtosis = LAWS[law]
    w = backend.to_host(law(shape, Generator(3), np.float64))
    expected, n = variance(fan_in, fan_out), w.size
    assert abs(w.mean()) < SIGMAS * math.sqrt(expected / n)
    assert w.var() == pytest.approx(expected, rel=SIGMAS * math.sqrt((kurtosis - 1) / n))
    assert ((w / w.std()) ** 4).mean() == pytest.approx(kurtosis, rel=SIGMAS * math.sqrt(24 / n))


@pytest.mark.parametrize(
    "law, bound", [(init.glorot_uniform, math.sqrt(6 / 500)), (init.he_uniform, math.sqrt(6 / 300))]
)
def test_uniform_laws_fill_their_interval(backend, law, bound):
    w = backend.to_host(law((300, 200), Generator(0)))
    assert w.max() <= np.float32(bound) and w.min() >= -np.float32(bound)
    assert w.max() > 0.999 * bound and w.min() < -0.999 * bound


@pytest.mark.parametrize(
    "make", [lambda rng: tg.layers.Dense(90, 400, weight_init=init.fan_in_uniform, rng=rng),
             lambda rng: tg.layers.Conv(10, 400, 3, weight_init=init.fan_in_uniform, rng=rng),
             lambda rng: tg.layers.ConvTranspose(8, 40, (3, 3), weight_init=init.fan_in_uniform, rng=rng)],
)  # fmt: skip
def test_biases_of_the_same_law(make):
    layer = make(Generator(0))
    a = 1 / math.sqrt(layer.w.size / layer.w.shape[-1])
    for values in (layer.w.numpy(), layer.b.numpy()):
        assert 0.9 * a < np.abs(values).max() <= a and abs(values.mean()) < a / 3
    assert make(Generator(1)).b.numpy()[0] != layer.b.numpy()[0]


def test_std_of_normal(backend):
    w = backend.to_host(init.normal((200, 200), Generator(0), std=0.5))
    assert w.std() == pytest.approx(0.5, rel=SIGMAS * math.sqrt(2 / w.size))


@pytest.mark.parametrize("dtype, within", [(np.float32, 1e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("shape", [(40, 40), (50, 20), (20, 50), (3, 3, 4, 8), (2, 2, 3, 40), (7, 1)])
def test_orthogonal(backend, shape, dtype, within):
    w = init.orthogonal(shape, Generator(1), dtype)
    assert w.shape == shape and w.dtype == dtype
    w = backend.to_host(w).astype(np.float64).reshape(-1, shape[-1])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=within)


def test_all_orthogonal_matrices_are_equally_likely():
    """A plain QR has a diagonal of one sign; of a uniform one, the trace has mean 0 and variance 1."""
    rng, n = Generator(0), 400
    traces = [np.trace(init.orthogonal((3, 3), rng, np.float64)) for _ in range(n)]
    assert abs(np.mean(traces)) < SIGMAS / math.sqrt(n)
    assert np.var(traces) == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize("f", ALL, ids=name)
def test_shape_dtype_and_device(backend, f):
    for dtype in (np.float32, np.float64):
        w = f((3, 5, 4), Generator(0), dtype)
        assert isinstance(w, backend.xp.ndarray) and w.shape == (3, 5, 4) and w.dtype == dtype


def test_zeros_and_ones(backend):
    assert not backend.to_host(init.zeros((3, 2))).any()
    assert (backend.to_host(init.ones((3, 2))) == 1).all()


@pytest.mark.parametrize("f", [*LAWS, init.orthogonal], ids=name)
def test_weights_follow_from_the_generator(backend, f):
    first, again, other = (backend.to_host(f((9, 7), Generator(seed))) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, other).any()
    rng = Generator(4)
    np.testing.assert_array_equal(backend.to_host(f((9, 7), rng)), first)
    assert not np.isin(backend.to_host(f((9, 7), rng)), first).any()


@pytest.mark.parametrize("f", [*LAWS, init.orthogonal], ids=name)
def test_without_a_generator_weights_follow_from_the_seed(backend, f):
    def drawn(seed):
        tg.seed(seed)
        return [backend.to_host(f((9, 7))) for _ in range(2)]

    (a, b), again = drawn(1), drawn(1)
    np.testing.assert_array_equal([a, b], again)
    assert not np.isin(a, b).any()
    assert not np.isin(a, drawn(2)).any()


@pytest.mark.parametrize(
    "f", [init.glorot_uniform, init.glorot_normal, init.he_uniform, init.he_normal, init.orthogonal]
)
def test_a_vector_has_no_fan(f):
    with pytest.raises(ValueError, match=r"weights of shape \(5,\) have no fan; expected at least \(in, out\)"):
        f((5,))


def test_icnr_gives_the_channels_of_a_pixel_one_draw(backend):
    w = backend.to_host(init.icnr(3, init.he_normal)((3, 3, 4, 18), Generator(2), np.float64)).reshape(3, 3, 4, 2, 9)
    drawn = backend.to_host(init.he_normal((3, 3, 4, 2), Generator(2), np.float64))
    np.testing.assert_array_equal(w, np.broadcast_to(drawn[..., None], w.shape))
    with pytest.raises(ValueError, match=r"init\.icnr: 10 channels, but they must be a multiple of 3² = 9"):
        init.icnr(3)((3, 3, 4, 10))
    with pytest.raises(ValueError, match=r"init\.icnr: factor is 0"):
        init.icnr(0)
