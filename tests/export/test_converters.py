"""Each converter, and the forms that its options take, against ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from export.running import Op, assert_exported, drawn, in_runtime, noise, results

import tinygen as tg
from tinygen import ops
from tinygen.errors import ConfigError, PackageError
from tinygen.export.converters import CONVERTERS
from tinygen.scopes import trace

VECTOR, MATRIX, IMAGE = (5,), (3, 4), (6, 5, 2)
PLACES = np.array([[2, 0], [1, 1]])
W, B, KERNEL, SLOPES = noise((4, 3)), noise((3,)), noise((3, 2, 2, 4)), noise((2,))


def maps(x: Any) -> Any:
    """Images as a convolution gives them: in ONNX they are at hand as NCHW."""
    return ops.conv2d(x, KERNEL)


# A function of a batch of examples of this shape, or of several batches.
CASES: dict[str, tuple[Any, Sequence[Any]]] = {
    "arithmetic": (lambda x: 2 * x / (x * x + 1) - (1 - x), [VECTOR]),
    "two inputs": (lambda a, b: ops.maximum(a, b) - ops.minimum(a, b) * a, [VECTOR, VECTOR]),
    "broadcast": (lambda x: x[:, None, :] * x[:, :, None] + B[0], [VECTOR]),
    "powers": (lambda x: x**2 + ops.abs(x) ** 1.5, [VECTOR]),
    "functions": (lambda x: -ops.sin(x) * ops.cos(x) + ops.sqrt(ops.abs(x)) * ops.sign(x), [VECTOR]),
    "logarithms": (lambda x: ops.log(ops.exp(x) + 1) + ops.log1p(ops.abs(x)) * ops.expm1(x), [VECTOR]),
    "activations": (lambda x: ops.tanh(x) + ops.sigmoid(x) + ops.softplus(x) + ops.relu(x), [VECTOR]),
    "smooth kinks": (lambda x: ops.silu(x) + ops.gelu(x) * ops.gelu(x, True), [VECTOR]),
    "error functions": (lambda x: ops.erf(x) + ops.erfc(x), [VECTOR]),
    "whole numbers": (lambda x: ops.floor(x) + ops.ceil(x) * ops.round(x * 3), [VECTOR]),
    "logic": (lambda x: (((x > 0) & (x < 1)) | ~(x > -1)) * 1.0, [VECTOR]),
    "smooth kinks of images": (lambda x: ops.silu(maps(x)) + ops.gelu(maps(x)), [IMAGE]),
    "kinks": (lambda x: ops.leaky_relu(x, 0.3) + ops.elu(x, 0.7), [VECTOR]),
    "prelu": (lambda x: ops.prelu(x, SLOPES), [IMAGE]),
    "clips": (lambda x: ops.clip(x, -1, 0.5) + ops.clip(x, None, 0.2) - ops.clip(x, 0.1), [VECTOR]),
    "comparisons": (lambda x: ops.where(ops.less(x, 0) == ops.greater_equal(x, 0.5), x, 2.0), [VECTOR]),
    "more comparisons": (lambda x: (x > 0.5) * 1.0 + ops.less_equal(x, 0) * x + ops.not_equal(x, 0), [VECTOR]),
    "a comparison": (lambda x: ops.greater(x, 0), [VECTOR]),
    "casts": (lambda x: ops.astype(ops.astype(x * 3, np.int64), np.float32) + ops.astype(x, np.float64), [VECTOR]),
    "cross entropy": (lambda x: ops.sigmoid_cross_entropy(x, 0.3), [VECTOR]),
    "a choice": (lambda x, g: ops.gumbel_softmax(x, g, 0.7, hard=True), [VECTOR, VECTOR]),
    "a one-hot vector": (lambda i: ops.one_hot(i, 3), [()]),
    "matmul": (lambda x: ops.matmul(x, W)[:, None] - x[:, None] @ noise((5, 4, 3)) @ B[:, None], [MATRIX]),
    "matmul of two": (lambda a, b: a @ b.swapaxes(1, 2), [MATRIX, MATRIX]),
    "dense": (lambda x: ops.dense(x, W, B), [MATRIX]),
    "einsum": (lambda x: ops.einsum("bij,jk->bki", x, W), [MATRIX]),
    "a convolution": (lambda x: ops.conv2d(x, KERNEL, (2, 1), ((0, 1), (1, 2))), [IMAGE]),
    "groups and dilation": (lambda x: ops.conv2d(x, noise((2, 2, 1, 4)), 1, "same", (2, 1), 2), [IMAGE]),
    "a transposed convolution": (lambda x: ops.conv_transpose2d(x, noise((3, 2, 3, 2)), (2, 3), 1, (1, 2)), [IMAGE]),
    "a kernel that varies": (lambda x, w: ops.conv2d(x, w[0], 1, "same"), [IMAGE, (3, 3, 2, 2)]),
    "blur": (lambda x: ops.blur(x, 2.0), [IMAGE]),
    "sums": (lambda x: ops.sum(x, 1) + ops.mean(x, (1,)) * ops.max(x, 1) - ops.min(x, -2), [MATRIX]),
    "over all": (lambda x: ops.sum(x) + ops.max(x, (1, 2), True) + ops.min(x, (0, 1)), [MATRIX]),
    "sums of images": (lambda x: ops.mean(maps(x), (1, 2)) + ops.max(maps(x), (1, 2)), [IMAGE]),
    "a sum over channels": (lambda x: ops.sum(maps(x), 3) - ops.sum(maps(x), 1)[:, :1, :1], [IMAGE]),
    "kept axes": (lambda x: maps(x) - ops.mean(maps(x), (1, 2), True), [IMAGE]),
    "variances": (lambda x: ops.var(x, 1) + ops.var(x, 1, 1) + ops.var(x, (1, 2), keepdims=True)[:, 0], [MATRIX]),
    "a variance of images": (lambda x: ops.var(maps(x), (1, 2)), [IMAGE]),
    "softmax": (lambda x: ops.softmax(x) + ops.log_softmax(x, 1) + ops.logsumexp(x, 2, True), [MATRIX]),
    "argmax": (lambda x: ops.argmax(x, 1), [MATRIX]),
    "argmax over all": (lambda x: ops.argmax(x), [MATRIX]),
    "cumsum": (lambda x: ops.cumsum(x, 1) + ops.cumsum(x, -1), [MATRIX]),
    "cumsum over all": (lambda x: ops.cumsum(x), [VECTOR]),
    "max pool": (lambda x: ops.max_pool2d(x, (3, 2), (2, 1), 1), [IMAGE]),
    "average pool": (lambda x: ops.avg_pool2d(x, 2) + ops.avg_pool2d(x, 3, 2, "same")[:, :, :2], [IMAGE]),
    "windows": (lambda x: ops.textbook_conv2d(x, KERNEL, 2, 1), [IMAGE]),
    "reshape": (lambda x: x.reshape(-1, 4).reshape(x.shape[0], 12), [MATRIX]),
    "the batch twice": (lambda x: x.reshape(x.shape[0], 1, -1) @ x.reshape(1, -1, x.shape[0]), [VECTOR]),
    "transposes": (lambda x: ops.transpose(x, (2, 0, 1)) + ops.moveaxis(x, 2, 0), [MATRIX]),
    "swapped axes": (lambda x: ops.swapaxes(x, 0, 2).swapaxes(1, -1) * ops.transpose(x).swapaxes(1, 2), [MATRIX]),
    "transposed images": (lambda x: ops.transpose(maps(x), (0, 3, 2, 1)) * 2, [IMAGE]),
    "new axes": (lambda x: ops.squeeze(ops.expand_dims(x, (1, -1)), 1) + x[..., None], [MATRIX]),
    "broadcast_to": (lambda x: ops.broadcast_to(x[:, None], (x.shape[0], 3, 5)), [VECTOR]),
    "flip": (lambda x: ops.flip(x, 1) + ops.flip(x, (-1, 1)) + ops.flip(ops.flip(x)), [MATRIX]),
    "a flip of images": (lambda x: ops.flip(maps(x), 2), [IMAGE]),
    "concatenate": (lambda x: ops.concatenate([x, x * 2, np.ones((1, 4), np.float32)]), [(4,)]),
    "images and channels": (lambda x: ops.concatenate([ops.conv2d(x, noise((1, 1, 2, 3))), x], -1), [IMAGE]),
    "stack": (lambda x: ops.stack([x, x + 1], -1) * ops.stack([x, -x], 2).swapaxes(2, 3), [MATRIX]),
    "pad": (lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=2.0), [MATRIX]),
    "pads of other kinds": (lambda x: ops.pad(ops.pad(x, ((0, 0), (1, 1), (2, 0)), "reflect"), 1, "edge"), [MATRIX]),
    "a pad of images": (lambda x: ops.pad(maps(x), ((0, 0), (1, 0), (0, 2), (0, 1))), [IMAGE]),
    "slices": (lambda x: x[:, 1:, ::2] + x[:, :-1, -4::2] + x[:, ::-1, 2:][:, 1:], [MATRIX]),
    "slices backwards": (lambda x: x[:, 2:0:-1, -1:0:-2], [MATRIX]),
    "numbers": (lambda x: x[:, 1] * x[:, -1] + x[:, :, 2:3][:, 0, 0, None] + x[0, 1, 2], [MATRIX]),
    "numbers in images": (lambda x: maps(x)[:, 1, :, -1] + maps(x)[..., None, 0, 0][..., 0], [IMAGE]),
    "an ellipsis": (lambda x: x[..., 1:, :] + x[None, ..., 1:, :1][0], [MATRIX]),
    "half of the batch": (lambda x: ops.split(x, 2)[1] - x[: x.shape[0] // 2], [VECTOR]),
    "split": (lambda x: ops.concatenate(ops.split(x, [1, 3], 2)[::-1], 2), [MATRIX]),
    "rows": (lambda i: ops.getitem(tg.tensor(W), i), [()]),
    "a constant index": (lambda x: ops.getitem(x, (slice(None), PLACES)), [MATRIX]),
    "two outputs": (lambda x: (x + 1, ops.sum(x, 1)), [MATRIX]),
    "upsampling": (lambda x: ops.upsample_nearest(x, (2, 3)) + ops.upsample_bilinear(x, (2, 3)), [IMAGE]),
    "shuffled pixels": (lambda x: ops.pixel_shuffle(maps(x), 2), [IMAGE]),
    "a modulated convolution": (lambda x, s: ops.modulated_conv2d(x, KERNEL, s), [IMAGE, (2,)]),
    "an input itself": (lambda x: x, [IMAGE]),
    "one output twice": (lambda x: (ops.exp(x),) * 2, [VECTOR]),
    "zeros as many as examples": (lambda x: ops.concatenate([x, np.zeros_like(x.data)], 1), [VECTOR]),
}  # fmt: skip


class Pairs(Op):
    batch_multiple = 2


def network(name: str) -> tuple[Op, dict[str, Sequence[int]]]:
    function, shapes = CASES[name]
    kind = Pairs if name == "half of the batch" else Op
    return kind(function), dict(zip("xy", shapes, strict=False))


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnx_runtime(name: str) -> None:
    pytest.importorskip("onnxruntime")
    assert_exported(*network(name))


def test_every_converter_has_a_case() -> None:
    seen = set[str]()
    for name in CASES:
        module, shapes = network(name)
        with trace(lambda op, *_: seen.add(op)):
            results(module, list(drawn(shapes, 2).values()))
    assert not CONVERTERS.keys() - seen


# What is written


@pytest.mark.oracle
def test_names_shapes_and_metadata() -> None:
    pytest.importorskip("onnx")
    G = tg.layers.Sequential(tg.layers.Dense(3, 8), tg.layers.Reshape((2, 2, 2)))
    model = tg.export.onnx(G, {"z": (3,)}, outputs=["x"], metadata={"model": "mine"})
    (z,), (x,) = model.graph.input, model.graph.output
    sizes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (z, x)]
    assert (z.name, x.name, sizes) == ("z", "x", [["N", 3], ["N", 2, 2, 2]])
    assert {w.name: list(w.dims) for w in model.graph.initializer} == {"0.w": [3, 8], "0.b": [8]}
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts == {"network": "Sequential", "layout": "NCHW", "model": "mine"}
    assert (model.producer_name, model.producer_version) == ("tinygen", tg.__version__)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", tg.export.OPSET)]


@pytest.mark.oracle
def test_images_may_stay_as_they_are() -> None:
    pytest.importorskip("onnxruntime")
    conv = tg.layers.Conv(2, 3, 3)
    model, x = tg.export.onnx(conv, IMAGE, layout="NHWC"), noise((4, *IMAGE))
    (y,) = in_runtime(model, {"x": x.transpose(0, 2, 3, 1)})  # which puts the channel first again
    np.testing.assert_allclose(y, conv(x).numpy(), atol=1e-6)
    np.testing.assert_allclose(tg.export.read_onnx(model.SerializeToString())(x).numpy(), conv(x).numpy(), atol=1e-6)


@pytest.mark.oracle
def test_batch_norm_is_a_product_and_a_sum() -> None:
    pytest.importorskip("onnx")
    model = tg.export.onnx(tg.layers.BatchNorm(3), (3,))
    assert [node.op_type for node in model.graph.node] == ["Mul", "Add"]
    assert [w.name for w in model.graph.initializer] == ["folded", "folded_2"]


@pytest.mark.oracle
def test_the_file_is_the_model(tmp_path: Any) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "D.onnx"
    model = tg.export.onnx(tg.layers.Dense(3, 1), (3,), path)
    assert onnx.load(path) == model and [p.name for p in tmp_path.iterdir()] == ["D.onnx"]


class Named(tg.Module):
    """A network whose weights have names of inputs, outputs and nodes."""

    def __init__(self) -> None:
        self.x, self.y, self.mul_1 = (tg.Parameter(noise(VECTOR, i)) for i in range(3))

    def forward(self, x: Any) -> Any:
        return x * self.x + self.y * self.mul_1 + self.mul_1 + x * self.y


@pytest.mark.oracle
def test_names_that_are_taken() -> None:
    pytest.importorskip("onnxruntime")
    model = assert_exported(Named(), {"x": VECTOR})
    assert [w.name for w in model.graph.initializer] == ["x_2", "folded", "mul_2", "y_2"]


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1, 3), ()])
def test_only_a_bias_is_a_convolution_s_bias(shape: tuple[int, ...]) -> None:
    """What is added to maps of one channel may make more of it, or be one number for all channels."""
    pytest.importorskip("onnxruntime")
    for channels in (1, 3):
        conv = tg.layers.Conv(2, channels, 3, bias=False)
        conv.b = tg.Parameter(noise(shape))
        merged = [n.op_type for n in assert_exported(conv, {"x": (4, 1, 2)}).graph.node].count("Add") == 0
        assert merged == (math.prod(shape) == channels)


# What is refused


class Drawing(tg.Module):
    """A network that draws in eval mode, too."""

    def __init__(self) -> None:
        self.rng = tg.Generator(0)

    def forward(self, x: Any) -> Any:
        return x + self.rng.normal(x.shape)


@tg.primitive
def halved(x: Any) -> Any:
    return x / 2


REFUSED = {
    "add, .*depends on the input where the tape doesn't see it, or that is drawn at random": Drawing(),
    "multiply, .*number .* that differs from batch to batch": Op(lambda x: x * x.data.mean().item()),
    "halved, .*test_converters.py:.*no ONNX converter": Op(lambda x: halved(x)),
    "another size or other numbers": Op(lambda x: x if x.shape[0] == 2 else -x),
    "gives ndarray": Op(lambda x: x.data),
    "axis is .*one axis": Op(lambda x: ops.softmax(x, (0, 1))),
    "nothing tells how": Op(lambda x: x[: x.shape[0] // 2]),
    "masks, several": Op(lambda x: ops.getitem(x, (PLACES % 2, PLACES))),
}


@pytest.mark.oracle
@pytest.mark.parametrize("words", REFUSED)
def test_a_refusal_names_the_op_and_the_line(words: str) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(ConfigError, match=words):
        tg.export.onnx(REFUSED[words], VECTOR)


@pytest.mark.oracle
def test_options_are_checked() -> None:
    pytest.importorskip("onnx")
    dense: Any = tg.layers.Dense(3, 1)
    for shapes in (3, {}, {"x": 3}):
        with pytest.raises(ConfigError, match=r"shapes is .*, but it must be a shape"):
            tg.export.onnx(dense, shapes)  # type: ignore[arg-type]
    for options, words in (
        ({"layout": "CHWN"}, "layout is 'CHWN'"),
        ({"outputs": ["a", "b"]}, r"outputs are \['a', 'b'\], but there are 1"),
        ({"outputs": ["x"]}, "each input and output has its own name"),
    ):
        with pytest.raises(ConfigError, match=words):
            tg.export.onnx(dense, (3,), **options)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygen.checks.installed", lambda package: package != "onnx")
    for call in (lambda: tg.export.onnx(tg.layers.Dense(3, 1), (3,)), lambda: tg.export.read_onnx("G.onnx")):
        with pytest.raises(PackageError, match="needs onnx: pip install onnx"):
            call()
