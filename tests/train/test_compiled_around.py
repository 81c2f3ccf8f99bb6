"""What goes on around compiled steps is as it was: callbacks, signals, errors, recordings."""

import os
import signal

import numpy as np
import pytest
from equal import assert_equal_arrays
from models.small import IMAGE, SMALL, batches, data_for, small
from train.compiled import DATA, EVERY, Net, assert_close, assert_same

import tinygen as tg
from tinygen.data import Dataset
from tinygen.inside import Recorder, Warnings
from tinygen.random import Generator
from tinygen.scopes import trace
from tinygen.train import Callback, EarlyStopping, NonFiniteError, RunDirectory, fit
from tinygen.train.batches import loader_for


def rate(model):
    model.opt.lr = 0.5


def attribute(model):
    model.scale = 0.5


def array(model):
    model.net.w.data = np.eye(3, dtype=np.float32)


def inner_step(model):
    before = model.train_step
    model.train_step = lambda x: before(2 * x)


@pytest.mark.parametrize("change", [rate, attribute, array, inner_step])
def test_what_a_callback_changes_takes_effect(change, steps_made):
    def train(mode):
        model = Net()
        fit(model, DATA, 8, callbacks=[lambda step, metrics: change(model) if step == 4 else None], compile=mode)
        return model

    assert_close(train("on"), train("off"))
    assert steps_made[0].reason is None


@pytest.mark.parametrize("kind", ["trace", "evaluating"])
def test_blocks_that_a_callback_opens_hold_for_the_steps(kind):
    class Opening(Callback):
        def on_step(self, step, metrics):
            if step == 3:
                self.block = (
                    trace(lambda *event: seen.append(event[0])) if kind == "trace" else tg.layers.evaluating(model)
                )
                self.block.__enter__()
            if step == 5:
                self.block.__exit__(None, None, None)
                counts.append(len(seen))

    def train(mode):
        fit(model, DATA, 8, callbacks=[Opening()], compile=mode)
        return model

    trained, counts = [], []
    for mode in ("on", "off"):
        model, seen = Net(), []
        trained.append(train(mode))
    assert_close(*trained)
    assert counts[0] == counts[1] and bool(counts[0]) == (kind == "trace")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_goes_on_as_if_there_had_been_none(tmp_path, viz, number):
    def press(step, metrics):
        if step == 4:
            os.kill(os.getpid(), number)

    fit(Net(), DATA, 9, out=tmp_path / "straight", compile="on", **EVERY)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(Net(), DATA, 9, out=tmp_path / "run", compile="on", callbacks=[press], **EVERY)
    assert max(RunDirectory(tmp_path / "run").checkpoints()) == 4
    fit(Net(), DATA, 9, out=tmp_path / "run", resume=True, **EVERY)
    assert_same(tmp_path / "run", tmp_path / "straight")


def test_ctrl_c_while_the_step_is_compiled(tmp_path, viz, capsys):
    class Pressing(Net):
        def train_step(self, x):
            if not pressed.exists():  # a list would be as it was before
                pressed.touch()
                os.kill(os.getpid(), signal.SIGINT)
            return super().train_step(x)

    pressed = tmp_path / "pressed"
    with pytest.raises(KeyboardInterrupt):
        fit(Pressing(), DATA, 9, out=tmp_path / "run", compile="on", **EVERY)
    assert "stopped after step 0 of 9; resume from step 0" in capsys.readouterr().out
    fit(Pressing(), DATA, 9, out=tmp_path / "run", resume=True, **EVERY)
    fit(Pressing(), DATA, 9, out=tmp_path / "straight", compile="on", **EVERY)
    assert_same(tmp_path / "run", tmp_path / "straight")


class Falling(tg.models.Model):
    """log w, lowered until w is negative."""

    def __init__(self):
        super().__init__()
        self.w, self.opt = tg.Parameter(np.full(3, 0.5, np.float32)), None
        self.opt = tg.optim.SGD([self.w], lr=0.1)

    def train_step(self, x):
        loss = tg.ops.log(self.w).sum()  # the culprit
        self.opt.step(tg.grad(loss, [self.w]))
        return {"loss": loss}


def test_the_op_that_made_a_nan_is_found(tmp_path, viz, steps_made):
    model = Falling()
    with pytest.raises(
        NonFiniteError, match=r"`log` was the first op that made such a value.*\n.*# the culprit"
    ) as caught:
        fit(model, DATA, 20, out=tmp_path, compile="on", **EVERY)
    assert steps_made[0].reason is None and caught.value.step == 3
    assert list(RunDirectory(tmp_path).checkpoints()) == [0] and (model.w.data == 0.5).all()


def test_early_stopping_gives_the_best_weights_back():
    def train(mode):
        model, stopping = Net(), EarlyStopping("loss", patience=2, restore_best=True, min_delta=0.2)
        history = fit(model, DATA, 40, callbacks=[stopping], log_every=2, compile=mode)
        return model, history

    (model, history), (other, expected) = train("on"), train("off")
    assert history.stopped is not None and history.steps == expected.steps < 40
    assert_close(model, other)


def test_a_run_starts_from_the_weights_of_another(tmp_path, viz):
    fit(Net(), DATA, 5, out=tmp_path / "first", compile="on", **EVERY)
    models = [Net(), Net()]
    for model, mode in zip(models, ("on", "off"), strict=True):
        fit(model, DATA, 5, out=tmp_path / mode, init_from=tmp_path / "first", compile=mode, **EVERY)
    assert_close(*models)
    assert models[0].opt.t == 5


def test_who_observes_a_compiled_run_does_not_change_it(tmp_path, viz, steps_made):
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 2, 1), np.uint8)
    data = Dataset("small", images[:32], images[32:])
    models = [small("gan"), small("gan")]
    for model, watching in zip(models, ([], [Recorder(data, every=2), Warnings(data)]), strict=True):
        loader = loader_for(model, images, 8, Generator(0, "loader"))
        fit(model, loader, 6, callbacks=watching, compile="on", log_every=1)
    assert_equal_arrays(models[1].state_dict(), models[0].state_dict())
    assert watching[0].recording().steps.tolist() == [0, 1, 2, 4, 6]
    assert [step._traces for step in steps_made] == [1, 1]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux's count of pages")
def test_memory_stays_flat(campaign):
    def pages():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    steps, seen = 2000 if campaign else 60, {}
    model = tg.models.GAN(tg.models.GANConfig(data_shape=(8, 8, 1), g_hidden=(64, 64), d_hidden=(64, 64)))

    def note(step, metrics):
        if step in (steps // 2, steps):
            seen[step] = pages()

    data = batches(10, (8, 8, 1), size=32)
    fit(model, list(data), steps, callbacks=[note], compile="on", log_every=20, checkpoint_every=steps)
    assert seen[steps] - seen[steps // 2] < 64  # pages of 4 kB


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.families(everywhere=True)
def test_every_model_trains(name, steps_made):
    shape = (64, 64, 1) if name == "dcgan64" else IMAGE
    model = small(name, data_shape=shape)
    data = data_for(name, 8 * model.batches_per_step, shape)
    fit(model, loader_for(model, data.train, 4, labels=data.labels, other=data.other), 2, compile="on")
    two = ("srgan", "cogan", "stylegan", "inpaint")
    kinds = 2 if name in two else 1  # of steps, of which each has a program
    assert steps_made[0].reason is None and steps_made[0]._traces == kinds
