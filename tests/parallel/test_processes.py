"""Shares of batches and draws, and means with their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from processes import on_threads

import tinygen as tg
from tinygen import parallel, processes


def shared(group, work, unit=1):
    with processes.shares(unit):
        return work()


@pytest.mark.parametrize("unit", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_shares_together_are_the_whole(unit, axis):
    x = np.arange(12 * 5).reshape((12, 5) if axis == 0 else (5, 12))
    parts = on_threads(2, lambda group: shared(group, lambda: processes.own(x, axis), unit))
    assert parts[0].shape[axis] == 6
    assert sorted(np.concatenate(parts, axis).ravel()) == sorted(x.ravel())
    first = parts[0] if axis == 0 else parts[0].T
    whole = x if axis == 0 else x.T
    np.testing.assert_array_equal(first[:unit], whole[:unit])
    np.testing.assert_array_equal(first[unit : 2 * unit], whole[2 * unit : 3 * unit])
    if axis == 0:
        again = on_threads(
            2, lambda group: shared(group, lambda: parallel.means.gather_batch(processes.own(x * 1.0)), unit)
        )
        for y in again:
            np.testing.assert_array_equal(y, x)


def test_a_batch_that_cannot_be_dealt_out():
    with pytest.raises(tg.DataError, match="a batch of 7 examples can't be dealt out to 2 processes"):
        on_threads(2, lambda group: shared(group, lambda: processes.own(np.zeros(7))))


DRAWS = {
    "normal": lambda rng, n: rng.normal((n, 3)),
    "normal along 1": lambda rng, n: rng.normal((3, n), axis=1).T,
    "normal, scaled": lambda rng, n: rng.normal((n, 3), mean=2.0, std=0.5),
    "uniform": lambda rng, n: rng.uniform((n, 3), -1, 1),
    "integers": lambda rng, n: rng.integers(0, 9, (n, 3)),
    "gumbel": lambda rng, n: rng.gumbel(n),
    "bernoulli": lambda rng, n: rng.bernoulli(0.5, np.zeros((n, 3))),
    "bernoulli, as images lie": lambda rng, n: rng.bernoulli(0.5, np.zeros((4, n, 3)).swapaxes(0, 1)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_are_those_of_the_whole_batch(draw):
    rng = tg.Generator(0)
    expected = [draw(rng, 8), draw(rng, 8)]

    def work():
        rng = tg.Generator(0)
        return [draw(rng, 4), draw(rng, 4), rng.state]

    for rank, (*made, state) in enumerate(on_threads(2, lambda group: shared(group, work))):
        for x, y in zip(expected, made, strict=True):
            np.testing.assert_array_equal(x[rank::2], y)
        assert state == rng.state


def test_what_is_not_of_examples_is_the_same_in_all_processes():
    rng = tg.Generator(0)
    expected = rng.permutation(5), rng.uniform(()), rng.integers(0, 100)

    def work():
        rng = tg.Generator(0)
        with processes.whole():
            order = rng.permutation(5)
        return order, rng.uniform(()), rng.integers(0, 100)

    for made in on_threads(2, lambda group: shared(group, work)):
        for x, y in zip(expected, made, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_mean_has_derivatives_of_any_order():
    """Of f(m) = m³ for the mean m of two x: df/dx = 3 m² for the mean of both losses, and so on."""

    def work():
        x = tg.tensor(np.array(1.0 + 2 * processes.sharing().rank), requires_grad=True)
        y = parallel.mean(x) ** 3
        (gx,) = tg.grad(y, [x], create_graph=True)
        (ggx,) = tg.grad(gx, [x])
        return y.item(), gx.item(), ggx.item()

    for made in on_threads(2, lambda group: shared(group, work)):
        assert made == (8.0, 12.0, 12.0)  # m = 2


def test_a_list_of_gradients_keeps_its_holes_shapes_and_dtypes():
    def work():
        rank = processes.sharing().rank
        return parallel.mean([np.full((2, 3), rank, np.float32), None, np.array([rank], np.float64)])

    for w, none, b in on_threads(2, lambda group: shared(group, work)):
        assert none is None and w.dtype == np.float32 and b.dtype == np.float64
        np.testing.assert_array_equal(w, np.full((2, 3), 0.5))
        np.testing.assert_array_equal(b, [0.5])


def test_outside_of_shares_a_process_is_alone():
    def work(group):
        x = np.full(2, group.rank)
        return parallel.mean(x), processes.own(np.arange(4)), tg.Generator(0).normal(4)

    for rank, (x, own, draws) in enumerate(on_threads(2, work)):
        np.testing.assert_array_equal(x, np.full(2, rank))
        assert len(own) == len(draws) == 4


def test_local_batch_norm_takes_the_statistics_of_the_share():
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)

    def work(group):
        norm = tg.layers.BatchNorm(3)
        with processes.shares():
            return norm(processes.own(x)).numpy()

    for rank, y in enumerate(on_threads(2, work, local_batch_norm=True)):
        np.testing.assert_allclose(y, tg.layers.BatchNorm(3)(x[rank::2]).numpy(), rtol=1e-5)


def test_an_unknown_kind_of_group_is_refused():
    with pytest.raises(tg.ConfigError, match="kind is 'gloo', but it must be one of mpi"), parallel.join("gloo"):
        pass


def test_what_is_drawn_along_the_last_axis_or_without_one():
    rng = tg.Generator(0)
    expected = rng.normal((3, 4)), rng.bernoulli(0.5, np.zeros(())), rng.normal([])

    def work():
        rng = tg.Generator(0)
        return rng.normal((3, 2), axis=-1), rng.bernoulli(0.5, np.zeros(())), rng.normal([])

    for rank, (x, flag, number) in enumerate(on_threads(2, lambda group: shared(group, work))):
        np.testing.assert_array_equal(x, expected[0][:, rank::2])
        assert flag == expected[1] and number == expected[2]


def test_means_and_gathers_of_numbers_and_of_what_is_infinite():
    def work():
        rank = processes.sharing().rank
        return parallel.mean(rank), parallel.mean([rank]), parallel.gather(np.array([1.0, [2.0, np.inf][rank]]))

    for mean, (of_list,), gathered in on_threads(2, lambda group: shared(group, work)):
        assert mean == of_list == 0.5
        np.testing.assert_array_equal(gathered, [[1, 2], [1, np.inf]])


def test_batch_norm_of_the_whole_batch_in_float16_and_of_single_examples():
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32) * 300

    def work(dtype):
        return tg.layers.BatchNorm(3, dtype=dtype)(processes.own(x).astype(dtype)).numpy()

    expected = tg.layers.BatchNorm(3)(x).numpy()
    for dtype, tolerance in (("f4", 1e-5), ("f2", 2e-3)):
        for rank, y in enumerate(on_threads(2, lambda group, dtype=dtype: shared(group, lambda: work(dtype)))):
            assert y.dtype == dtype
            np.testing.assert_allclose(y, expected[rank::2], rtol=tolerance)


def test_a_compiled_step_has_a_program_of_its_own_for_shares():
    def work(group):
        w = tg.Parameter(np.zeros(1))
        opt = tg.optim.SGD([w], lr=1.0)

        @tg.compile
        def step(x):
            opt.step(parallel.mean(tg.grad((w * x).sum(), [w])))

        x = np.array([1.0 + 2 * group.rank])
        step(x)  # alone
        before = w.numpy().copy()
        with processes.shares():
            step(x)
        return before, w.numpy() - before

    for rank, (alone, together) in enumerate(on_threads(2, work)):
        assert alone == -(1 + 2 * rank) and together == -2
