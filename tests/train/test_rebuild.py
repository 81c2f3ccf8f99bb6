"""load: the model of a run, from its directory or from one of its checkpoints."""

from dataclasses import dataclass

import numpy as np
import pytest
from equal import assert_equal_arrays
from train.tiny import Stream, Tiny

import tinygen as tg
from tinygen import models
from tinygen.errors import ConfigError, RunError
from tinygen.models import GAN, VAE, GANConfig, VAEConfig
from tinygen.random import Generator
from tinygen.train import RunDirectory, fit, load

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 1), dtype=np.uint8)
SMALL = {
    GAN: GANConfig((4, 4, 1), latent_dim=3, g_hidden=(8, 9), d_hidden=(8,), lr=3e-4),
    VAE: VAEConfig((4, 4, 1), latent_dim=2),
}


@pytest.mark.parametrize("kind", SMALL)
def test_a_model_comes_back_with_its_config_and_weights(tmp_path, viz, kind):
    model = kind(SMALL[kind], seed=4)
    fit(model, IMAGES, 6, out=tmp_path, checkpoint_every=3)
    loaded = load(str(tmp_path))
    assert type(loaded) is kind and loaded.config == model.config
    assert_equal_arrays(loaded.state_dict(), model.state_dict())
    samples = [m.sample(5, Generator(1, "look")) for m in (model, loaded)]
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize("kind", SMALL)
def test_real_models_resume_to_the_bit(tmp_path, viz, kind):
    def train(name, steps, resume=False):
        from tinygen.data import Loader

        model = kind(SMALL[kind], seed=4)
        loader = Loader(IMAGES, 8, model.value_range, Generator(4, "loader"))
        fit(model, loader, steps, out=tmp_path / name, resume=resume, log_every=3, checkpoint_every=5)
        return RunDirectory(tmp_path / name)

    straight = train("straight", 20)
    train("parts", 7)
    parts = train("parts", 20, resume=True)
    a, b = straight.newest(), parts.newest()
    assert a.facts == b.facts and a.tensors.keys() == b.tensors.keys()
    for name, x in a.tensors.items():
        np.testing.assert_array_equal(x, b.tensors[name], err_msg=name)
    assert straight.metrics_file.read_bytes() == parts.metrics_file.read_bytes()


@pytest.fixture
def run(tmp_path, viz, monkeypatch):
    monkeypatch.setitem(models.MODELS, "tiny", Tiny)
    fit(Tiny(), Stream(), 6, out=tmp_path, checkpoint_every=3)
    return RunDirectory(tmp_path)


def test_an_earlier_checkpoint_can_be_named(run):
    assert load(run.path).count == 6 and load(run.checkpoint_file(3)).count == 3


def test_a_damaged_newest_checkpoint(run, capsys):
    run.checkpoint_file(6).write_bytes(b"")
    assert load(run.path).count == 3
    assert "skipping" in capsys.readouterr().out
    assert list(run.checkpoints()) == [0, 3, 6]


def test_what_is_no_run(run, tmp_path):
    with pytest.raises(
        RunError, match=r"step_000005.safetensors: there is no such checkpoint; there are those of steps 0, 3, 6"
    ):
        load(run.checkpoint_file(5))
    with pytest.raises(RunError, match=r"a.safetensors: there is no such checkpoint; is the path right\?"):
        load(run.path / "a.safetensors")
    with pytest.raises(RunError, match=r"nowhere: there is no run .* is the path right\?"):
        load(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a checkpoint at all"):
        load(run.metrics_file)


def test_a_model_that_is_not_one_of_tinygens(run):
    del models.MODELS["tiny"]
    with pytest.raises(RunError, match=r"a run of 'tiny' \(Tiny of train.tiny\).* tinygen\.load\('.*', Tiny\)"):
        load(run.path)


def test_a_config_of_another_version(run, monkeypatch):
    from dataclasses import make_dataclass

    monkeypatch.setattr(Tiny, "Config", make_dataclass("Config", [("data_shape", tuple, (1,)), ("lr", float, 0.1)]))
    with pytest.raises(RunError, match="the config of the run has size, which Tiny does not take; it is of"):
        load(run.path)


@dataclass(frozen=True)
class OwnConfig:
    data_shape: tuple[int, ...] = (3,)
    width: int = 4


class Own(tg.models.Model):
    """A model as a script has it, with two optimisers and a stream in containers, and without a name."""

    Config = OwnConfig

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        self.net = tg.layers.Dense(3, self.config.width)
        self.head = tg.layers.Dense(self.config.width, 3)
        self.opts = {"net": tg.optim.Adam(self.net.parameters()), "head": [tg.optim.SGD(self.head.parameters(), 0.1)]}
        self.noise = [Generator(seed, "own")]

    def train_step(self, x):
        y = self.head(tg.ops.tanh(self.net(x + self.noise[0].normal(x.shape))))
        loss = ((y - x) ** 2).mean()
        loss.backward()
        for opt in (self.opts["net"], *self.opts["head"]):
            opt.step()
            opt.zero_grad()
        return {"loss": loss}

    def sample(self, n, rng=None):
        return self.head(self.sampling_stream(rng).normal((n, self.config.width))).data


class Scripted(Own):
    def __init__(self, width):
        super().__init__(OwnConfig(width=width))


class Bare(Own):
    def __init__(self):
        super().__init__()


POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def test_a_model_of_ones_own_loads_by_its_class_or_by_another_like_it(tmp_path, viz):
    model = Own(OwnConfig(width=5))
    fit(model, POINTS, 4, out=tmp_path, checkpoint_every=2)
    assert RunDirectory(tmp_path).read_config()["class"] == f"{__name__}:Own" and model.name == "own"
    like = Own(OwnConfig(width=5), seed=9)
    assert load(tmp_path, like) is like
    for loaded in (load(tmp_path, Own), like):
        assert type(loaded) is Own and loaded.config == model.config
        assert_equal_arrays(loaded.state_dict(), model.state_dict())
    assert model.state_dict().keys() >= {"opts.net.m", "opts.head.0.t"}


def test_optimisers_and_streams_in_containers_resume_to_the_bit(tmp_path, viz):
    def train(name, steps, resume=False):
        tg.seed(0)
        model = Own()
        fit(model, POINTS, steps, out=tmp_path / name, resume=resume)
        return model

    straight = train("straight", 6)
    train("parts", 3)
    resumed = train("parts", 6, resume=True)
    assert_equal_arrays(resumed.state_dict(), straight.state_dict())
    assert resumed.noise[0].state == straight.noise[0].state


def test_a_run_never_chooses_the_code_that_is_run(tmp_path, viz):
    fit(Scripted(5), POINTS, 2, out=tmp_path)
    with pytest.raises(RunError, match=r"a run of 'own' \(Scripted of .*\), .*tinygen\.load\('.*', Scripted"):
        load(tmp_path)
    with pytest.raises(
        RunError, match=r"Scripted needs width; build it as it was trained .*`model=Scripted\(\.\.\.\)`"
    ):
        load(tmp_path, Scripted)
    with pytest.raises(RunError, match="does not fit this run"):
        load(tmp_path, Bare)
    with pytest.raises(RunError, match="model is 'own', but it must be a model or the class of one"):
        load(tmp_path, "own")
    assert load(tmp_path, Scripted(5)).config.width == 5


def test_a_class_that_takes_no_config(tmp_path, viz):
    fit(Bare(), POINTS, 2, out=tmp_path)
    assert type(load(tmp_path, Bare)) is Bare


def test_a_subclass_of_tinygens_model_is_not_taken_for_it(tmp_path, viz):
    class Mine(GAN):
        pass

    fit(Mine(SMALL[GAN]), IMAGES, 2, out=tmp_path)
    with pytest.raises(RunError, match=r"a run of 'gan' .*Mine"):
        load(tmp_path)
    assert type(load(tmp_path, Mine)) is Mine


def test_what_can_not_be_changed_or_loaded_is_named(tmp_path, viz):
    fit(GAN(SMALL[GAN]), IMAGES, 2, out=tmp_path)
    assert load(tmp_path, lr=0.5).config.lr == 0.5
    with pytest.raises(ConfigError, match=r"load: GAN has no setting 'lrr' \(did you mean 'lr'\?\)"):
        load(tmp_path, lrr=0.5)
    with pytest.raises(ConfigError, match="load: lr can't change in a model that is already built"):
        load(tmp_path, GAN(SMALL[GAN]), lr=0.5)
    with pytest.raises(RunError, match=r"the config of the run has .*g_hidden.*, which VAE does not take"):
        load(tmp_path, VAE)
    for run in (3, None, GAN):
        with pytest.raises(RunError, match="but it must be the path of a run directory or of a checkpoint"):
            load(run)
