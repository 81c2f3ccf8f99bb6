"""The mean of a model's weights as a callback: the recursion, the swap, and that it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from equal import assert_equal_arrays
from models.small import batches, small

from tinygen.errors import ConfigError
from tinygen.train import EMA, fit

DATA = list(batches(3))


def weights(module):
    return {name: t.numpy().copy() for name, t in module.named_tensors()}


@pytest.mark.parametrize("name", ["gan", "vae", "ae"])
def test_the_recursion(name):
    """mean ← d · mean + (1 - d) · weight with d = min(decay, (1 + t) / (10 + t)), of every parameter."""
    model, ema = small(name), EMA(0.3)
    ema.on_start(model, None, 0)
    expected = {n: p.numpy().astype(np.float64) for n, p in model.named_parameters()}
    for t in range(1, 8):
        model.train_step(DATA[t % 3])
        ema.on_step(t, {})
        d = min(0.3, (1 + t) / (10 + t))
        expected = {n: d * expected[n] + (1 - d) * p.numpy() for n, p in model.named_parameters()}
    with ema.applied():
        for n, p in model.named_parameters():
            np.testing.assert_allclose(p.numpy(), expected[n], rtol=1e-4, atol=1e-6, err_msg=n)


def test_of_G_alone_it_is_the_gans_own():
    model, ema = small("gan", ema=0.5), EMA(0.5, "G")
    fit(model, DATA, 5, callbacks=[ema])
    assert_equal_arrays(weights(ema.mean), weights(model.G_mean))


def test_applied_for_a_block_and_then_the_weights_again_to_the_bit():
    model, ema = small("gan"), EMA(0.9)
    fit(model, DATA, 5, callbacks=[ema])
    before, samples = weights(model), model.sample(3)
    with pytest.raises(KeyError), ema.applied():
        assert_equal_arrays(weights(model), {n.removeprefix("network."): t for n, t in weights(ema.mean).items()})
        assert not np.isclose(model.sample(3), samples).all()
        raise KeyError
    assert_equal_arrays(weights(model), before)
    np.testing.assert_array_equal(model.sample(3), samples)


def test_it_never_changes_the_run():
    blind, watched = small("gan"), small("gan")
    fit(blind, DATA, 6)
    fit(watched, DATA, 6, callbacks=[EMA(0.9)])
    assert_equal_arrays(blind.state_dict(), watched.state_dict())


def test_the_means_resume_to_the_bit(tmp_path):
    whole, first, second = EMA(0.9), EMA(0.9), EMA(0.9)
    fit(small("gan"), DATA, 6, callbacks=[whole])
    fit(small("gan"), DATA, 4, callbacks=[first], out=tmp_path)
    fit(small("gan"), DATA, 6, callbacks=[second], out=tmp_path, resume=True)
    assert_equal_arrays(weights(whole.mean), weights(second.mean))


def test_it_waits_for_nothing(gpu):
    import standin

    model, x = small("gan"), gpu.asarray(DATA[0])
    ema = EMA(0.9)
    ema.on_start(model, None, 0)
    with standin.capturing():
        ema.on_step(1, model.train_step(x))


def test_what_it_refuses():
    with pytest.raises(ConfigError, match=r"EMA: decay is 1\.5"):
        EMA(1.5)
    with pytest.raises(ConfigError, match=r"EMA: vae has no network 'decode' \(did you mean 'decoder'\?\); it has enc"):
        fit(small("vae"), DATA, 1, callbacks=[EMA(0.9, "decode")])
