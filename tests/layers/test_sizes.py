"""Each layer, in both modes: inputs of a wrong size, rank or kind are refused by name, and a batch of 0 passes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygen as tg
from tinygen import init
from tinygen import layers as L
from tinygen.random import Generator
from tinygen.tensor import Parameter

IMAGE, WRONG_CHANNELS = (5, 5, 4), [(2, 5, 5, 3), (2, 5, 5, 1), (2, 5, 5, 8)]
NOT_IMAGES = [(), (4,), (2, 4), (2, 5, 4), (2, 3, 5, 5, 4)]
WRONG_FEATURES = [(), (1,), (3,), (2, 1), (2, 3), (2, 8), (4, 1), (4, 3), (2, 5, 5, 1)]
SEQUENCE, NOT_SEQUENCES = (5, 4), [(), (4,), (2, 4), (2, 5, 3), (2, 5, 1), (2, 5, 5, 4)]
LAYERS = {  # how it is made, one example, and batches that do not fit
    "Dense": (lambda: L.Dense(4, 3), (4,), WRONG_FEATURES),
    "BatchNorm": (lambda: L.BatchNorm(4), (4,), WRONG_FEATURES),
    "LayerNorm": (lambda: L.LayerNorm(4), (4,), WRONG_FEATURES),
    "LayerNorm(1)": (lambda: L.LayerNorm(1), (1,), [(), (3,), (2, 3), (2, 5, 3)]),
    "BatchNorm(1)": (lambda: L.BatchNorm(1), (1,), [(), (3,), (2, 3), (2, 5, 3)]),
    "InstanceNorm": (lambda: L.InstanceNorm(4), IMAGE, [*WRONG_CHANNELS, (), (4,), (2, 4), (2, 1, 4), (2, 0, 4)]),
    "RMSNorm": (lambda: L.RMSNorm(4), (4,), WRONG_FEATURES),
    "GroupNorm": (lambda: L.GroupNorm(4, 2), IMAGE, [*WRONG_CHANNELS, (), (4,), (2, 3), (2, 0, 4)]),
    "GroupNorm(4, 4)": (lambda: L.GroupNorm(4, 4), IMAGE, [*WRONG_CHANNELS, (2, 4), (2, 1, 4), (2, 0, 4)]),
    "Conv1d": (lambda: L.Conv1d(4, 3, 3), SEQUENCE, NOT_SEQUENCES),
    "ConvTranspose1d": (lambda: L.ConvTranspose1d(4, 3, 3, 2), SEQUENCE, NOT_SEQUENCES),
    "MaxPool1d": (lambda: L.MaxPool1d(), SEQUENCE, [(), (4,), (2, 4), (2, 1, 4), (2, 5, 5, 4)]),
    "AvgPool1d": (lambda: L.AvgPool1d(3, 2, "same"), SEQUENCE, [(), (4,), (2, 4), (2, 5, 5, 4)]),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(4, 2), SEQUENCE, [(4,), *WRONG_FEATURES]),
    "MultiHeadAttention, causal": (lambda: L.MultiHeadAttention(4, 1, True), SEQUENCE, [(4,), *WRONG_FEATURES]),
    "Conv": (lambda: L.Conv(4, 3, 3), IMAGE, WRONG_CHANNELS + NOT_IMAGES),
    "Conv, groups": (lambda: L.Conv(4, 6, 3, 2, groups=2), IMAGE, WRONG_CHANNELS + NOT_IMAGES),
    "ConvTranspose": (lambda: L.ConvTranspose(4, 3, 3, 2), IMAGE, WRONG_CHANNELS + NOT_IMAGES),
    "SpectralNorm": (lambda: L.SpectralNorm(L.Dense(4, 3)), (4,), WRONG_FEATURES),
    "SpectralNorm of Conv": (lambda: L.SpectralNorm(L.Conv(4, 3, 3)), IMAGE, WRONG_CHANNELS + NOT_IMAGES),
    "EqualizedDense": (lambda: L.EqualizedDense(4, 3), (4,), WRONG_FEATURES),
    "EqualizedConv": (lambda: L.EqualizedConv(4, 3, 3, 2), IMAGE, WRONG_CHANNELS + NOT_IMAGES),
    "Blur": (lambda: L.Blur(), IMAGE, NOT_IMAGES),
    "MinibatchStd": (lambda: L.MinibatchStd(1), IMAGE, [(), (4,)]),
    "MaxPool": (lambda: L.MaxPool(), IMAGE, [*NOT_IMAGES, (2, 1, 5, 4)]),
    "MaxPool, dilated": (lambda: L.MaxPool(2, 1, 1, 3, True), IMAGE, NOT_IMAGES),
    "MaxPool, padded": (lambda: L.MaxPool(3, 2, 1), IMAGE, NOT_IMAGES),
    "AvgPool": (lambda: L.AvgPool(), IMAGE, [*NOT_IMAGES, (2, 5, 1, 4)]),
    "AvgPool, padded": (lambda: L.AvgPool(3, 2, "same"), IMAGE, NOT_IMAGES),
    "GlobalAvgPool": (lambda: L.GlobalAvgPool(), IMAGE, [(), (4,), (2, 4), (2, 0, 5, 4)]),
    "UpSampling": (lambda: L.UpSampling(), IMAGE, NOT_IMAGES),
    "UpSampling, bilinear": (lambda: L.UpSampling(2, "bilinear"), IMAGE, NOT_IMAGES),
    "Pad": (lambda: L.Pad(2), IMAGE, [*NOT_IMAGES, (2, 5, 2, 4), (2, 0, 5, 4)]),
    "PixelShuffle": (lambda: L.PixelShuffle(), IMAGE, [*NOT_IMAGES, (2, 5, 5, 3), (2, 5, 5, 1)]),
    "GRUCell": (lambda: L.GRUCell(4, 3), (4,), [(4,), *WRONG_FEATURES]),
    "Dropout": (lambda: L.Dropout(0.5), (4,), []),
    "Flatten": (lambda: L.Flatten(), IMAGE, [()]),
    "Reshape": (lambda: L.Reshape((2, 2)), (4,), [(), (4,), (2, 5), (2, 2, 4), (0, 5)]),
    "Reshape, -1": (lambda: L.Reshape((-1, 2)), IMAGE, [(), (4,), (2, 5), (0, 5)]),
    "ReLU": (lambda: L.ReLU(), (4,), []),
    "LeakyReLU": (lambda: L.LeakyReLU(), (4,), []),
    "PReLU": (lambda: L.PReLU(), (4,), []),
    "PReLU(4)": (lambda: L.PReLU(4), (4,), WRONG_FEATURES),
    "SiLU": (lambda: L.SiLU(), (4,), []),
    "GELU": (lambda: L.GELU(), (4,), []),
    "Tanh": (lambda: L.Tanh(), (4,), []),
    "Sigmoid": (lambda: L.Sigmoid(), (4,), []),
    "Softplus": (lambda: L.Softplus(), (4,), []),
    "Skip": (lambda: L.Skip(L.Dense(4, 4)), (4,), WRONG_FEATURES),
    "Sequential": (lambda: L.Sequential(L.Dense(4, 3), L.ReLU(), L.LayerNorm(3)), (4,), WRONG_FEATURES),
}
CASES = [(name, shape) for name, (_, _, wrong) in LAYERS.items() for shape in wrong]


def test_every_layer_is_here():
    made = {type(make()).__name__ for make, _, _ in LAYERS.values()}
    public = {name for name, kind in vars(L).items() if isinstance(kind, type) and issubclass(kind, L.Module)}
    assert public - made == {"Module", "ModuleList", "ModuleDict", "Embedding", "LSTMCell", "ModulatedConv"}


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_a_wrong_size_is_refused(name, shape):
    message = r"^\w+: x (is \(.*\)(, (but|one value|no value)|; an example's)|has \d+ channels)|fit into"
    for training in (True, False):
        layer = LAYERS[name][0]().train(training)
        with pytest.raises(ValueError, match=message):
            layer(tg.tensor(np.ones(shape, np.float32)))


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_no_array_is_refused(name):
    for training in (True, False):
        layer = LAYERS[name][0]().train(training)
        for x in ([1.0, 2.0], [[tg.tensor([1.0])]], "image", None, 3.0, np.float32(3)):
            with pytest.raises(
                TypeError, match=r"^\w+: x is a \w+.*, but it must be a Tensor or an array; make one with"
            ):
                layer(x)


@pytest.mark.parametrize("name", LAYERS)
def test_what_are_no_numbers_is_refused(name):
    make, shape, _ = LAYERS[name]
    for dtype in (complex, object, "U1"):
        with pytest.raises(TypeError, match=r"^\w+: x is a ndarray .*, but it must hold real numbers"):
            make()(np.zeros((2, *shape), dtype))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_an_empty_batch(backend, name, training):
    """As one example, but 0 of them; the gradients of the weights are 0."""
    make, shape, _ = LAYERS[name]
    layer = make().train(training)
    x = tg.tensor(backend.asarray(np.zeros((0, *shape), np.float32)), requires_grad=True)
    if training and "BatchNorm" in name:
        with pytest.raises(ValueError, match="no value per channel; give a larger batch"):
            layer(x)
        return
    y = layer(x)
    assert (
        y.shape == (0, *make().eval()(np.ones((1, *shape), np.float32)).shape[1:]) if backend.name == "numpy" else True
    )
    gx, *others = tg.grad((y * 2).sum(), [x, *layer.parameters()])
    assert gx.shape == x.shape and not any(g.numpy().any() for g in others)


@pytest.mark.parametrize(
    ("y", "mask", "message"),
    [
        ((2, 3, 5), None, r"MultiHeadAttention: y is \(2, 3, 5\), but its last axis must be 4"),
        ((4,), None, r"MultiHeadAttention: y is \(4,\), but it must have at least 2 axes"),
        ((3, 3, 4), None, r"MultiHeadAttention: x is \(2, 5, 4\) and y \(3, 3, 4\), but they may differ in length"),
        ((2, 3, 4), (5, 5), r"mask is \(1, 5, 5\), but it must broadcast to the scores, .* = \(2, 2, 5, 3\)"),
    ],
)
def test_what_attention_can_not_attend_to_is_refused(y, mask, message):
    layer = L.MultiHeadAttention(4, 2)
    with pytest.raises(ValueError, match=message):
        layer(np.ones((2, 5, 4), np.float32), np.ones(y, np.float32), None if mask is None else np.ones(mask, bool))


def test_an_embedding_of_nothing_and_of_what_is_not_there(backend):
    layer = L.Embedding(3, 2)
    assert layer(backend.asarray(np.zeros((0, 4), np.int64))).shape == (0, 4, 2)
    for dtype in (bool, np.float32):
        with pytest.raises(TypeError, match="Embedding: the input must be integers"):
            layer(backend.asarray([0, 1], dtype))
    with pytest.raises(TypeError, match="Embedding: the input is a list"):
        layer([0, 1])


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8])
def test_on_a_gpu_the_row_of_an_index_out_of_range_is_nan(gpu, dtype):
    import standin

    layer = L.Embedding(3, 2)
    i = gpu.asarray([0, 2, 3, 127, 1] + ([-1] if dtype != np.uint8 else [200]), dtype)
    with standin.capturing():
        y = layer(i)
        (gw,) = tg.grad(y.sum(), [layer.w])
    rows = y.numpy()
    assert np.isnan(rows[[2, 3, 5]]).all()
    np.testing.assert_array_equal(rows[[0, 1, 4]], layer.w.numpy()[[0, 2, 1]])
    np.testing.assert_array_equal(gw.numpy(), np.ones((3, 2)))


BAD_OPTIONS = [
    *[(lambda n=n: L.Dense(n, 3), "Dense: in_features is") for n in (0, -1, 2.0, "3", None, True, [3])],
    *[(lambda n=n: L.Conv(3, n, 3), "Conv: out_channels is") for n in (0, 1.5, "3")],
    *[(lambda n=n: L.Conv(4, 4, 3, groups=n), "Conv: groups is") for n in (0, 3, 1.0, "1")],
    *[(lambda n=n: L.Conv(3, 3, n), "Conv: kernel_size is") for n in (0, 1.5, "3", (3, 3, 3), None)],
    *[(lambda n=n: L.ConvTranspose(3, 3, 3, n), "ConvTranspose: stride is") for n in (0, 1.5, "2", None)],
    *[(lambda n=n: L.Conv(3, 3, 3, padding=n), "Conv: padding is") for n in (-1, 1.5, "full", None, ((1, 1),))],
    *[(lambda n=n: L.Conv(3, 3, 3, dilation=n), "Conv: dilation is") for n in (0, 1.5)],
    *[(lambda n=n: L.BatchNorm(n), "BatchNorm: features is") for n in (0, 4.0, "4", None)],
    *[(lambda n=n: L.BatchNorm(3, n), "BatchNorm: momentum is") for n in (-0.1, 1.5, math.nan, "0.9", None, True)],
    *[(lambda n=n: L.BatchNorm(3, eps=n), "BatchNorm: eps is") for n in (-1e-5, math.nan, Parameter(np.ones(2)))],
    *[(lambda n=n: L.LayerNorm(3, n), "LayerNorm: eps is") for n in (-1, "0")],
    *[(lambda n=n: L.InstanceNorm(n), "InstanceNorm: features is") for n in (0, 2.0)],
    *[(lambda n=n: L.Embedding(n, 2), "Embedding: num_embeddings is") for n in (0, 2.5)],
    *[(lambda n=n: L.Dropout(n), "Dropout: rate is") for n in (-0.1, 1, math.nan, "0.5", None)],
    *[(lambda n=n: L.LeakyReLU(n), "LeakyReLU: slope is") for n in (-0.1, 1.1, math.nan, "0.2", None)],
    *[(lambda n=n: L.MaxPool(n), "MaxPool: window is") for n in (0, 1.5, "2", None)],
    *[(lambda n=n: L.AvgPool(2, n), "AvgPool: stride is") for n in (0, 1.5)],
    *[(lambda n=n: L.MaxPool(2, dilation=n), "MaxPool: dilation is") for n in (0, 1.5)],
    *[(lambda n=n: L.MaxPool1d(n), "MaxPool1d: window is") for n in (0, 1.5, (1, 2), None)],
    *[(lambda n=n: L.AvgPool1d(2, padding=n), "AvgPool1d: padding is") for n in (-1, "full", ((1, 1), (1, 1)))],
    *[(lambda n=n: L.Conv1d(3, 3, n), "Conv1d: kernel_size is") for n in (0, 1.5, (3, 3))],
    *[(lambda n=n: L.ConvTranspose1d(3, 3, 3, n), "ConvTranspose1d: stride is") for n in (0, (1, 1))],
    *[(lambda n=n: L.GroupNorm(6, n), "GroupNorm: groups is") for n in (0, 4, 1.0)],
    *[(lambda n=n: L.RMSNorm(n), "RMSNorm: features is") for n in (0, 2.0)],
    *[(lambda n=n: L.MultiHeadAttention(6, n), "MultiHeadAttention: heads is") for n in (0, 4, 1.0)],
    *[(lambda n=n: L.UpSampling(n), "UpSampling: scale is") for n in (0, 1.5)],
    *[(lambda n=n: L.PixelShuffle(n), "PixelShuffle: factor is") for n in (0, 1.5)],
    *[(lambda n=n: L.Reshape(n), "Reshape: shape is") for n in (4, "ab", None, (2.0, 2), (-1, -1), (-2, 2))],
    *[(lambda n=n: L.SpectralNorm(L.Dense(2, 2), n), "SpectralNorm: iterations is") for n in (0, 1.5)],
    (lambda: L.Dense(2, 2, weight_init=lambda *_: np.zeros((2, 3))), r"weight_init gave a ndarray .*\(2, 2\)"),
    (lambda: init.normal((2, 2), std=-1), "init.normal: std is -1"),
    (lambda: init.glorot_uniform((2, -1)), "init: shape is"),
    (lambda: init.zeros("ab"), "init: shape is"),
    (lambda: init.he_normal(3), "have no fan"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD_OPTIONS)
def test_an_option_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.Dense(2, 2, weight_init="glorot"), "Dense: weight_init is 'glorot', but it must be a function"),
        (lambda: L.Dense(2, 2, rng=3), "rng is 3, but it must be a tinygen.Generator"),
        (lambda: L.Dense(2, 2, rng=np.random.default_rng(0)), "rng is Generator"),
        (lambda: L.Dropout(0.5, rng=0), "rng is 0"),
        (lambda: L.Conv(2, 2, 3, dtype=int), r"init: dtype is .*int.*, but weights must be floats"),
        (lambda: L.BatchNorm(2, dtype=np.uint8), r"init: dtype is .*uint8.*, but weights must be floats"),
        (lambda: L.Dense(2, 2, dtype=None), "init: dtype is None"),
        (lambda: L.Dense(2, 2, dtype="float99"), "init: dtype is 'float99'"),
        (
            lambda: L.Dense(2, 2, "relu"),
            "bias is 'relu', but it must be True or False; an activation is a layer",
        ),
        (lambda: L.Conv(2, 2, 3, bias=None), "Conv: bias is None"),
        (lambda: L.ConvTranspose(2, 2, 3, bias=0), "ConvTranspose: bias is 0"),
        (lambda: L.Dense(2, 2).train("no"), "train: mode is 'no', but it must be True or False"),
        (lambda: L.Dense(2, 2).summary(2), "summary: input_shape is 2"),
        (lambda: L.evaluating(3).__enter__(), "evaluating: expected a Module, not an int"),
        (lambda: L.SpectralNorm("Dense"), "'Dense' has no weight w"),
        (lambda: L.SpectralNorm(L.LayerNorm(3)), "has no weight w"),
    ],
)
def test_an_option_of_another_kind_is_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_weights_of_every_precision(dtype):
    """The moments of N(0, std²) and of U(-a, a), whatever the type."""
    w = init.normal((100, 100), Generator(0), dtype, std=0.5)
    u = init.he_uniform((100, 100), Generator(0), dtype)
    assert w.dtype == u.dtype == dtype
    assert abs(float(w.astype(np.float64).std()) - 0.5) < 0.01
    assert abs(float(u.astype(np.float64).std()) - math.sqrt(2 / 100)) < 0.003
    assert L.Dense(3, 2, dtype=dtype).w.dtype == dtype
    for kind in (init.glorot_normal, init.he_uniform, init.orthogonal, init.zeros):
        assert kind((0, 3), dtype=dtype).shape == (0, 3)
