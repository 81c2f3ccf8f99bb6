"""What every model in MODELS does: it trains without waiting, samples without changing, resumes to the bit."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import typing

import numpy as np
import pytest
import standin
from equal import assert_equal_arrays
from models.small import (
    BATCH,
    IMAGE,
    IMAGES_ONLY,
    POINT,
    SAMPLING,
    SENTENCES,
    SMALL,
    batches,
    fed,
    in_float64,
    shape_for,
    small,
)

import tinygen as tg
from tinygen import fields
from tinygen.backend import to_host
from tinygen.errors import ConfigError
from tinygen.layers import Dense, Dropout, Sequential
from tinygen.models import GAN, MODELS, Model
from tinygen.models.base import ModelConfig
from tinygen.optim import Adam
from tinygen.random import Generator
from tinygen.settings import FROM_THE_DATA, describe_settings

ALL = pytest.mark.parametrize("name", MODELS)
SAMPLERS = pytest.mark.parametrize("name", SAMPLING)


def state(model):
    """Weights, buffers and optimisers as arrays on the host."""
    return {key: to_host(a).copy() for key, a in model.state_dict().items()}


def differs(a, b):
    return a.keys() != b.keys() or any(not np.array_equal(a[key], b[key]) for key in a)


def step(model, x):
    """A train_step on a batch x, with labels for a model that takes them."""
    return model.train_step(fed(model, x))


def train(model, xs):
    """One step per batch; returns the losses."""
    return [{key: float(v) for key, v in step(model, x).items()} for x in xs]


def test_the_registry_is_by_name():
    assert all(kind.name == name for name, kind in MODELS.items())
    assert SMALL.keys() == MODELS.keys()


# Training


@ALL
def test_a_train_step_waits_for_nothing_and_copies_nothing(gpu, name):
    model, xs = small(name), gpu.asarray(batches(3))
    with standin.count_syncs() as syncs, standin.capturing():
        for x in xs:
            metrics = step(model, x)
    assert syncs.count == 0, syncs
    assert all(v.shape == () and isinstance(v.data, gpu.xp.ndarray) for v in metrics.values())


@ALL
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
@pytest.mark.families(everywhere=True)
def test_no_optimiser_waits_either(gpu, name, optimizer):
    model, x = small(name, optimizer=optimizer), gpu.asarray(batches(1))[0]
    with standin.capturing():
        step(model, x)


class HostNoise:
    """A replacement for a model's generator: float64 noise drawn on the host, the same numbers on every backend."""

    def __init__(self, xp):
        self._rng, self._xp = np.random.default_rng(0), xp

    def normal(self, shape, mean=0.0, std=1.0, dtype=None):
        return self._xp.asarray(self._rng.normal(mean, std, shape))

    def uniform(self, shape, low=0.0, high=1.0, dtype=None):
        return self._xp.asarray(self._rng.uniform(low, high, shape))

    def gumbel(self, shape, dtype=None):
        return self._xp.asarray(self._rng.gumbel(size=shape))

    def bernoulli(self, p, like):
        return self._xp.asarray(self._rng.random(like.shape) < p)

    def permutation(self, n):
        return self._xp.asarray(self._rng.permutation(n))


@ALL
@pytest.mark.families
def test_the_full_size_learns_the_same_on_a_gpu(gpu, name):
    """In float64: two orders of the same sums differ by 1e-4 in a DCGAN's second step in float32, here by 1e-12."""
    config = MODELS[name].Config(group=BATCH) if name == "stylegan" else None
    original, losses = MODELS[name](config), []
    weights, size = original.state_dict(), BATCH * original.batches_per_step
    xs = batches(2, original.config.data_shape, size=size).astype(np.float64)
    for device, xp in (("cuda", gpu.xp), ("cpu", np)):
        with tg.use(device):
            model = MODELS[name](config)
            model.load_state_dict(weights)
            model = in_float64(model)
            for _, module in model.named_modules():
                if hasattr(module, "rng"):  # the model itself, and dropout
                    module.rng = HostNoise(xp)
            losses.append(train(model, [xp.asarray(x) for x in xs]))
    for there, here in zip(*losses, strict=True):
        assert there == pytest.approx(here, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in MODELS if "loss" in step(small(name), batches(1)[0])])
def test_a_model_with_one_loss_lowers_it(name):
    x = batches(1)[0]
    losses = [m["loss"] for m in train(small(name, lr=0.01), [x] * 60)]
    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:10])


@ALL
def test_metrics_are_constants(name):
    """They hold no graph: otherwise a list of them over a run would hold every step's."""
    for value in step(small(name), batches(1)[0]).values():
        assert not value.requires_grad


@ALL
def test_no_step_leaves_gradients_or_changes_its_batch(name):
    model, x = small(name), batches(1)[0]
    given = x.copy()
    step(model, x)
    np.testing.assert_array_equal(x, given)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


@ALL
def test_a_batch_of_one_is_refused_by_name_or_learnt_from(name):
    model = small(name, **({"batch_norm": True} if hasattr(MODELS[name].Config, "batch_norm") else {}))
    try:
        model.check_batch(1)
    except ConfigError as error:
        assert "batch" in str(error)
    else:
        step(model, batches(1, size=model.batches_per_step)[0])


@ALL
def test_every_parameter_is_in_exactly_one_optimiser_and_learns(name):
    others = {"weight_init": "glorot"} if name == "wgan" else {}  # biases of 0: others are clipped, and stay there
    model = small(name, **others)
    trained = [id(p) for optimizer in model.optimizers().values() for p in optimizer.params]
    assert sorted(trained) == sorted(id(p) for p in model.parameters())
    before = {n: p.numpy().copy() for n, p in model.named_parameters()}
    train(model, batches(3))
    for n, p in model.named_parameters():
        learns = not np.array_equal(p.numpy(), before[n])
        assert p.name == n and learns != (n in shifts(model)), n


def shifts(model):
    """The last bias of a D that only compares real and fake scores: it adds the same to both, and stays."""
    compares = isinstance(model, GAN) and not model.game.labelled
    return {f"D.{list(model.D.named_parameters())[-1][0]}"} if compares else set()


# Seeds


@ALL
def test_a_seed_decides_everything(name):
    """Whatever was drawn before, even from the default streams."""

    def run(seed):
        tg.random.default_rng().normal((seed + 1, 3))
        model = small(name, seed)
        first = state(model)
        return first, train(model, batches(3)), state(model)

    (first, losses, last), again, other = run(0), run(0), run(1)
    assert_equal_arrays(first, again[0])
    assert losses == again[1]
    assert_equal_arrays(last, again[2])
    weights = [key for key in first if key.endswith(".w")]
    assert weights and all(not np.isclose(first[key], other[0][key]).any() for key in weights)


# Sampling


@ALL
@pytest.mark.families
def test_looking_never_changes_the_run(backend, name):
    xs = backend.asarray(batches(6))
    blind, watched = small(name), small(name)
    for x in xs:
        step(blind, x)
        if watched.has("sample"):
            watched.sample(3)
            watched.sample(2, Generator(5))
        watched.preview(fed(watched, x), 9, Generator(5))
        watched.summary()
        watched.state_dict()
        repr(watched)
        step(watched, x)
    assert_equal_arrays(state(blind), state(watched))
    assert {n: g.state for n, g in blind.generators().items()} == {n: g.state for n, g in watched.generators().items()}
    assert all(m.training for _, m in watched.named_modules())


@SAMPLERS
def test_samples_follow_from_the_state_of_the_stream(backend, name):
    model = small(name)
    train(model, backend.asarray(batches(2)))
    rng = Generator(7)
    there = rng.state
    first, more = to_host(model.sample(5, rng)), to_host(model.sample(5, rng))
    assert first.shape == (5, *shape_for(name, IMAGE)) and first.dtype == kind_of_examples(name)
    assert not np.array_equal(first, more)
    rng.state = there
    np.testing.assert_array_equal(to_host(model.sample(5, rng)), first)
    assert not np.array_equal(to_host(model.sample(5, Generator(8))), first)
    np.testing.assert_array_equal(to_host(model.sample(5)), to_host(model.sample(5)))


def kind_of_examples(name):
    return np.int64 if name in SENTENCES else np.float32


@ALL
@pytest.mark.parametrize("shape", [IMAGE, POINT])
def test_samples_and_previews_are_arrays_in_the_range_of_the_data(backend, name, shape):
    if shape == POINT and name in IMAGES_ONLY:
        with pytest.raises(ConfigError, match=r"the data have the shape \(2,\), but convolutions take images"):
            small(name, data_shape=shape)
        return
    model, x = small(name, data_shape=shape), backend.asarray(batches(1, shape))[0]
    step(model, x)
    low, high = model.value_range or (-np.inf, np.inf)
    samples = [model.sample(6, Generator(0))] if name in SAMPLING else []
    for images in (*samples, model.preview(fed(model, x), 16, Generator(0))):
        assert isinstance(images, backend.xp.ndarray) and images.dtype == kind_of_examples(name)
        assert images.shape[1:] == shape_for(name, shape)
        assert low <= to_host(images).min() and to_host(images).max() <= high
    assert (model.value_range is None) == (shape == POINT or name in SENTENCES)


@ALL
def test_a_preview_takes_any_batch_and_number(name):
    model = small(name)
    least = model.columns or 4  # a row, or originals above reconstructions
    for size, n in itertools.product((1, 3, 20), (1, 2, 7, 64)):
        assert 1 <= len(model.preview(fed(model, batches(1, size=size)[0]), n, Generator(0))) <= max(n, least, 4)


@ALL
def test_the_summary_shows_every_network_with_its_shapes(name):
    model = small(name)
    lines = model.summary().splitlines()
    for path, layer in model.named_modules():
        if not any(layer.named_children()) and path.partition(".")[0] in model.inputs:
            (line,) = [line for line in lines if line.startswith(f"{path} ")]
            assert "(" in line.removeprefix(f"{path} {layer!r}"), f"{path} has no shape"
    assert lines[-3].split() == ["parameters", f"{sum(p.size for p in model.parameters()):,}"]


# Saved state


def restored(model, saved, streams):
    model.load_state_dict(saved)
    for n, g in model.generators().items():
        g.state = streams[n]
    return model


@ALL
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd"])
@pytest.mark.families(everywhere=True)
def test_a_saved_model_goes_on_to_the_bit_by_another_optimizer(name, optimizer):
    assert_that_it_goes_on(np, name, optimizer)


@ALL
@pytest.mark.families
def test_a_saved_model_goes_on_to_the_bit(backend, name):
    assert_that_it_goes_on(backend, name, "adam")


def assert_that_it_goes_on(xp, name, optimizer):
    xs, model = xp.asarray(batches(4)), small(name, optimizer=optimizer)
    train(model, xs[:2])
    saved, streams = state(model), {n: g.state for n, g in model.generators().items()}
    losses = train(model, xs[2:])
    again = restored(small(name, seed=9, optimizer=optimizer), saved, streams)
    assert train(again, xs[2:]) == losses
    assert_equal_arrays(state(again), state(model))


@ALL
def test_a_copied_model_goes_on_by_itself_to_the_bit(name):
    xs, model = batches(6), small(name)
    train(model, xs[:3])
    before, twin = state(model), copy.deepcopy(model)
    losses = train(twin, xs[3:])
    assert_equal_arrays(state(model), before)
    assert train(model, xs[3:]) == losses
    assert_equal_arrays(state(twin), state(model))


class Dropping(Model):
    """A user's own model, with a layer that draws too."""

    name, Config = "dropping", ModelConfig

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.net = Sequential(Dense(2, 20, rng=Generator(seed)), Dropout(0.5), Dense(20, 2, rng=Generator(seed)))
        self.opt = Adam(self.parameters())

    def train_step(self, x):
        loss = tg.losses.mse(self.net(x + self.rng.normal(x.shape)), x)
        self.opt.step(tg.grad(loss, self.parameters()))
        return {"loss": loss.detach()}


def test_the_streams_of_layers_are_saved_and_restored_too():
    xs, model = batches(6, POINT), Dropping()
    assert list(model.generators()) == ["rng", "net.1.rng"]
    train(model, xs[:3])
    saved, streams = state(model), {n: g.state for n, g in model.generators().items()}
    losses = train(model, xs[3:])
    assert train(restored(Dropping(seed=9), saved, streams), xs[3:]) == losses
    assert "net.0 Dense(2, 20)" in model.summary()


def test_a_state_names_networks_and_optimisers():
    assert list(small("gan", g_hidden=(2,), d_hidden=(2,)).state_dict()) == [
        *("G.0.w", "G.0.b", "G.2.gamma", "G.2.beta", "G.2.mean", "G.2.var", "G.3.w", "G.3.b"),
        *("D.1.w", "D.1.b", "D.3.w", "D.3.b"),
        *("opt_D.t", "opt_D.m", "opt_D.v", "opt_G.t", "opt_G.m", "opt_G.v"),
    ]


def drop(key):
    return lambda s: s.pop(next(k for k in s if k.endswith(key)))


CHANGES = {
    "a weight is missing": drop(".w"),
    "an optimiser's buffer is missing": drop(".v"),
    "an optimiser's count is missing": drop(".t"),
    "an optimiser's buffer has another length": lambda s: s.update(
        {k: v[:-1] for k, v in s.items() if k.endswith(".v")}
    ),
    "there is more": lambda s: s.update(more=np.zeros(1)),
}


@ALL
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_written(name):
    model = small(name)
    train(model, batches(1))
    before = state(model)
    for change in CHANGES.values():
        wrong = {key: a + 1 for key, a in before.items()}
        change(wrong)
        with pytest.raises(ValueError, match="load_state_dict: this"):
            model.load_state_dict(wrong)
        assert_equal_arrays(state(model), before)


@ALL
def test_not_strict_takes_weights_alone_or_some_of_them(name):
    model, other = small(name), small(name, seed=1)
    train(model, batches(1))
    before, weights = state(model), {n: t.data for n, t in other.named_tensors()}
    first = next(iter(weights))
    model.load_state_dict({first: weights[first], "more": np.zeros(1)}, strict=False)
    assert_equal_arrays(state(model), {**before, first: weights[first]})
    model.load_state_dict(weights, strict=False)
    assert_equal_arrays(state(model), {**before, **weights})


# Settings


NEEDED = {("cogan", "d_channels"), ("stylegan", "channels"), ("inpaint", "e_channels")}  # at least one


def others(kind, field, hint):
    """Values that a field may have beside its default."""
    default = getattr(kind.Config(), field.name)
    if typing.get_origin(hint) is typing.Literal:
        return [choice for choice in typing.get_args(hint) if choice != default]
    if isinstance(default, bool):
        return [not default]
    if field.name == "hole":
        return [(2, 1, 2, 2), (1, 1, 1, 2)]
    if isinstance(default, tuple):
        needed = field.name == "g_channels" or (kind.name, field.name) in NEEDED
        return [*([] if needed else [()]), (3,), (5, 4, 3)]
    return [default + 1] if isinstance(default, int) else [default / 2 or 0.5]


LOSS_ALONE = ("lsgan", "hingegan")  # which have the networks of the GAN, and its settings
FIELDS = [
    pytest.param(name, field.name, value, id=f"{name}-{field.name}={value}")
    for name, kind in MODELS.items()
    for field in dataclasses.fields(kind.Config)
    if field.name not in FROM_THE_DATA
    and (name not in LOSS_ALONE or field.name in vars(kind.Config)["__annotations__"])
    for value in others(kind, field, fields.types(kind.Config)[field.name])
]
MEANT_BY_AUTO = {("memory", "output"): "sigmoid", ("ae", "output"): "sigmoid"}
ADVERSARIAL = [name for name, kind in MODELS.items() if issubclass(kind, GAN)]
MEANT_BY_AUTO |= {(name, "output"): "tanh" for name in ADVERSARIAL}
MEANT_BY_AUTO |= {(name, "reconstruction"): "bernoulli" for name in ("convvae", "betavae")}
MEANT_BY_AUTO |= {("vae", "reconstruction"): "bernoulli"}
MEANT_BY_AUTO |= {("sngan", "loss"): "wasserstein"}  # the hinge loss within its margin, which D can't leave so soon
MEANT_BY_AUTO |= {(name, "ema"): 0.999 / 2 for name in ("cgan", "acgan")}  # larger ones matter only after many steps
MEANT_BY_AUTO |= {("pacgan", "ema"): 0.99 / 2, ("cogan", "ema"): 0.98 / 2, ("inpaint", "ema"): 0.98 / 2}
MEANT_BY_AUTO |= {("stylegan", "ema"): 0.998 / 2}
MEANT_BY_AUTO |= {("stylegan", "ada_target"): 0.6 / 2, ("stylegan", "ada_images"): 50_001}  # p rises after many steps
MEANT_BY_AUTO |= {("srgan", "ema"): 0.99 / 2, ("srgan", "content"): 0.01 / 2}  # no judge knows images of 4x4 pixels
MEANT_BY_AUTO |= {("textgan", "ema"): 0.998 / 2}


TOGETHER = {"instance_noise_steps": {"instance_noise": 0.1}}  # settings that matter with others
TOGETHER |= {"r1_every": {"r1": 1.0}, "constant": {"decay": 4}}
TOGETHER |= {key: {"batch_norm": True} for key in ("bn_momentum", "bn_eps")}
TOGETHER |= {("wgan", "beta1"): {"optimizer": "adam"}, ("pacgan", "slope"): {"g_activation": "leaky_relu"}}
TOGETHER |= {("srgan", "scale"): {"data_shape": (10, 20, 1)}, ("cyclegan", "d_channels"): {"data_shape": (16, 16, 1)}}
REINFORCE = {"method": "reinforce", "pretrain": 2}
TOGETHER |= {("textgan", field): REINFORCE for field in ("policy_lr", "rollouts", "likelihood")}
TOGETHER |= {("textgan", "pretrain"): {"method": "reinforce"}, ("textgan", "mle_lr"): {"method": "mle"}}
TOGETHER |= {key: {"ada": True} for key in ("ada_target", "ada_images")} | {"path_every": {"path": 1.0}}
SIZES = {"images": 1, "d_steps": 2, "pack": 2, "group": 4}  # of a batch, in units of the setting


@functools.cache
def usual_states(name, size, **others):
    """The states of a model with its usual settings, after each of a few steps."""
    usual = small(name, **others)
    return [(train(usual, [x]), state(usual))[1] for x in batches(4, size=size)[:, :4]]


@pytest.mark.parametrize("name, field, value", FIELDS)
def test_every_setting_is_taken_and_matters(name, field, value, campaign):
    """After the first step or a later one; with --campaign, all of them are taken."""
    size = SIZES[field] * value if field in SIZES else 4
    others = TOGETHER.get((name, field), TOGETHER.get(field, {}))
    if field == "label_smoothing" and not (usual := small(name, **others)).game.labelled:
        with pytest.raises(ConfigError, match=f"label_smoothing=0.5: the loss '{usual.config.loss}' has no labels"):
            small(name, label_smoothing=value)
        return
    model = small(name, **others, **{field: value})
    for x, usual in zip(batches(4, size=size), usual_states(name, size, **others), strict=True):
        (losses,) = train(model, [x])
        assert np.isfinite(list(losses.values())).all()
        differs_from_usual = differs(usual, state(model))
        if differs_from_usual and not campaign:
            break
    assert differs_from_usual == (MEANT_BY_AUTO.get((name, field)) != value)
    assert name not in SAMPLING or model.sample(2).shape == (2, *shape_for(name, IMAGE))


@ALL
def test_every_setting_can_be_written_as_text(name):
    assert {s.name for s in describe_settings(MODELS[name].Config)} == {
        field.name for field in dataclasses.fields(MODELS[name].Config)
    } - FROM_THE_DATA


@ALL
def test_every_setting_is_explained_in_a_phrase(name):
    assert [setting.name for setting in describe_settings(MODELS[name].Config) if not setting.about] == []


@ALL
def test_a_width_of_nothing_is_refused(name):
    field = next(f for f in SMALL[name] if f.endswith(("hidden", "channels")))
    with pytest.raises(ValueError):
        small(name, **{field: (0,)})


def test_a_state_that_is_not_strict_says_what_it_left_out():
    model, state = small("gan"), small("gan", seed=1).state_dict()
    optimizer = [key for key in state if key.startswith("opt_D.")]
    for key in ["G.0.w", *optimizer]:
        del state[key]
    state["extra"] = np.zeros(1)
    assert model.load_state_dict(state, strict=False) == (["G.0.w", *optimizer], ["extra"])
    np.testing.assert_array_equal(model.G[0].b.numpy(), state["G.0.b"])
    with pytest.raises(TypeError, match=r"expected the dict of a GAN's state_dict\(\), not a list"):
        model.load_state_dict([])
