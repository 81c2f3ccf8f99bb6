"""Compiled steps on a GPU: every model, on the stand-in that refuses what CuPy would."""

from __future__ import annotations

import shutil
import warnings
from contextlib import contextmanager, nullcontext

import cuda_on_host
import numpy as np
import pytest
import standin
from compiler.on_host import races
from compiler.test_random_steps import clashes
from conftest import device
from models.small import SMALL, batches, fed, in_float64, small

import tinygen as tg
from tinygen.backend import to_host
from tinygen.compiler import device as lowered
from tinygen.compiler.cuda_kernel import kernel_of


@pytest.fixture
def on_standin():
    with device("standin") as current:
        yield current


@contextmanager
def no_waits(backend):
    """Fails if a step waits for the device. CuPy itself can tell of its copies to the host."""
    if backend.name == "cupy":
        import cupyx

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it doesn't see every wait
            allowed = cupyx.allow_synchronize(False)
            allowed.__enter__()
        try:
            yield
        finally:
            allowed.__exit__(None, None, None)
    else:
        with standin.count_syncs() as syncs:
            yield
        assert syncs.count == 0, syncs


def trained(name, step_of, backend):
    """A small model after five steps, what the last one returned, and the step. From the second on none may wait."""
    model = in_float64(small(name, eps=1e-3))  # or Adam makes of rounding noise what no two orders of sums share
    step = step_of(model)
    for i, x in enumerate(backend.xp.asarray(batches(5)).astype(np.float64)):
        batch = fed(model, x)
        with no_waits(backend) if i and step != model.train_step else nullcontext():
            made = step(batch)
    return model, made, step


def assert_captured(step):
    """All steps that were taken twice are graphs, and nothing speaks against the others."""
    launches = [ready.executable.launches for ready in step._ready.values()]
    assert [why for l in launches if (why := l.why_not)] == [] and any(l.captured for l in launches)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.families(everywhere=True)
def test_every_model_compiled_is_as_eager(name, graphs):
    """And each of its steps is captured as a graph when it is taken for the second time."""
    eager, expected, _ = trained(name, lambda model: model.train_step, graphs)
    model, made, step = trained(name, tg.compile, graphs)
    assert step.reason is None and step.program is not None
    assert_captured(step)
    assert expected.keys() == made.keys()
    for key in expected:
        np.testing.assert_allclose(to_host(made[key]), to_host(expected[key]), rtol=1e-9, atol=1e-12, err_msg=key)
    for (path, a), (_, b) in zip(eager.named_tensors(), model.named_tensors(), strict=True):
        np.testing.assert_allclose(to_host(b), to_host(a), rtol=1e-8, atol=1e-10, err_msg=path)


class OnHost(cuda_on_host.RawModule):
    """Kernels run by the host, on what arrays of the stand-in hide."""

    def get_function(self, name):
        launch = super().get_function(name)
        return lambda grid, block, args: launch(grid, block, [a._host for a in args])


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++, which compiles the kernels for the host")
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.more] * (n != "vae")) for n in SMALL])
def test_a_model_with_the_kernels_of_its_loops(name, on_standin, monkeypatch):
    """Two models work on their noise in float32, and take sums and logarithms of it, so the last bits differ."""
    eager, *_ = trained(name, lambda model: model.train_step, on_standin)
    monkeypatch.setattr(standin, "RawModule", OnHost, raising=False)
    model, _, step = trained(name, tg.compile, on_standin)
    assert step.reason is None
    for (path, a), (_, b) in zip(eager.named_tensors(), model.named_tensors(), strict=True):
        np.testing.assert_allclose(
            to_host(b), to_host(a), rtol=1e-8, atol=1e-8 if name in ("stylegan", "textgan") else 1e-10, err_msg=path
        )


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.families(everywhere=True)
def test_every_loop_has_a_kernel_and_memory_of_its_own(name, on_standin, monkeypatch):
    kernels = []
    monkeypatch.setattr(standin, "RawModule", None, raising=False)
    monkeypatch.setattr(lowered, "kernel_of", lambda *given: kernels.append(kernel_of(*given)))
    model = small(name)
    step = tg.compile(model)
    step(fed(model, on_standin.xp.asarray(batches(1)[0])))
    assert kernels and None not in kernels
    assert max(len(kernel.params.declared()) for kernel in kernels) <= 512  # 4 KB
    for ready in step._ready.values():
        plan = ready.executable.plan
        arrays = {v: getattr(x, "_host", x) for v, x in plan.arrays.items()}
        assert races(plan.program, arrays) == [] and clashes(plan.program, arrays) == []
