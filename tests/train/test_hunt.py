"""NaN and infinity: fit says from which step, op and line they came, and the last good checkpoint stays."""

from dataclasses import dataclass

import numpy as np
import pytest
from train.tiny import Config, Stream, Tiny

import tinygen as tg
from tinygen.errors import RunError
from tinygen.places import Place
from tinygen.random import Generator
from tinygen.train import NonFiniteError, RunDirectory, fit


@dataclass(frozen=True)
class NoisyConfig:
    data_shape: tuple[int, ...] = (2,)


class Noisy(Tiny):
    """A model on the real engine that fails at step `fails_at` as `wrong` decides, a function of w and the step."""

    name = "noisy"
    value_range = None

    def __init__(self, wrong, fails_at=7):
        super(Tiny, self).__init__(NoisyConfig())
        self.noise = Generator(0, "noisy")
        self.w, self.count = tg.Parameter(np.float32([1.0, 2.0])), np.zeros((), np.int64)
        self.wrong, self.fails_at = wrong, fails_at

    def train_step(self, batch):
        self.count = self.count + 1
        target = tg.tensor(batch.mean(axis=0) + self.noise.normal((2,), std=0.01))
        loss = ((self.w - target) * (self.w - target)).sum()
        masked = tg.ops.maximum(tg.ops.log(self.w.detach() * 0.0), -1.0)  # an infinity that does no harm, in each step
        loss = loss + masked.sum() * 0.0
        if self.count == self.fails_at:
            loss = loss + self.wrong(self.w)  # here it comes in
        self.w.assign(self.w.data - 0.1 * tg.grad(loss, self.w).data)
        return {"loss": loss.detach()}

    def preview(self, batch, n, rng):
        return rng.normal((n, 2))

    def state_dict(self):
        return {"w": self.w.data.copy(), "count": self.count}

    def load_state_dict(self, state):
        self.w.assign(state["w"])
        self.count = state["count"]


def line_of(text):
    with open(__file__) as file:
        return next(i for i, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}"))


def log_of_negative(w):
    p = w - 100.0
    return (w * tg.ops.log(p)).sum()  # the culprit


def infinite_slope(w):
    return tg.ops.sqrt(w - w).sum()  # the culprit in backward


def train(model, steps=20, out=None, data=None, **options):
    options = {"log_every": 5, "sample_every": 100, "checkpoint_every": 5, **options}
    return fit(model, data or Stream((2,)), steps, out=out, **options)


def test_the_step_the_op_and_the_line(tmp_path, viz):
    model = Noisy(log_of_negative)
    with pytest.raises(NonFiniteError) as caught:
        train(model, out=tmp_path)
    error = caught.value
    assert (error.step, error.event.op, error.event.phase) == (7, "log", "forward")
    assert error.event.places == (
        Place(__file__, line_of("the culprit"), "log_of_negative"),
        Place(__file__, line_of("here it comes in"), "train_step"),
    )
    message = str(error)
    assert message.startswith("after step 10 loss is not finite. In step 7, which left loss and w not finite, `log`")
    assert (
        "x: float32 of shape (2,), from -9" in message and "result: float32 of shape (2,), 2 of 2 not finite" in message
    )
    assert "What may help: keep its argument above 0, or take a loss that starts from logits; or a lower" in message
    assert message.endswith(f"{RunDirectory(tmp_path).checkpoint_file(5)}, after step 5")


def test_the_last_good_checkpoint_stays_and_the_model_is_back_there(tmp_path, viz):
    model, other = Noisy(log_of_negative), Noisy(log_of_negative)
    with pytest.raises(NonFiniteError):
        train(model, out=tmp_path)
    run = RunDirectory(tmp_path)
    assert list(run.checkpoints()) == [0, 5]
    train(other, 5)
    np.testing.assert_array_equal(model.w.data, other.w.data)
    assert model.count == 5 and model.noise.state == other.noise.state
    resumed = Noisy(log_of_negative, fails_at=99)
    train(resumed, out=tmp_path, resume=True)
    assert np.isfinite([list(row.values()) for row in run.read_metrics()]).all()


def test_an_infinite_gradient(tmp_path):
    with pytest.raises(NonFiniteError) as caught:
        train(Noisy(infinite_slope))
    event = caught.value.event
    assert (caught.value.step, event.op, event.phase) == (7, "sqrt", "backward")
    assert event.places[0] == Place(__file__, line_of("the culprit in backward"), "infinite_slope")
    assert "its derivative at 0 is infinite: add a small number" in str(caught.value)


@pytest.mark.parametrize("with_directory", [True, False])
def test_weights_that_only_a_checkpoint_shows(tmp_path, viz, with_directory):
    """In the last step before a checkpoint the loss is finite still, but the weights are not."""
    out = tmp_path if with_directory else None
    with pytest.raises(NonFiniteError, match=r"after step 10 w is not finite. In step 10, ") as caught:
        train(Noisy(infinite_slope, fails_at=10), out=out)
    assert caught.value.step == 10
    assert list(RunDirectory(tmp_path).checkpoints()) == ([0, 5] if with_directory else [])


class Overflowing(Tiny):
    """Its update, which is no op of the tape, grows the weights beyond float32."""

    def train_step(self, batch):
        metrics = super().train_step(batch)
        self.w = self.w * np.float32(1e6)
        return {"loss": tg.tensor(self.w.max()), "acc": metrics["acc"]}


def test_an_update_that_overflows():
    with pytest.raises(NonFiniteError, match=r"left loss and w not finite, every op was finite: the update of"):
        train(Overflowing(Config(lr=1.0)), data=Stream())


class Broken(Tiny):
    def __init__(self):
        super().__init__()
        self.w[3] = np.nan


def test_weights_that_are_wrong_from_the_start(tmp_path, viz):
    with pytest.raises(NonFiniteError, match="w is not finite, before any training: check the initial weights"):
        train(Broken(), out=tmp_path, data=Stream())
    assert list(RunDirectory(tmp_path).checkpoints()) == []


def test_bad_data_is_seen_as_such():
    data = [np.ones((4, 2), np.float32)] * 6 + [np.full((4, 2), np.nan, np.float32)]
    with pytest.raises(NonFiniteError) as caught:
        train(Noisy(None, fails_at=0), data=data)
    assert caught.value.step == 7 and caught.value.event.inherited
    message = str(caught.value)
    assert (
        "In step 7, which left loss and w not finite, its batch was not finite to begin with: `subtract` was" in message
    )
    assert "What may help: leave such examples out of the data" in message and "learning rate" not in message


class Unrepeatable(Noisy):
    """The NaN comes only once, for a reason that no checkpoint holds."""

    def train_step(self, batch):
        metrics = super().train_step(batch)
        if self.count == 7 and self.fails_at == 0:
            self.fails_at = -1
            self.w.assign(np.nan)
        return metrics


def test_what_does_not_come_again():
    with pytest.raises(NonFiniteError, match=r"they stay finite: does the model draw random numbers"):
        train(Unrepeatable(None, fails_at=0))


def test_data_that_can_be_gone_through_only_once():
    data = (np.ones((4, 2), np.float32) for _ in range(30))
    with pytest.raises(NonFiniteError, match=r"can't be found by running the steps again: .*give a list of batches"):
        train(Noisy(log_of_negative), data=data)


def test_the_error_is_one_that_a_user_can_mend():
    assert issubclass(NonFiniteError, RunError)


def test_a_real_gan_with_a_mad_learning_rate(tmp_path, viz):
    from tinygen.models import GAN, GANConfig

    config = GANConfig((4, 4, 1), latent_dim=3, g_hidden=(8,), d_hidden=(8,), lr=1e30)
    images = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 1), dtype=np.uint8)
    with pytest.raises(NonFiniteError) as caught:
        fit(GAN(config), images, 50, out=tmp_path, log_every=5)
    message = str(caught.value)
    assert "in train_step: " in message and "gan.py" in message
    assert "a lower learning rate" in message
    assert list(RunDirectory(tmp_path).checkpoints()) == [0]


def test_a_callback_that_spoils_the_weights():
    """The steps alone stay finite, so they are not blamed."""
    model = Noisy(None, fails_at=0)

    def spoil(step, metrics):
        if step == 7:
            model.w.assign(np.nan)

    with pytest.raises(NonFiniteError, match=r"they stay finite: .* does a callback change it"):
        train(model, callbacks=[spoil])


class Impatient(Noisy):
    """Its steps can't be made again."""

    def train_step(self, batch):
        if self.fails_at == -1:
            raise LookupError("the server has closed the connection")
        metrics = super().train_step(batch)
        if self.count == self.fails_at:
            self.fails_at = -1
        return metrics


def test_steps_that_fail_when_they_run_again():
    with pytest.raises(NonFiniteError, match=r"can't be found by running the steps again: the server has closed"):
        train(Impatient(log_of_negative, fails_at=5))


class Half(tg.models.Model):
    """A user's model in float16, whose weights outgrow it within a few steps: 256 times as long in each."""

    name = "half"

    def __init__(self):
        super().__init__()
        self.net = tg.layers.Dense(2, 2)
        for name in ("w", "b"):
            setattr(self.net, name, tg.Parameter(np.ones(getattr(self.net, name).shape, np.float16)))
        self.opt = tg.optim.SGD(self.net.parameters(), lr=1.0)

    def train_step(self, x):
        y = self.net(x.astype(np.float16))
        self.opt.step([p.data * np.float16(-255) for p in self.net.parameters()])
        return {"loss": y.detach().mean() * 0}

    def sample(self, n, rng=None):
        return np.zeros((n, 2), np.float32)


def test_an_optimiser_in_float16_overflows():
    with pytest.raises(NonFiniteError) as caught:
        train(Half(), data=[np.zeros((8, 2), np.float32)], steps=3, checkpoint_every=1)
    assert caught.value.step == 2
    assert "every op was finite: the update of the weights overflowed." in str(caught.value)


@tg.primitive
def half_of_a_log(x):
    return np.log(x) / 2


half_of_a_log.rules(lambda gy, y, x: gy / (2 * x))


class WithOwnOp(Noisy):
    def train_step(self, batch):
        self.count = self.count + 1
        loss = half_of_a_log(self.w - (100.0 if self.count == 7 else 0.0)).sum()  # the primitive of one's own
        self.w.assign(self.w.data - 0.0 * tg.grad(loss, self.w).data)
        return {"loss": loss}


def test_a_primitive_of_ones_own_is_found_by_its_name_and_line():
    with pytest.raises(NonFiniteError) as caught:
        train(WithOwnOp(None), log_every=1)
    event = caught.value.event
    assert (caught.value.step, event.op, event.phase) == (7, "half_of_a_log", "forward")
    assert event.places[0] == Place(__file__, line_of("the primitive of one's own"), "train_step")


class Labelled(Noisy):
    takes_labels = True

    def train_step(self, batch):
        return super().train_step(batch[0])


def test_of_a_labelled_batch_the_part_is_named():
    x, y = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    with pytest.raises(NonFiniteError, match=r"its batch's x was not finite to begin with"):
        train(Labelled(None, fails_at=0), data=[(x, y)] * 6 + [(x * np.inf, y)])


def test_what_a_callback_keeps_may_be_nan(tmp_path, viz):
    class Keeps(tg.train.Callback):
        def state_dict(self):
            return {"best": np.full(3, np.nan)}

    train(Noisy(None, fails_at=0), out=tmp_path, callbacks=[Keeps()])
    assert list(RunDirectory(tmp_path).checkpoints()) == [10, 15, 20]
