"""NumPy's calls on several threads: the same results, however long the arrays are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from compiler.random_steps import batch, random_step, states
from compiler.written import program_of
from models.small import batches, in_float64, small

import tinygen as tg
from tinygen.compiler import blocks, calls
from tinygen.compiler.calls import CallList
from tinygen.compiler.definitions import interpret
from tinygen.compiler.passes import optimised


@pytest.fixture
def _all_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too small for several threads, or for several blocks."""
    monkeypatch.setattr(blocks, "_WORK", 0)
    monkeypatch.setattr(blocks, "_BLOCK", 4)
    monkeypatch.setattr(blocks, "_SHARED_BLOCK", 4)
    monkeypatch.setattr(calls, "_PRODUCTS", 0)


@pytest.mark.usefixtures("_all_is_shared")
@pytest.mark.parametrize("length", [8, 16, 30])
def test_random_steps_on_several_threads(length: int) -> None:
    for seed, threads in itertools.product(range(8), (2, 3)):
        held, twin = states(seed), states(seed)
        before, after = (
            program_of(lambda x, y, *s, seed=seed: random_step(seed, length, s)(x, y), batch(0), s)
            for s in (held, twin)
        )
        wanted, made = interpret(before, batch(1)), CallList(optimised(after), threads).run(batch(1))
        for y, z in zip([*made, *twin], [*wanted, *held], strict=True):
            np.testing.assert_allclose(y, z, 1e-9, 1e-9, err_msg=f"seed {seed}")


@pytest.mark.usefixtures("_all_is_shared")
@pytest.mark.parametrize("name", ["gan", "vae", "wgangp"])
def test_models_on_several_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "default_size", lambda: 2)
    model, twin = (in_float64(small(name, eps=1e-3)) for _ in range(2))
    step = tg.compile(twin, "numpy")
    for x in batches(3, size=4 * model.batches_per_step):
        expected, made = model.train_step(x.astype(np.float64)), step(x.astype(np.float64))
        for key in expected:
            np.testing.assert_allclose(made[key].item(), expected[key].item(), 1e-8, err_msg=key)


def test_long_arrays_are_shared_and_the_blas_has_its_threads_back() -> None:
    library = calls.blas()
    if library is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS")
    before = library.alone._count()
    net = tg.layers.Dense(700, 600)
    opt = tg.optim.Adam(net.parameters(), lr=0.1)

    def step(x: np.ndarray) -> tg.Tensor:
        loss = (net(x) ** 2).mean()
        opt.step(tg.grad(loss, net.parameters()))
        return loss

    x = np.random.default_rng(0).normal(size=(64, 700)).astype(np.float32)
    program = optimised(tg.compile(step).trace(x))
    one, two = CallList(program, 1), CallList(program, 2)
    assert two.threads == 2
    together = [call for call in two.calls if getattr(call, "func", None) is calls.run_together]
    assert len(together) >= 2  # the product, and the update
    assert calls.run_together not in [getattr(call, "func", None) for call in one.calls]
    saved = opt.flat.copy()
    (first,) = one.run([x])
    opt.flat[...] = saved
    (second,) = two.run([x])
    np.testing.assert_allclose(second, first, 1e-5)
    assert library.alone._count() == before


def test_steps_at_the_same_time_leave_the_blas_its_threads() -> None:
    library = calls.blas()
    if library is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS")
    before = library.alone._count()
    first, second = library.alone(), library.alone()
    assert library.alone._count() == 1 and library.alone.threads() == before
    with library.alone.paused():
        assert library.alone._count() == before
    assert library.alone._count() == 1
    first()
    assert library.alone._count() == 1
    second()
    assert library.alone._count() == library.alone.threads() == before
