"""What worker processes are sent: models, layers, losses, streams, data. A copy continues exactly like the original."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from models.small import IMAGES_ONLY, POINT, SAMPLING, batches, fed, small

import tinygen as tg
from tinygen import layers as L
from tinygen.data import Compose, Dataset, Flip, Loader, Shift
from tinygen.layers import Buffer
from tinygen.losses import GAN_LOSSES, least_squares
from tinygen.models import MODELS
from tinygen.random import Generator
from tinygen.tensor import Parameter


def pickled(x, protocol=pickle.DEFAULT_PROTOCOL):
    return pickle.loads(pickle.dumps(x, protocol))


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(tg.to_host(theirs[name]), tg.to_host(array), err_msg=name)


def steps(model, n, seed):
    for x in batches(n, model.config.data_shape, seed, 4 * model.batches_per_step):
        model.train_step(fed(model, x))


@pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_on_as_if_it_had_never_been_away(name, copied):
    model = small(name)
    steps(model, 2, 0)
    twin = copied(model)
    assert type(twin) is type(model) and twin.config == model.config
    held = {id(p) for p in twin.parameters()}
    assert all(id(p) in held for optimizer in twin.optimizers().values() for p in optimizer.params)
    before = model.state_dict()
    assert_equal(before, twin.state_dict())
    steps(twin, 2, 1)
    assert_equal(before, model.state_dict())
    steps(model, 2, 1)
    assert_equal(model.state_dict(), twin.state_dict())
    if name in SAMPLING:
        np.testing.assert_array_equal(twin.sample(2), model.sample(2))


@pytest.mark.parametrize("name", sorted(MODELS.keys() - IMAGES_ONLY))
def test_a_model_of_points(name):
    model = small(name, data_shape=POINT)
    np.testing.assert_array_equal(pickled(model).sample(3), model.sample(3))


def test_layers_keep_their_mode_names_and_streams():
    net = L.Sequential(L.Dense(3, 4), L.BatchNorm(4), L.Dropout(0.5), L.SpectralNorm(L.Dense(4, 2)))
    net.heads = L.ModuleDict({"a": L.LayerNorm(2)})
    net[0].requires_grad_(False)
    net[1].eval()
    net = L.Sequential(*net[:4], net.heads["a"])
    twin, x = pickled(net), np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert [(n, t.name, type(t), t.requires_grad) for n, t in twin.named_tensors()] == [
        (n, t.name, type(t), t.requires_grad) for n, t in net.named_tensors()
    ]
    assert [m.training for _, m in twin.named_modules()] == [m.training for _, m in net.named_modules()]
    for _ in range(2):
        np.testing.assert_array_equal(twin(x).numpy(), net(x).numpy())
    shared = L.Dense(2, 2)
    both = pickled(L.Sequential(shared, shared))
    assert both[0] is both[1] and len(both.parameters()) == 2


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_tensors(backend, protocol):
    """The values, the flag, the name and the kind, and no tape; the same object twice is the same object again."""
    x = tg.tensor(backend.asarray([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True, name="x")
    p, b = Parameter(backend.asarray(np.ones(2)), "p"), Buffer(backend.asarray(np.ones(3)))
    y, view = (x * x).sum(), x.detach().T
    y.backward(retain_graph=True)
    twins = pickled((x, p, b, y, view, x), protocol)
    assert [type(t) for t in twins[:3]] == [tg.Tensor, Parameter, Buffer] and twins[0] is twins[5]
    for ours, theirs in zip((x, p, b, y, view), twins, strict=False):
        np.testing.assert_array_equal(theirs.numpy(), ours.numpy())
        assert (theirs.name, theirs.requires_grad, theirs.dtype) == (ours.name, ours.requires_grad, ours.dtype)
        assert theirs.is_leaf and theirs.grad is None and isinstance(theirs.data, backend.xp.ndarray)
    twins[0].assign(0)
    assert x.numpy().all()


def test_a_copy_of_a_tensor_is_a_leaf_of_its_own():
    x = tg.tensor([1.0], requires_grad=True)
    for twin in (copy.copy(x), copy.deepcopy(x)):
        (twin * 3).sum().backward()
        assert twin.grad.item() == 3 and x.grad is None
    with pytest.raises(ValueError, match="the result of an op"):
        copy.copy(x * 2)


def test_losses_streams_and_data():
    real, fake = np.full((3, 1), 0.5), np.full((2, 1), -0.5)
    for loss in (*GAN_LOSSES.values(), least_squares(-1, 1, 0)):
        twin = pickled(loss)
        assert (twin.D(real, fake), twin.G(fake)) == (
            loss.D(real, fake),
            loss.G(fake),
        ) and twin.describe() == loss.describe()
        if loss.labelled:
            assert twin.D(real, fake, 0.9) == loss.D(real, fake, 0.9) != loss.D(real, fake)
    rng = Generator(3, "name")
    rng.normal(5)
    twin = pickled(rng)
    np.testing.assert_array_equal(twin.normal(4), rng.normal(4))
    images = np.random.default_rng(0).integers(0, 255, (9, 4, 4, 1)).astype(np.uint8)
    dataset = pickled(Dataset("mine", images, images[:2], np.arange(9)))
    assert dataset.name == "mine" and (dataset.train == images).all() and (dataset.labels == np.arange(9)).all()
    loader = Loader(images, 4, labels=np.arange(9), augment=Compose(Shift(1), Flip()), drop_last=False)
    loader.next_batch()
    twin = pickled(loader)
    for _ in range(4):
        for ours, theirs in zip(loader.next_batch(), twin.next_batch(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
