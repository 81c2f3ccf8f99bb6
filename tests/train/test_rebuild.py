"""load: the model of a run, from its directory or from one of its checkpoints."""

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen import models
from tinygen.backend import Generator
from tinygen.errors import RunError
from tinygen.models import GAN, VAE, GANConfig, VAEConfig
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
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(x, loaded.state_dict()[name], err_msg=name)
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
    assert "passing over" in capsys.readouterr().out
    assert list(run.checkpoints()) == [0, 3, 6]


def test_what_is_no_run(run, tmp_path):
    with pytest.raises(RunError, match=r"nowhere: there is no run .* is the path right\?"):
        load(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a checkpoint at all"):
        load(run.metrics_file)


def test_a_model_that_is_not_one_of_tinygens(run):
    del models.MODELS["tiny"]
    with pytest.raises(RunError, match=r"a run of 'tiny', which is no model of tinygen's; build it"):
        load(run.path)


def test_a_config_of_another_version(run, monkeypatch):
    from dataclasses import make_dataclass

    monkeypatch.setattr(Tiny, "Config", make_dataclass("Config", [("data_shape", tuple, (1,)), ("lr", float, 0.1)]))
    with pytest.raises(RunError, match="of another version of tinygen, whose tiny had size"):
        load(run.path)
