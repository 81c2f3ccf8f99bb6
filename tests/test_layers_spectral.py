"""SpectralNorm: the largest singular value, against NumPy's SVD and PyTorch's own layer, and what it leaves alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import standin

import tinygen as tg
from tinygen import layers as L
from tinygen.backend import to_host
from tinygen.layers import Buffer
from tinygen.random import Generator


def dense(iterations=1, dtype=np.float64):
    return L.SpectralNorm(L.Dense(6, 4, rng=Generator(0), dtype=dtype), iterations, Generator(1))


KINDS = {  # a layer, an input, and its weight as a matrix of C_out rows
    "dense": (lambda: L.Dense(6, 4, dtype=np.float64), (3, 6), lambda w: w.T),
    "conv": (lambda: L.Conv(2, 5, (3, 2), dtype=np.float64), (2, 4, 4, 2), lambda w: w.reshape(-1, w.shape[-1]).T),
    "transposed": (
        lambda: L.ConvTranspose(3, 2, 4, 2, dtype=np.float64),
        (2, 3, 3, 3),
        lambda w: np.moveaxis(w, 2, 0).reshape(w.shape[2], -1),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_divides_by_the_largest_singular_value(backend, kind):
    build, shape, as_matrix = KINDS[kind]
    layer = build()
    w = to_host(layer.w.data).copy()
    matrix = as_matrix(w)
    left, sizes, right = np.linalg.svd(matrix)
    twin, x = copy.deepcopy(layer), backend.asarray(np.random.default_rng(0).normal(size=shape))
    normed = L.SpectralNorm(layer, iterations=300)
    y = normed(x)
    twin.w.assign(backend.asarray(w / sizes[0]))
    np.testing.assert_allclose(to_host(y.data), to_host(twin(x).data), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(to_host(layer.w.data), w)
    u, v = to_host(normed.u.data), to_host(normed.v.data)
    assert u.shape == (matrix.shape[0],) and abs(u @ left[:, 0]) == pytest.approx(1, abs=1e-10)
    if kind == "dense":  # of the others, v counts the kernel's axes in another order
        assert abs(v @ right[0]) == pytest.approx(1, abs=1e-10)


def test_a_vector_a_bias_and_a_weight_of_zeros():
    layer = L.SpectralNorm(L.Dense(3, 1, dtype=np.float64))
    layer.normed.b.assign(np.full(1, 2.0))
    w, x = layer.normed.w.numpy().ravel(), np.array([[1.0, 2.0, 3.0]])
    assert layer(x).item() == pytest.approx(x[0] @ w / np.linalg.norm(w) + 2)  # one step is enough; b stays


@pytest.mark.oracle
@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_as_pytorch_does_it(kind, iterations):
    """The outputs, u and v of three passes from the same u, one in eval mode, and the gradients.

    PyTorch turns v into u and then u into v, the paper u into v and v into u: with its dim the other axis, the same.
    """
    torch = pytest.importorskip("torch")
    nn, (build, shape, _) = torch.nn, KINDS[kind]
    layer = build()
    ours = L.SpectralNorm(layer, iterations)
    w, b = layer.w.numpy(), layer.b.numpy()
    flat = np.moveaxis(w, 2, 3).reshape(-1, w.shape[2]) if kind == "transposed" else w.reshape(-1, w.shape[-1])
    theirs = nn.Linear(*flat.shape[::-1], bias=False, dtype=torch.float64)  # its weight is the matrix Wᵀ
    theirs.weight.data = torch.tensor(flat.copy())
    torch.nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=iterations)
    theirs.parametrizations.weight[0]._v[...] = torch.tensor(ours.u.numpy().copy())
    rng = np.random.default_rng(1)
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        x = rng.normal(size=shape)
        normed = theirs.weight
        y = ours(x)
        gy = rng.normal(size=y.shape)
        expected = apply(kind, torch, x, normed, w.shape) + torch.tensor(b)
        np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
        gw = tg.grad(y, layer.w, gy).numpy()
        (right,) = torch.autograd.grad(expected, theirs.parametrizations.weight.original, torch.tensor(gy))
        right = right.numpy()
        if kind == "transposed":
            right = np.moveaxis(right.reshape(*w.shape[:2], w.shape[3], w.shape[2]), 3, 2)
        np.testing.assert_allclose(gw, right.reshape(w.shape), rtol=1e-9, atol=1e-12)


def apply(kind, torch, x, matrix, shape):
    """The layer in PyTorch with a weight Wᵀ that is our kernel flattened."""
    F, x = torch.nn.functional, torch.tensor(x)
    if kind == "dense":
        return x @ matrix
    images = x.permute(0, 3, 1, 2)
    if kind == "conv":
        kernel = matrix.reshape(shape).permute(3, 2, 0, 1)
        return F.conv2d(F.pad(images, (0, 1, 1, 1)), kernel).permute(0, 2, 3, 1)
    kernel = matrix.reshape(*shape[:2], shape[3], shape[2]).permute(2, 3, 0, 1)
    return F.conv_transpose2d(images, kernel, stride=2, padding=1).permute(0, 2, 3, 1)


def test_the_gradient_is_that_of_the_true_norm_once_u_and_v_are():
    """dσ = uᵀ dW v is then the derivative of the largest singular value: differences see the same."""
    layer, x = dense(iterations=300), np.random.default_rng(0).normal(size=(3, 6))
    assert tg.gradcheck(layer, x, 1).error < 1e-8  # in training mode, with u and v found anew for each w
    assert tg.gradcheck(layer.eval(), x, 2).error < 1e-8  # and as constants


def test_u_and_v_follow_in_training_alone(backend):
    layer, x = dense(), backend.asarray(np.ones((2, 6)))
    before = {name: to_host(t).copy() for name, t in layer.state_dict().items()}
    layer.eval()(x)
    assert all(np.array_equal(to_host(t), before[name]) for name, t in layer.state_dict().items())
    with tg.no_grad():
        for _ in range(2):  # v begins as what the first pass makes of u
            layer.train()(x)
    after = {name: to_host(t) for name, t in layer.state_dict().items()}
    assert list(after) == ["normed.w", "normed.b", "u", "v"]
    assert [name for name in after if not np.array_equal(after[name], before[name])] == ["u", "v"]
    assert isinstance(layer.u, Buffer) and [n for n, _ in layer.named_parameters()] == ["normed.w", "normed.b"]


def test_several_iterations_are_several_passes():
    x = np.ones((2, 6))
    once, thrice = dense(1), dense(3)
    for _ in range(3):
        y = once(x)
    np.testing.assert_array_equal(thrice(x).numpy(), y.numpy())


def test_two_passes_before_a_backward():
    """As of real and fake images in turn: each pass has the u and v that it divided by."""
    layer, x = dense(), np.random.default_rng(0).normal(size=(3, 6))
    alone = copy.deepcopy(layer)
    first, second = layer(x), layer(2 * x)
    gs = tg.grad(first.sum() + second.sum(), layer.parameters())
    parts = [tg.grad(alone(factor * x).sum(), alone.parameters()) for factor in (1, 2)]
    for g, a, b in zip(gs, *parts, strict=True):
        np.testing.assert_allclose(g.numpy(), a.numpy() + b.numpy(), rtol=1e-12)


def test_a_saved_layer_goes_on_to_the_bit(backend):
    layer, other, x = dense(), dense(), backend.asarray(np.ones((2, 6)))
    for _ in range(3):
        layer(x)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(to_host(layer(x).data), to_host(other(x).data))


def test_it_is_the_layers_own_weight_that_learns():
    layer, x = L.Sequential(dense(dtype=np.float32)), np.ones((2, 6), np.float32)
    opt = tg.optim.SGD(layer.parameters(), lr=0.1)
    w = layer[0].normed.w
    before = w.numpy().copy()
    opt.step(tg.grad(layer(x).sum(), layer.parameters()))
    assert layer[0].normed.w is w and w.name == "0.normed.w" and not np.isclose(w.numpy(), before).any()
    assert layer(x).dtype == np.float32
    with pytest.raises(ValueError, match="Dense: x is"):
        layer(np.ones((2, 5), np.float32))
    assert layer[0].normed.w is w  # after an error, too


def test_names_and_summary():
    net = L.Sequential(L.SpectralNorm(L.Conv(1, 2, 3)), L.Flatten(), L.SpectralNorm(L.Dense(32, 1), 2))
    assert repr(net).splitlines() == [
        "Sequential(",
        *("  (0) SpectralNorm(", "    (normed) Conv(1, 2, 3)", "  )"),
        "  (1) Flatten()",
        *("  (2) SpectralNorm(iterations=2", "    (normed) Dense(32, 1)", "  )"),
        ")",
    ]
    lines = net.summary((4, 4, 1)).splitlines()
    assert lines[2].split() == ["0.normed", "Conv(1,", "2,", "3)", "(4,", "4,", "2)", "20"]
    assert lines[-2].split() == ["buffers", str(2 + 9 + 1 + 32)]


def test_no_pass_waits_for_the_device(gpu):
    layer, x = dense(), gpu.asarray(np.ones((2, 6)))
    with standin.count_syncs() as syncs, standin.capturing():
        tg.grad(layer(x).sum(), layer.parameters())
    assert syncs.count == 0, syncs


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"SpectralNorm: ReLU\(\) has no weight w; wrap a layer with one"):
        L.SpectralNorm(L.ReLU())
    with pytest.raises(ValueError, match="SpectralNorm: iterations is 0, but it must be an int of at least 1"):
        L.SpectralNorm(L.Dense(2, 2), 0)
