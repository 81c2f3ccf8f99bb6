"""Snapshots: everything that decides how a run continues, and errors for what does not fit."""

import json

import numpy as np
import pytest
from train.tiny import Config, Stream, Tiny

from tinygen.errors import RunError
from tinygen.train import Callback
from tinygen.train.batches import batches_of
from tinygen.train.checkpoint import Snapshot
from tinygen.train.snapshot import restore, restore_callbacks, take


class Counter(Callback):
    def __init__(self, start=0):
        self.count, self.sums = start, np.full(2, start)

    def state_dict(self):
        return {"count": self.count, "sums": self.sums}

    def load_state_dict(self, state):
        self.count, self.sums = state["count"], state["sums"]


class Clock(Counter):
    pass


def steps(model, batches, n):
    for _ in range(n):
        model.train_step(batches.next())
    return model.w


def test_a_run_goes_on_from_a_snapshot_to_the_bit():
    model, batches = Tiny(), batches_of(Stream(), Tiny())
    steps(model, batches, 3)
    taken = take(3, model, batches, [])
    facts = json.loads(json.dumps(taken.facts))
    expected = steps(model, batches, 4).copy()
    for other in (model, Tiny(seed=5)):
        stream = batches_of(Stream(), other)
        restore(Snapshot(3, taken.tensors, facts), other, stream)
        np.testing.assert_array_equal(steps(other, stream, 4), expected)


def test_a_snapshot_is_a_copy():
    model, batches = Tiny(), batches_of(Stream(), Tiny())
    taken = take(0, model, batches, [])
    model.w += 1
    model.m[:] = 1
    assert not taken.tensors["w"].any() and not taken.tensors["m"].any()


def test_a_model_may_keep_the_arrays_that_it_is_given():
    class Keeping(Tiny):
        def load_state_dict(self, state):
            self.w = state["w"]

    model, batches = Keeping(), batches_of(Stream(), Tiny())
    taken = take(0, model, batches, [])
    restore(taken, model, batches)
    model.w += 1
    assert not taken.tensors["w"].any()


def test_callbacks_of_one_class_are_told_apart_and_others_may_come_between():
    batches = batches_of(Stream(), Tiny())
    taken = take(0, Tiny(), batches, [Counter(1), Clock(2), Counter(3)])
    callbacks = [Clock(), Callback(), Counter(), Counter(), Clock()]
    assert restore_callbacks(taken, callbacks) == ["Clock-2"]
    assert [c.count for c in callbacks if isinstance(c, Counter)] == [2, 1, 3, 0]
    assert [c.sums.tolist() for c in callbacks if isinstance(c, Counter)] == [[2, 2], [1, 1], [3, 3], [0, 0]]


def test_the_arrays_of_callbacks_are_kept_from_the_model():
    batches = batches_of(Stream(), Tiny())
    taken = take(0, Tiny(), batches, [Counter(1)])
    assert "callbacks/Counter/sums" in taken.tensors

    class Strict(Tiny):
        def load_state_dict(self, state):
            assert state.keys() == {"w", "m", "count"}
            super().load_state_dict(state)

    restore(taken, Strict(), batches)


def missing_weight(taken):
    del taken.tensors["w"]


def missing_generator(taken):
    del taken.facts["generators"]["noise"]


def other_device(taken):
    taken.facts["generators"]["noise"]["device"] = "cuda"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (missing_weight, "load_state_dict: w is missing"),
        (missing_generator, "there is no state of the generator 'noise'"),
        (other_device, "this state belongs to a stream on 'cuda'"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    batches = batches_of(Stream(), Tiny())
    taken = take(0, Tiny(), batches, [])
    change(taken)
    with pytest.raises(RunError, match=rf"the checkpoint in memory does not fit this run: .*{message}"):
        restore(taken, Tiny(), batches)


def test_a_model_of_another_size_is_refused():
    batches = batches_of(Stream(), Tiny())
    with pytest.raises(RunError, match=r"w has shape \(16,\), but the model's has \(9,\)"):
        restore(take(0, Tiny(), batches, []), Tiny(Config(size=9)), batches)
