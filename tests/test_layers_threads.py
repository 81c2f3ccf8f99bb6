"""Layers in several threads: what one evaluates or watches, another trains."""

import threading

import numpy as np

from tinygen.layers import BatchNorm, Dense, Dropout, Sequential, SpectralNorm, evaluating
from tinygen.layers.module import thread_state, watching


def elsewhere(work):
    """Do some work in another thread, and wait for it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_what_another_thread_evaluates_goes_on_training_here():
    net, x = Sequential(BatchNorm(3), Dropout(0.5)), np.random.default_rng(0).normal(3, 1, (8, 3)).astype(np.float32)
    with evaluating(net):
        assert not net.training and elsewhere(lambda: (net.training, net[0].training)) == (True, True)
        before = net[0].mean.numpy().copy()
        np.testing.assert_allclose(net(x).numpy(), x / np.sqrt(1 + net[0].eps), rtol=1e-5)
        trained = elsewhere(lambda: net[0](x).numpy())
        np.testing.assert_allclose(trained.mean(axis=0), 0, atol=1e-5)
        assert (net[0].mean.numpy() != before).all()
    assert net.training
    net.eval()
    assert elsewhere(lambda: net[1].training) is False


def test_evaluating_nests():
    net = Sequential(Dropout(0.5), Dropout(0.5))
    with evaluating(net):
        with evaluating(net[0]):
            pass
        assert not net[0].training
    assert net[0].training and net[1].training


def test_who_watches_sees_one_thread():
    seen, layer = [], Dense(2, 2)
    with watching(lambda module, y: seen.append(module)):
        elsewhere(lambda: layer(np.zeros((1, 2), np.float32)))
        assert not seen
        layer(np.zeros((1, 2), np.float32))
    assert seen == [layer] and thread_state.watcher is None


def test_a_spectral_norm_keeps_its_weight_when_two_threads_pass():
    inside, done = threading.Event(), threading.Event()

    class Slow(Dense):
        def forward(self, x):
            inside.set()
            done.wait(0.05)
            return super().forward(x)

    layer, x = SpectralNorm(Slow(3, 3)), np.eye(3, dtype=np.float32)
    w = layer.normed.w
    layer.eval()
    expected = layer(x).numpy()
    threads = [threading.Thread(target=lambda: seen.append(layer(x).numpy())) for _ in range(3)]
    seen = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert layer.normed.w is w
    for y in seen:
        np.testing.assert_array_equal(y, expected)
