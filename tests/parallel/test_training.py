"""`fit` in a group: one process writes, all learn the same, and a run resumes on another number of processes."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.test_models import distance
from models.small import data_for, in_float64, small
from processes import on_threads

import tinygen as tg
from tinygen.train import RunDirectory, StopTraining


def fit(steps, out=None, name="gan", **options):
    model, data = in_float64(small(name, eps=1e-3)), data_for(name)
    loader = tg.data.Loader(data.train, 8, model.value_range, tg.Generator(0, "order", "cpu"))
    return tg.fit(model, loader, steps, out=out, log_every=2, progress=False, **options)


def weights(path):
    return RunDirectory(path).newest().weights


@pytest.mark.parametrize("sizes", [(2, 1), (1, 4), (4, 2)])
def test_a_run_is_that_of_one_process_and_resumes_on_any_number(sizes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(6, "alone")
    for steps, size in zip((3, 6), sizes, strict=True):
        on_threads(size, lambda group, steps=steps: fit(steps, "shared", resume=steps == 6))
    expected, made = weights("alone"), weights("shared")
    assert {n: d for n, x in expected.items() if (d := distance(x, made[n])) > 1e-9} == {}
    rows = [RunDirectory(path).read_metrics() for path in ("alone", "shared")]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]


def weights_after(work, size=2):
    """The weights of each process after its work, which gets a model and a loader of its own."""

    def run(group):
        model = small("gan")
        data = data_for("gan")
        loader = tg.data.Loader(data.train, 8, model.value_range, tg.Generator(0, "order", "cpu"))
        work(group, model, loader)
        return model.state_dict()

    first, *others = on_threads(size, run)
    assert all(np.array_equal(x, other[n]) for other in others for n, x in first.items())
    return first


class Stops(tg.train.Callback):
    """Ends a training, in one of its hooks."""

    def __init__(self, hook, error=None):
        setattr(self, hook, self.stop)
        self.error = error or StopTraining("enough")

    def stop(self, step, *_):
        if step >= 2:
            raise self.error


@pytest.mark.parametrize("hook", ["on_step", "on_log", "on_checkpoint"])
def test_a_callback_ends_the_training_of_all(hook):
    def work(group, model, loader):
        history = tg.fit(model, loader, 9, callbacks=[Stops(hook)], log_every=2, checkpoint_every=2, progress=False)
        assert (history.steps, history.stopped) == (2, "enough")

    weights_after(work)


@pytest.mark.parametrize("hook", ["on_step", "on_log", "on_checkpoint"])
def test_an_error_of_a_callback_is_told_to_all(hook):
    def work(group, model, loader):
        callbacks = [Stops(hook, OSError("the disk is gone"))]
        error = OSError if group.rank == 0 else tg.RunError
        with pytest.raises(error, match="the disk is gone"):
            tg.fit(model, loader, 9, callbacks=callbacks, log_every=2, checkpoint_every=2, progress=False)

    weights_after(work)


def test_the_best_weights_are_those_of_all():
    def work(group, model, loader):
        stopping = tg.train.EarlyStopping("loss_D", patience=2, restore_best=True)
        tg.fit(model, loader, 20, callbacks=[stopping], log_every=1, progress=False)

    weights_after(work)


@pytest.mark.parametrize("wrapped", [lambda loader: (loader.next_batch() for _ in range(9)), lambda loader: loader])
def test_a_loader_within_another_is_dealt_out_once(wrapped):
    sizes = []

    class Seen(type(small("gan"))):
        def steps(self, batch):
            sizes.append(len(batch))
            return super().steps(batch)

    def run(group):
        model = small("gan")
        model.__class__ = Seen
        loader = tg.data.Loader(data_for("gan").train, 8, model.value_range, tg.Generator(0, "order", "cpu"))
        sizes.clear()
        tg.fit(model, wrapped(loader), 3, progress=False)

    on_threads(2, run)
    assert sizes.count(4) == 6 and set(sizes) <= {4, 8}  # 8: what fit asks of the first batch


def test_what_only_one_process_changes_is_found_after_the_first_step():
    def work(group, model, loader):
        if group.rank == 1:
            model.opt_D.lr = 1.0
        with pytest.raises(tg.RunError, match=r"different values of D\..* after step 1"):
            tg.fit(model, loader, 9, progress=False)

    with pytest.raises(AssertionError):
        weights_after(work)


def test_different_data_are_refused():
    def work(group, model, loader):
        data = data_for("gan").train[group.rank :]
        with pytest.raises(tg.DataError, match="the processes have different data"):
            tg.fit(model, [data[:8]], 9, progress=False)

    on_threads(2, lambda group: work(group, small("gan"), None))


def test_a_run_with_local_batch_norm_resumes_on_as_many_processes_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    on_threads(2, lambda group: fit(3, "run"), local_batch_norm=True)
    on_threads(2, lambda group: fit(4, "run", resume=True), local_batch_norm=True)
    with pytest.raises(tg.RunError, match="local_batch_norm=2"):
        fit(6, "run", resume=True)
    assert RunDirectory("run").newest().step == 4


def test_fit_within_shares_is_refused():
    with pytest.raises(tg.ConfigError, match=r"call it outside of parallel.shares"), tg.parallel.shares() as group:
        assert group.size == 1
        on_threads(2, lambda group: shared_fit())


def shared_fit():
    with tg.parallel.shares():
        fit(2)
