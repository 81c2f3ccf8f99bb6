"""ONNX files as modules: what they hold, that they are trained as any module, and what is refused."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.running import assert_exported, noise, results, shaken
from models.small import small

import tinygen as tg
from tinygen.errors import ConfigError, DataError
from tinygen.layers import BatchNorm, Conv, Dense, Flatten, LeakyReLU, Sequential, evaluating

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.oracle
helper, numpy_helper = onnx.helper, onnx.numpy_helper

IMAGE = (6, 4, 2)


def network() -> tg.Module:
    rng = tg.Generator(0)
    layers = Conv(2, 3, 3, 2, rng=rng), LeakyReLU(0.2), BatchNorm(3), Flatten(), Dense(18, 2, rng=rng)
    return shaken(Sequential(*layers)).eval()


def read_again(module: tg.Module, shape: tuple[int, ...] = IMAGE) -> Any:
    return tg.export.read_onnx(tg.export.onnx(module, shape).SerializeToString())


def test_parameters_have_the_names_of_the_file() -> None:
    module = network()
    again, state = read_again(module), module.state_dict()
    assert list(again.state_dict()) == ["0.w", "0.b", "2.folded", "2.add_1.folded_2", "4.w", "4.b"]
    np.testing.assert_array_equal(again.state_dict()["0.w"], state["0.w"].transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(again.state_dict()["4.w"], state["4.w"])
    assert again.inputs == ("x",) and again.outputs == ("y",) and repr(again).startswith("OnnxModule(x -> y")


def test_a_summary_shows_the_nodes() -> None:
    rows = read_again(network()).summary_rows(IMAGE)
    assert rows[1] == ("0 Conv(kernel_shape=[3 3], pads=[0 0 1 1], strides=[2 2])", "(3, 3, 2)", "57")
    assert ("leakyrelu_1 LeakyRelu(alpha=0.2)", "(3, 3, 2)", "0") in rows and ("4 Gemm()", "(2,)", "38") in rows


def test_the_tape_shows_the_nodes_as_layers() -> None:
    again = read_again(network())
    loss = (again(noise((2, *IMAGE))) ** 2).mean()
    titles = {box.title for box in tg.graph.graph(loss).boxes}
    assert {"Conv(kernel_shape=[3 3])", "Gemm()", "LeakyRelu(alpha=0.2)"} <= titles


def test_gradients_are_those_of_the_network() -> None:
    module, x, gy = network(), noise((3, *IMAGE)), noise((3, 2), 1)
    again = read_again(module)
    for part in (module, again):
        part.requires_grad_()
    weights = [dict(m.named_parameters()) for m in (module, again)]
    grads = [tg.grad((m(x) * gy).sum(), [w["0.w"], w["4.b"]]) for m, w in zip((module, again), weights, strict=True)]
    np.testing.assert_allclose(grads[1][0].numpy(), grads[0][0].numpy().transpose(3, 2, 0, 1), atol=1e-5)
    np.testing.assert_allclose(grads[1][1].numpy(), grads[0][1].numpy(), atol=1e-5)


def test_it_can_be_trained() -> None:
    again, x = read_again(network()), noise((8, *IMAGE))
    opt, losses = tg.optim.Adam(again.parameters(), 0.01), []
    for _ in range(30):
        loss = (again(x) ** 2).mean()
        opt.step(tg.grad(loss, again.parameters()))
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_it_can_be_exported_again() -> None:
    """Also without the file: the module is one like any other."""
    pytest.importorskip("onnxruntime")
    assert_exported(read_again(network()), {"x": IMAGE})


def test_it_can_be_copied_saved_and_loaded() -> None:
    again, x = read_again(network()), noise((3, *IMAGE))
    other = read_again(shaken(network()))
    other.load_state_dict(again.state_dict())
    for twin in (copy.deepcopy(again), pickle.loads(pickle.dumps(again)), other):
        np.testing.assert_array_equal(results(twin, [x])[0], results(again, [x])[0])


def test_a_model_may_play_with_a_network_that_was_read() -> None:
    """A GAN whose G comes from a file takes a step, and its G changes."""
    model: Any = small("gan")
    model.G = tg.export.read_onnx(tg.export.onnx(model.G, {"z": (3,)}).SerializeToString())
    model.opt_G = tg.optim.Adam(model.G.parameters(), 0.01)
    before = model.G.state_dict()
    model.train_step(noise((4, 3, 2, 1)))
    assert not any(np.array_equal(before[name], x) for name, x in model.G.state_dict().items())


def test_layouts() -> None:
    module, x = network(), noise((2, *IMAGE))
    data = tg.export.onnx(module, IMAGE).SerializeToString()
    raw = tg.export.read_onnx(data, layout="NCHW")
    np.testing.assert_allclose(raw(x.transpose(0, 3, 1, 2)).numpy(), module(x).numpy(), atol=1e-6)
    with pytest.raises(ConfigError, match="layout is 'CHWN'"):
        tg.export.read_onnx(data, layout="CHWN")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "network"), [("dcgan", "G"), ("cgan", "D"), ("textgan", "G"), ("stylegan", "D")])
def test_on_a_gpu(gpu: Any, name: str, network: str) -> None:
    """There and back: a network whose weights are on a GPU, read onto it."""
    model, shaped = small(name), small(name).inputs[network]
    module = shaken(getattr(model, network))
    n = 2 * module.batch_unit
    inputs = [gpu.asarray(noise((n, *shaped))), *([gpu.asarray(np.arange(n) % 3)] if network in model.labelled else [])]
    shapes = {"x": shaped} | ({"label": ()} if len(inputs) > 1 else {})
    again = tg.export.read_onnx(tg.export.onnx(module, shapes).SerializeToString())
    with tg.no_grad(), evaluating(module):
        y, z = module(*inputs), again(*inputs)
    assert isinstance(z.data, gpu.xp.ndarray)
    np.testing.assert_allclose(z.numpy(), y.numpy(), atol=1e-5)


def test_any_names_of_initialisers_are_kept_apart() -> None:
    """Such as those of the module's own attributes, and two of one node that end alike."""
    names = ["takes", "weights.w", "a.w", "b.w", "nodes", "forward.forward", "a"]
    nodes, last = [], "x"
    for i, name in enumerate(names):
        inputs = [last, name] if name != "a.w" else ["a.w", "b.w"]
        nodes.append(helper.make_node("Add", inputs, [f"v{i}"]))
        last = f"v{i}" if name != "a.w" else last
    nodes.append(helper.make_node("Add", [last, "v2"], ["y"]))
    values = [noise((4,), i) for i in range(len(names))]
    shape = helper.make_tensor_value_info("x", 1, ["N", 4]), helper.make_tensor_value_info("y", 1, ["N", 4])
    stored = [numpy_helper.from_array(v, name) for v, name in zip(values, names, strict=True)]
    model = helper.make_model(helper.make_graph(nodes, "g", shape[:1], shape[1:], stored), ir_version=8)
    network, x = tg.export.read_onnx(model.SerializeToString()), noise((3, 4), 9)
    np.testing.assert_allclose(network(x).numpy(), x + sum(values) + values[3], atol=1e-5)
    assert len(network.parameters()) == len(names) and network.weights.keys() == {*names}
    state = network.state_dict()
    assert all(np.array_equal(state[network.weights[name]], v) for name, v in zip(names, values, strict=True))


# What is refused


def file_of(*nodes: Any, opset: int = 18, outputs: tuple[str, ...] = ("y",), kind: int = 1) -> bytes:
    """A model of one input x, (N, 2, 4, 4)."""
    given = [helper.make_tensor_value_info("x", kind, ["N", 2, 4, 4])]
    made = [helper.make_tensor_value_info(name, kind, ["N", 2, 4, 4]) for name in outputs]
    graph = helper.make_graph(list(nodes), "g", given, made)
    ids = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=ids, ir_version=8).SerializeToString()


def node(kind: str, *, gives: tuple[str, ...] = ("y",), **attributes: Any) -> Any:
    return helper.make_node(kind, ["x"], list(gives), **attributes)


REFUSED = {
    "NonZero: not among the operators": file_of(node("NonZero")),
    "Softmax of opset 11 meant something else; export it again, with 13": file_of(node("Softmax"), opset=11),
    "Clip: got an unexpected keyword argument 'max'": file_of(node("Clip", max=1.0), opset=6),
    "x: FLOAT8E5M2 is not among NumPy's": file_of(node("Identity"), kind=19, opset=19),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_file_is_refused_when_it_is_read(words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tg.export.read_onnx(REFUSED[words])


def test_an_output_that_is_not_computed_is_named() -> None:
    pool = node("MaxPool", gives=("y", "where"), kernel_shape=[2, 2])
    network = tg.export.read_onnx(file_of(pool, outputs=("y", "where")))
    with pytest.raises(ConfigError, match="maxpool_1: tinygen's MaxPool has no output 'where'"):
        network(noise((1, 4, 4, 2)))


def test_a_wrong_number_of_inputs_is_named() -> None:
    with pytest.raises(ConfigError, match="it takes x, but got 2 inputs"):
        read_again(network())(noise((1, *IMAGE)), noise((1, *IMAGE)))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08\x12\x07tinygen"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "D.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"D\.onnx: not a valid ONNX model"):
        tg.export.read_onnx(path)


def test_a_file_that_is_cut_is_refused() -> None:
    data = tg.export.onnx(network(), IMAGE).SerializeToString()
    with pytest.raises(DataError, match="these bytes: not a valid ONNX model"):
        tg.export.read_onnx(data[: len(data) // 2])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        tg.export.read_onnx("nowhere.onnx")
