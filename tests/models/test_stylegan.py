"""StyleGAN2: its steps against direct computation, its styles, its noise, its options, and that it learns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from models.small import batches, in_float64

import tinygen as tg
from tinygen import compile, gradcheck, layers, ops
from tinygen.errors import ConfigError, DataError
from tinygen.models import StyleGAN, StyleGANConfig, stylegan
from tinygen.models.ada import Augment, moved
from tinygen.models.style_networks import mixed
from tinygen.random import Generator
from tinygen.tensor import Tensor

SIZES = {"data_shape": (8, 8, 2), "channels": (4, 4, 3), "latent_dim": 4, "depth": 2, "group": 2}


def tiny(seed: int = 0, **options: Any) -> StyleGAN:
    """A StyleGAN of three levels."""
    return StyleGAN(StyleGANConfig(**{**SIZES, **options}), seed)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def trained(steps: int = 3, size: int = 4, **options: Any) -> StyleGAN:
    model = tiny(**options)
    for x in batches(steps, model.config.data_shape, size=size):
        model.train_step(x)
    return model


# The networks


def test_the_sizes_of_the_default_networks():
    model = StyleGAN()
    count = {name: sum(p.size for p in getattr(model, name).parameters()) for name in "GD"}
    assert count == {"G": 226_427, "D": 249_561}  # 226k and 250k
    shapes = model.output_shapes(None)
    assert [shapes[id(level.conv)] for level in model.G[1].levels] == [
        *((4, 4, 64), (8, 8, 64), (16, 16, 48), (32, 32, 24)),
    ]
    assert shapes[id(model.G)] == (32, 32, 3) and shapes[id(model.D)] == (1,)


@pytest.mark.parametrize("size", [(28, 28), (9, 6), (5, 1)])
def test_sides_of_any_length_halve_and_grow_again(size):
    model = trained(data_shape=(*size, 1))
    assert model.sample(3).shape == (3, *size, 1)
    first = -(-size[0] // 4), -(-size[1] // 4)
    assert model.G[1].levels[0].start.w.shape == (1, *first, 4)


def test_z_is_taken_on_a_sphere():
    mapping = tiny().G[0].eval()
    z = draw(5, 4).astype(np.float32)
    np.testing.assert_allclose(mapping(z).numpy(), mapping(7 * z).numpy(), rtol=1e-4, atol=1e-6)


def test_all_signals_have_about_the_same_size_at_first():
    """N(0, 1) weights with their scale at run time, √2 after each leaky ReLU, and 4 · blur after a transposed one."""
    model, found = tiny(1, data_shape=(32, 32, 1), channels=(32, 32, 24), latent_dim=16), list[float]()
    x, w = None, ops.broadcast_to(model.G[0](draw(16, 16).astype(np.float32))[:, None], (16, 3, 16))
    for i, level in enumerate(model.G[1].levels):
        x, _ = level(x, w[:, : 3 if i else 2])
        found.append(float(np.sqrt(np.mean(x.numpy() ** 2))))
    assert all(0.5 < size < 1.3 for size in found), found


def test_the_running_mean_of_styles():
    mapping = tiny().G[0]
    z, mean = draw(6, 4).astype(np.float32), np.full(4, 2, np.float32)
    mapping.mean.assign(mean)
    w = mapping(z).numpy()
    np.testing.assert_allclose(mapping.mean.numpy(), 0.998 * mean + 0.002 * w.mean(0), rtol=1e-6)
    mapping.eval()(z)
    np.testing.assert_allclose(mapping.mean.numpy(), 0.998 * mean + 0.002 * w.mean(0), rtol=1e-6)


def test_mixing_takes_the_first_layers_of_one_image_and_the_rest_of_another():
    w, other = np.ones((4, 3)), np.zeros((4, 3))
    draws = np.array([[0.5, 0.0], [0.5, 0.5], [0.5, 0.999], [0.95, 0.0]])[..., None]
    first = [int(row.sum()) for row in np.asarray(mixed(w, other, 6, draws, 0.9))[..., 0]]
    assert first == [1, 3, 6, 6]
    assert np.asarray(mixed(w, other, 6, draws, 0.0)).all()


def test_the_score_of_a_group_depends_on_its_own_kind_alone():
    """Real and fake images in one pass of D are judged as in two."""
    model = tiny()
    x, fake = batches(2, (8, 8, 2))
    for scores, images in zip(model.judge(x, Tensor(fake)), (x, fake), strict=True):
        np.testing.assert_allclose(scores.numpy(), model.D(images).numpy(), rtol=1e-5, atol=1e-6)


# The losses


@pytest.mark.parametrize("name", ["D", "G", "path"])
def test_the_gradient_of_each_loss(name, monkeypatch):
    """Of the whole step, with the second derivatives of R1 and of the path's lengths, by all that learns."""
    monkeypatch.setattr(stylegan, "LENGTHS", 1.0)  # the mean of the path lengths is taken as a number
    model: Any = in_float64(tiny(r1_every=1, path=2.0, path_every=1, data_shape=(4, 4, 1), channels=(2, 2)))
    for _, p in model.named_parameters():  # biases and noise weights off 0, kinks off the data
        p.assign(p.data + 0.1 * draw(*p.shape, seed=p.size))
    x = batches(1, (4, 4, 1))[0].astype(np.float64)
    step = {s.name: s for s in model.steps(x)}[name]
    states, params = {g: g.state for g in model.generators().values()}, step.optimizer.params
    buffers = {n: t.data.copy() for n, t in model.named_tensors() if isinstance(t, layers.Buffer)}

    def loss(*values: Any) -> Any:
        for g, state in states.items():
            g.state = state
        for n, t in model.named_tensors():
            if n in buffers:
                t.assign(buffers[n])
        return step.compute_loss().value

    value = loss()
    gradients = tg.grad(value, params)
    direction = [draw(*p.shape, seed=i) for i, p in enumerate(params)]
    slope = sum(float((g.data * d).sum()) for g, d in zip(gradients, direction, strict=True))
    ends = []
    for sign in (1, -1):
        before = [p.data.copy() for p in params]
        for p, d in zip(params, direction, strict=True):
            p.assign(p.data + sign * 1e-6 * d)
        ends.append(float(loss().data))
        for p, b in zip(params, before, strict=True):
            p.assign(b)
    assert abs(slope) > 1e-3 and slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)


def test_the_penalty_on_D_is_taken_every_so_many_steps():
    """And so many times as heavy: the loss of D is that without it, and in the first and the fourth step more."""
    plain, lazy = (tiny(r1=r1, r1_every=3, lr=0.0) for r1 in (0.0, 0.5))
    for k, x in enumerate(batches(5, (8, 8, 2))):
        leaf = tg.tensor(x, requires_grad=True)
        (gx,) = tg.grad(ops.sum(lazy.D(leaf)), [leaf])
        expected = 3 * 0.5 / 2 * (gx.numpy() ** 2).sum((1, 2, 3)).mean() if k % 3 == 0 else 0
        more = lazy.train_step(x)["loss_D"].item() - plain.train_step(x)["loss_D"].item()
        assert more == pytest.approx(expected, rel=1e-3, abs=1e-6), k


def test_the_path_penalty_does_not_disturb_the_count():
    model, names = tiny(path=1.0, path_every=2, r1=0.0), []
    for x in batches(6, (8, 8, 2)):
        names.append([step.name for step in model.steps(x)])
        metrics = model.train_step(x)
    assert names == [["D", "G"], ["D", "G", "path"]] * 3
    assert model.length is not None and 0 < model.length.numpy()[0] < metrics["path"].item()


# Compiled


def test_compiled_steps_are_the_eager_ones():
    """With distortions, and with a program for each kind of step."""
    options = {"data_shape": (4, 4, 1), "channels": (3, 2), "ada": True, "ada_images": 20, "path": 1.0, "path_every": 2}
    model, twin = (in_float64(tiny(**options, r1=0.0, eps=1e-3)) for _ in range(2))
    compiled = compile(twin, "numpy")
    for x in batches(4, (4, 4, 1)).astype(np.float64):
        expected, made = model.train_step(x), compiled(x)
        assert compiled.reason is None and list(made) == list(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(made[name].array, value.array, rtol=1e-8, atol=1e-10, err_msg=name)
    state = twin.state_dict()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(state[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


# What it makes


def test_a_smaller_psi_makes_images_more_alike():
    model = trained()
    full, half, none = (model.sample(64, Generator(1), psi) for psi in (1.0, 0.5, 0.0))
    assert none.std(0).max() < 1e-6 < half.std(0).mean() < 0.8 * full.std(0).mean()
    np.testing.assert_array_equal(model.sample(4, Generator(1)), model.draw(Generator(1).normal((4, 4))))
    for psi in ("half", float("nan")):
        with pytest.raises(ValueError, match=r"^stylegan: psi is"):
            model.sample(1, psi=psi)


def test_styles_of_two_images_are_mixed_layer_by_layer():
    """Coarse styles of one image and fine ones of another: the maps are those of the first up to there."""
    model = trained()
    w, other = model.styles(draw(2, 4).astype(np.float32))[:, None]
    synthesis = model.G_mean.network[1]
    per_layer = np.concatenate([np.repeat(w, 2, 0), np.repeat(other, 4, 0)])[None]
    maps = dict[str, Any]()
    with layers.module.watching(lambda m, y: maps.update({id(m): y})):
        image = model.synthesise(per_layer)
        first = maps[id(synthesis.levels[0].image)].numpy()
        own = model.synthesise(w)
        np.testing.assert_array_equal(first, maps[id(synthesis.levels[0].image)].numpy())
    assert not np.allclose(image, own) and not np.allclose(image, model.synthesise(other))
    np.testing.assert_array_equal(model.synthesise(np.repeat(w, 6, 0)[None]), own)


def test_noise_changes_little_and_is_the_same_without_an_rng():
    model = trained(8)
    w = model.styles(draw(16, 4).astype(np.float32))
    np.testing.assert_array_equal(model.synthesise(w), model.synthesise(w))
    by_noise = model.synthesise(w, Generator(1)) - model.synthesise(w, Generator(2))
    assert 0 < by_noise.std() < 0.2 * model.synthesise(w).std(0).mean()


def test_images_lie_in_the_range_of_the_data():
    model = tiny()
    model.G_mean.network[1].levels[2].image.b.assign(np.array([9.0, -9.0]))
    assert model.sample(2).min() == -1 and model.sample(2).max() == 1


def test_it_learns_the_colours_of_images():
    """Each image has one colour, N(0.3, 0.25²), nearly everywhere: so have the samples."""
    rng, options = np.random.default_rng(0), {"data_shape": (2, 2, 1), "channels": (8,), "depth": 1, "mixing": 0.0}
    model = tiny(**options, group=4, r1_every=4, ema=0.95, lr=5e-3)
    for _ in range(200):
        colour = rng.normal(0.3, 0.25, (16, 1, 1, 1))
        model.train_step((colour + rng.normal(0, 0.03, (16, 2, 2, 1))).astype(np.float32))
    images = model.sample(400, Generator(3))
    colours = images.mean((1, 2, 3))
    assert colours.mean() == pytest.approx(0.3, abs=0.08) and colours.std() == pytest.approx(0.25, abs=0.08)
    assert images.std((1, 2, 3)).mean() < 0.08


# Augmentation


def test_images_are_moved_by_whole_pixels():
    x = np.arange(32.0).reshape(1, 8, 4, 1) * np.ones((3, 1, 1, 1))
    down, right = np.array([0.0, 0.45, -0.5]).reshape(3, 1, 1), np.zeros((3, 1, 1))
    y = moved(x, down, right)
    np.testing.assert_array_equal(y[0], x[0])
    np.testing.assert_array_equal(y[1], x[1][[0, 0, 1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(y[2], x[2][[1, 2, 3, 4, 5, 6, 7, 7]])


def test_distortions_come_with_probability_p():
    augment, x = Augment(Generator(0)), draw(2000, 2, 3, 1)
    np.testing.assert_array_equal(augment(x).data if isinstance(augment(x), Tensor) else augment(x), x)
    augment.p.assign(np.ones(1))
    y = np.asarray(augment(x))
    assert not np.isclose(x, y).reshape(2000, -1).all(1).any()
    augment.p.assign(np.full(1, 0.5))
    same = np.isclose(x, np.asarray(augment(x))).reshape(2000, -1).all(1).mean()
    assert same == pytest.approx(
        0.5**2 * 0.75, abs=0.04
    )  # neither bright, nor of contrast, nor mirrored; too small to move


def test_gradients_flow_through_distortions():
    augment = Augment(Generator(0))
    augment.p.assign(np.full(1, 0.7))
    state = augment.rng.state

    def f(x: Any) -> Any:
        augment.rng.state = state
        return augment(x)

    assert gradcheck(f, [draw(4, 8, 8, 1)]).comparisons > 0


def test_p_follows_how_much_D_overfits():
    augment = Augment(Generator(0))
    for _ in range(60):
        augment.adapt(np.ones((8, 1), np.float32), 0.6, 100)
    assert augment.r.numpy()[0] == pytest.approx(1 - 0.95**60, rel=1e-4)
    risen = augment.p.numpy()[0]
    assert risen == 1
    for _ in range(30):
        augment.adapt(-np.ones((8, 1), np.float32), 0.6, 100)
    assert augment.p.numpy()[0] < 0.2


def test_augmentation_is_resumed():
    model = trained(4, ada=True, ada_images=20, ada_target=0.0)
    saved = model.state_dict()
    assert {"augment.p", "augment.r"} <= saved.keys()
    assert "ada_p" in model.train_step(batches(1, (8, 8, 2))[0])


# Refusals


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"the data have the shape \(2,\), but convolutions take images"):
        StyleGANConfig(data_shape=(2,))
    with pytest.raises(ConfigError, match="channels is empty, but there must be those of at least the smallest maps"):
        StyleGANConfig(channels=())
    with pytest.raises(ConfigError, match="stylegan: the batch is 6, but it must be a multiple of group=4"):
        tiny(group=4).train_step(batches(1, (8, 8, 2), size=6)[0])
    with pytest.raises(DataError, match=re.escape("must be floats (N, 8, 8, 2)")):
        tiny().train_step(batches(1, (8, 4, 2))[0])
    with pytest.raises(ValueError, match=r"MinibatchStd: the batch has 3 examples, but that must be a multiple of 2"):
        tiny().score(batches(1, (8, 8, 2), size=3)[0])
