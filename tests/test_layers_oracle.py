"""Each layer, values and gradients, against PyTorch in float64, on inputs of rank 2 to 4 with the channel last."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import layers as L

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.oracle

SHAPES = [(6, 3), (4, 5, 3), (2, 3, 4, 3)]
EPS = 1e-3


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(0.3, 2, shape)


def assert_same(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


def compare(layer, oracle, x, pairs=()):
    """The outputs, and with a random gy the gradients of the input and of the pairs of parameters."""
    ours, theirs = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = layer(ours), oracle(theirs)
    assert_same(y, expected)
    gy = draw(*y.shape, seed=1)
    y.backward(gy)
    expected.backward(torch.tensor(gy))
    assert_same(ours.grad, theirs.grad)
    for p, q in pairs:
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy().T, rtol=1e-10, atol=1e-12)


def fill(*pairs):
    """The same random values in our parameters and in PyTorch's, whose matrices lie the other way."""
    for seed, (p, q) in enumerate(pairs, 10):
        values = np.random.default_rng(seed).uniform(0.5, 2, p.shape)
        p.assign(values)
        q.data = torch.tensor(values.T)
    return pairs


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_dense(shape, bias):
    layer, oracle = L.Dense(3, 4, bias, dtype=np.float64), nn.Linear(3, 4, bias, dtype=torch.float64)
    pairs = fill((layer.w, oracle.weight), *([(layer.b, oracle.bias)] if bias else []))
    compare(layer, oracle, draw(*shape), pairs)


def batch_norms(momentum):
    """Ours, and PyTorch's on the last axis, with equal parameters and running statistics."""
    layer = L.BatchNorm(3, momentum, EPS, np.float64)
    norm = nn.BatchNorm1d(3, EPS, 1 - momentum, dtype=torch.float64)
    pairs = fill((layer.gamma, norm.weight), (layer.beta, norm.bias))
    fill((layer.mean, norm.running_mean), (layer.var, norm.running_var))
    return layer, norm, lambda x: norm(x.reshape(-1, 3)).reshape(x.shape), pairs


@pytest.mark.parametrize("momentum", [0.9, 0.99, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training(shape, momentum):
    layer, norm, oracle, pairs = batch_norms(momentum)
    var, x = layer.var.numpy().copy(), draw(*shape)
    compare(layer, oracle, x, pairs)
    assert_same(layer.mean, norm.running_mean)
    n = x.size // 3  # PyTorch's running variance takes the batch's with n - 1
    np.testing.assert_allclose(
        (layer.var.numpy() - momentum * var) * n / (n - 1), norm.running_var.numpy() - momentum * var, rtol=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_eval_mode(shape):
    layer, norm, oracle, pairs = batch_norms(0.9)
    layer.eval()
    norm.eval()
    compare(layer, oracle, draw(*shape), pairs)


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm(shape):
    layer, oracle = L.LayerNorm(3, EPS, np.float64), nn.LayerNorm(3, EPS, dtype=torch.float64)
    compare(layer, oracle, draw(*shape), fill((layer.gamma, oracle.weight), (layer.beta, oracle.bias)))


def channels_first(layer):
    """A layer of PyTorch for images, on (N, H, W, C)."""
    return lambda x: layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel_size, stride, padding", [(5, 1, 2), (4, 2, 1), ((3, 2), (1, 2), 0)])
def test_convolutions(kernel_size, stride, padding, bias):
    options = {"stride": stride, "padding": padding, "bias": bias}
    for ours, theirs, channels in ((L.Conv, nn.Conv2d, (3, 4)), (L.ConvTranspose, nn.ConvTranspose2d, (4, 3))):
        layer = ours(*channels, kernel_size, **options, dtype=np.float64)
        oracle = theirs(*channels, kernel_size, **options, dtype=torch.float64)
        pairs = [(layer.b, oracle.bias)] if bias else []
        oracle.weight.data = torch.tensor(layer.w.numpy()).permute(3, 2, 0, 1).clone()
        compare(layer, channels_first(oracle), draw(2, 7, 6, channels[0]), fill(*pairs))
        np.testing.assert_allclose(
            layer.w.grad.numpy(), oracle.weight.grad.permute(2, 3, 1, 0).numpy(), rtol=1e-10, atol=1e-12
        )


def sequences(layer):
    """A layer of PyTorch for sequences, on (N, L, C)."""
    return lambda x: layer(x.swapaxes(1, 2)).swapaxes(1, 2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel_size, stride, padding, dilation", [(3, 1, 1, 1), (4, 2, 1, 1), (2, 1, 0, 3)])
def test_convolutions_of_sequences(kernel_size, stride, padding, dilation, bias):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "bias": bias}
    for ours, theirs, channels in (
        (L.Conv1d, nn.Conv1d, (3, 4)),
        (L.ConvTranspose1d, nn.ConvTranspose1d, (4, 3)),
    ):
        layer = ours(*channels, kernel_size, **options, dtype=np.float64)
        oracle = theirs(*channels, kernel_size, **options, dtype=torch.float64)
        oracle.weight.data = torch.tensor(layer.w.numpy().T.copy())
        pairs = [(layer.b, oracle.bias)] if bias else []
        compare(layer, sequences(oracle), draw(2, 9, channels[0]), [*fill(*pairs), (layer.w, oracle.weight)])


@pytest.mark.parametrize("shape", [(6, 4), (2, 5, 4), (2, 3, 4, 4)])
@pytest.mark.parametrize("groups", [1, 2])
def test_group_norm(groups, shape):
    layer, oracle = L.GroupNorm(4, groups, EPS, np.float64), nn.GroupNorm(groups, 4, EPS, dtype=torch.float64)
    pairs = fill((layer.gamma, oracle.weight), (layer.beta, oracle.bias))
    compare(layer, lambda x: oracle(x.movedim(-1, 1)).movedim(1, -1), draw(*shape), pairs)


def test_as_many_groups_as_channels_are_an_instance_norm():
    x = tg.tensor(draw(2, 3, 4, 4))
    groups, instances = (norm(x).numpy() for norm in (L.GroupNorm(4, 4), L.InstanceNorm(4)))
    np.testing.assert_allclose(groups, instances, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm(shape):
    layer, oracle = L.RMSNorm(3, EPS, np.float64), nn.RMSNorm(3, EPS, dtype=torch.float64)
    compare(layer, oracle, draw(*shape), fill((layer.gamma, oracle.weight)))


def test_instance_norm():
    layer, oracle = L.InstanceNorm(3, EPS, np.float64), nn.InstanceNorm2d(3, EPS, affine=True, dtype=torch.float64)
    pairs = fill((layer.gamma, oracle.weight), (layer.beta, oracle.bias))
    compare(layer, channels_first(oracle), draw(2, 4, 5, 3), pairs)


IMAGES = [
    (L.MaxPool(), nn.MaxPool2d(2)),
    (L.MaxPool(3, 2, 1), nn.MaxPool2d(3, 2, 1)),
    (L.AvgPool((3, 2)), nn.AvgPool2d((3, 2))),
    (L.AvgPool(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    (L.MaxPool(2, 1, 1, 2), nn.MaxPool2d(2, 1, 1, 2)),
    (L.MaxPool(3, 2, 1, ceil_mode=True), nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
    (L.AvgPool(3, 2, 1, count_include_pad=True), nn.AvgPool2d(3, 2, 1)),
    (L.AvgPool(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)),
    (L.AvgPool(2, 3, 1, ceil_mode=True, count_include_pad=True), nn.AvgPool2d(2, 3, 1, ceil_mode=True)),
    (L.UpSampling(3), nn.UpsamplingNearest2d(scale_factor=3)),
    (L.UpSampling(2, "bilinear"), nn.Upsample(scale_factor=2, mode="bilinear")),
    (L.Pad(2), nn.ReflectionPad2d(2)),
    (L.Pad(((0, 1), (2, 0)), "edge"), nn.ReplicationPad2d((2, 0, 0, 1))),
    (L.Pad(((0, 1), (2, 0)), "wrap"), nn.CircularPad2d((2, 0, 0, 1))),
    (L.Pad(1, "constant"), nn.ZeroPad2d(1)),
    (L.PixelShuffle(2), nn.PixelShuffle(2)),
]


@pytest.mark.parametrize("layer, oracle", IMAGES, ids=[repr(layer) for layer, _ in IMAGES])
def test_layers_for_images(layer, oracle):
    compare(layer, channels_first(oracle), draw(2, 6, 5, 4))


OF_SEQUENCES = [
    (L.MaxPool1d(), nn.MaxPool1d(2)),
    (L.MaxPool1d(2, 1, 1, 3), nn.MaxPool1d(2, 1, 1, 3)),
    (L.AvgPool1d(3, 2, 1), nn.AvgPool1d(3, 2, 1, count_include_pad=False)),
    (L.AvgPool1d(3, 2, 1, 1, True, True), nn.AvgPool1d(3, 2, 1, True)),
]


@pytest.mark.parametrize("layer, oracle", OF_SEQUENCES, ids=[repr(layer) for layer, _ in OF_SEQUENCES])
def test_layers_for_sequences(layer, oracle):
    compare(layer, sequences(oracle), draw(2, 6, 4))


MASK = (np.random.default_rng(4).random((3, 4)) < 0.6) | (np.arange(4) == 0)  # PyTorch has NaN where nothing is left
FLOATS = np.random.default_rng(5).normal(size=(3, 4))
MASKS = {  # what a place may attend to, and PyTorch's attn_mask, whose booleans mean the contrary
    "none": (None, None),
    "booleans": (MASK, ~MASK),
    "floats": (FLOATS, FLOATS),
}


def attentions(bias, causal=False):
    """Ours and PyTorch's, whose first three matrices are one."""
    layer = L.MultiHeadAttention(6, 2, causal, bias, dtype=np.float64)
    oracle = nn.MultiheadAttention(6, 2, bias=bias, batch_first=True, dtype=torch.float64)
    first, last = [layer.query, layer.key, layer.value], layer.out
    oracle.in_proj_weight.data = torch.tensor(np.concatenate([dense.w.numpy().T for dense in first]))
    oracle.out_proj.weight.data = torch.tensor(last.w.numpy().T.copy())
    if bias:
        for seed, dense in enumerate([*first, last]):
            dense.b.assign(draw(6, seed=seed))
        oracle.in_proj_bias.data = torch.tensor(np.concatenate([dense.b.numpy() for dense in first]))
        oracle.out_proj.bias.data = torch.tensor(last.b.numpy())
    return layer, oracle


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_attention_to_others(mask, bias):
    """Outputs, and gradients of both inputs and of all parameters."""
    layer, oracle = attentions(bias)
    ours, theirs = MASKS[mask]
    xs = draw(2, 3, 6), draw(2, 4, 6, seed=1)
    x, y = (tg.tensor(a, requires_grad=True) for a in xs)
    theirs_x, theirs_y = (torch.tensor(a, requires_grad=True) for a in xs)
    found = layer(x, y, ours)
    theirs = None if theirs is None else torch.tensor(theirs)
    right, _ = oracle(theirs_x, theirs_y, theirs_y, attn_mask=theirs)
    assert_same(found, right)
    gy = draw(*found.shape, seed=2)
    found.backward(gy)
    right.backward(torch.tensor(gy))
    assert_same(x.grad, theirs_x.grad)
    assert_same(y.grad, theirs_y.grad)
    first = [layer.query, layer.key, layer.value]
    matrices = np.concatenate([dense.w.grad.numpy().T for dense in first])
    np.testing.assert_allclose(matrices, oracle.in_proj_weight.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.out.w.grad.numpy().T, oracle.out_proj.weight.grad.numpy(), rtol=1e-10, atol=1e-12)
    if bias:
        biases = np.concatenate([dense.b.grad.numpy() for dense in first])
        np.testing.assert_allclose(biases, oracle.in_proj_bias.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_attention_to_oneself_in_the_past():
    layer, oracle = attentions(True, causal=True)
    past = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    compare(layer, lambda x: oracle(x, x, x, attn_mask=past, is_causal=True)[0], draw(2, 5, 6))


def test_attention_leaves_out_padding():
    """A mask (N, 1, S) is PyTorch's key_padding_mask, reversed."""
    layer, oracle = attentions(True)
    real = np.array([[True, True, True, False], [True, False, False, False]])
    padding = torch.tensor(~real)
    ours = lambda x: layer(x, mask=real[:, None])
    compare(ours, lambda x: oracle(x, x, x, key_padding_mask=padding)[0], draw(2, 4, 6))


@pytest.mark.parametrize("shape", [(6,), (4, 3), (2, 3, 2)])
def test_embedding(shape):
    layer, oracle = L.Embedding(5, 3, dtype=np.float64), nn.Embedding(5, 3, dtype=torch.float64)
    values = draw(5, 3)
    layer.w.assign(values)
    oracle.weight.data = torch.tensor(values)
    i = np.random.default_rng(0).integers(0, 5, shape)
    y, expected = layer(i), oracle(torch.tensor(i))
    assert_same(y, expected)
    gy = draw(*y.shape, seed=1)
    y.backward(gy)
    expected.backward(torch.tensor(gy))
    assert_same(layer.w.grad, oracle.weight.grad)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ours, theirs, states", [(L.GRUCell, nn.GRUCell, 1), (L.LSTMCell, nn.LSTMCell, 2)])
def test_recurrent_cells(ours, theirs, states, bias):
    """Three steps in a row, from zeros and from a given state: outputs, and gradients of inputs and parameters."""
    layer, oracle = ours(3, 4, bias, dtype=np.float64), theirs(3, 4, bias, dtype=torch.float64)
    names = [("w_x", "weight_ih"), ("w_h", "weight_hh"), ("b_x", "bias_ih"), ("b_h", "bias_hh")][: 4 if bias else 2]
    pairs = [(getattr(layer, a), getattr(oracle, b)) for a, b in names]
    for p, q in pairs:
        q.data = torch.tensor(p.numpy().T.copy())
    xs, given = draw(3, 5, 3), list(draw(states, 5, 4, seed=2))
    for state in ([], given):
        x, theirs_x = tg.tensor(xs, requires_grad=True), torch.tensor(xs, requires_grad=True)
        a, b = tuple(tg.tensor(s) for s in state), tuple(torch.tensor(s) for s in state)
        for t in range(3):
            y = layer(x[t], *a)
            expected = oracle(theirs_x[t], None if not b else b if states == 2 else b[0])
            a, b = (v if isinstance(v, tuple) else (v,) for v in (y, expected))
        gys = draw(states, 5, 4, seed=3)
        leaves = [x, *(p for p, _ in pairs)]
        found = tg.grad(sum((v * gy for v, gy in zip(a, gys, strict=True)), 0.0).sum(), leaves)
        total = sum((v * torch.tensor(gy)).sum() for v, gy in zip(b, gys, strict=True))
        right = torch.autograd.grad(total, [theirs_x, *(q for _, q in pairs)])
        for v, w in zip(a, b, strict=True):
            assert_same(v, w)
        for i, (g, h) in enumerate(zip(found, right, strict=True)):
            np.testing.assert_allclose(g.numpy(), h.numpy() if i == 0 else h.numpy().T, rtol=1e-10, atol=1e-12)


ACTIVATIONS = [
    (L.ReLU(), nn.ReLU()),
    (L.LeakyReLU(), nn.LeakyReLU(0.2)),
    (L.LeakyReLU(0.01), nn.LeakyReLU(0.01)),
    (L.PReLU(1, 0.25, np.float64), nn.PReLU(dtype=torch.float64)),
    (L.SiLU(), nn.SiLU()),
    (L.GELU(), nn.GELU()),
    (L.GELU(approximate=True), nn.GELU("tanh")),
    (L.Tanh(), nn.Tanh()),
    (L.Sigmoid(), nn.Sigmoid()),
    (L.Softplus(), nn.Softplus(threshold=1e9)),  # PyTorch's takes x itself beyond 20
    (L.Flatten(), nn.Flatten()),
]


@pytest.mark.parametrize("layer, oracle", ACTIVATIONS, ids=[repr(layer) for layer, _ in ACTIVATIONS])
@pytest.mark.parametrize("shape", SHAPES)
def test_activations(shape, layer, oracle):
    compare(layer, oracle, 5 * draw(*shape))


def test_a_network_of_all():
    ours = L.Sequential(
        L.Dense(3, 4, dtype=np.float64),
        L.LeakyReLU(),
        L.BatchNorm(4, 0.9, EPS, np.float64),
        L.LayerNorm(4, EPS, np.float64),
        L.Dense(4, 2, dtype=np.float64),
    )
    theirs = nn.Sequential(
        nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.BatchNorm1d(4, EPS, 0.1), nn.LayerNorm(4, EPS), nn.Linear(4, 2)
    ).double()
    compare(ours, theirs, draw(7, 3), fill(*zip(ours.parameters(), theirs.parameters(), strict=True)))
