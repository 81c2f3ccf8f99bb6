"""Features of a network in a file, beside clean-fid's own resizing, distances and the network in PyTorch."""

from __future__ import annotations

import sys
from unittest.mock import MagicMock

import numpy as np
import pytest

import tinygen as tg
from tinygen import metrics
from tinygen.cli import main
from tinygen.errors import ConfigError, DataError
from tinygen.metrics import Inception, distances

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


def network():
    torch.manual_seed(0)
    pool = torch.nn.AdaptiveAvgPool2d(4)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 6, 7, 5), torch.nn.ReLU(), pool, torch.nn.Flatten()).eval()


@pytest.fixture(scope="module", params=["onnx", "pt"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / f"network.{request.param}"
    if request.param == "pt":
        with pytest.deprecated_call():  # files of its kind are what people have
            torch.jit.script(network()).save(str(path))
    else:
        write_onnx(path)
    return path


def write_onnx(path):
    """The same network, node by node."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, arrays = onnx.helper, onnx.numpy_helper
    conv = network()[0]
    weights = [arrays.from_array(conv.weight.detach().numpy(), "w"), arrays.from_array(conv.bias.detach().numpy(), "b")]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], strides=[5, 5]),
        helper.make_node("Relu", ["c"], ["r"]),
        # 59 to 4, as PyTorch's adaptive pooling: windows of 15 or 16 that overlap
        helper.make_node("Identity", ["r"], ["maps"]),
        helper.make_node(
            "AveragePool", ["r"], ["p"], kernel_shape=[15, 15], strides=[15, 15], ceil_mode=1, count_include_pad=0
        ),
        helper.make_node("Flatten", ["p"], ["features"]),
    ]
    dims = ["N", 3, 299, 299]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, dims)
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("features", "maps")]
    graph = helper.make_graph(nodes, "network", [x], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


@pytest.fixture
def cleanfid(monkeypatch):
    """clean-fid without its torchvision, which only its downloads and datasets use."""
    pytest.importorskip("cleanfid")
    for name in ("torchvision", "torchvision.models", "requests"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    import cleanfid.fid
    import cleanfid.resize

    return cleanfid


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), np.uint8)


def test_images_are_resized_as_clean_fid_does(cleanfid, photos):
    theirs = np.stack([cleanfid.resize.build_resizer("clean")(image) for image in photos])
    np.testing.assert_array_equal(metrics.inception.resize(photos / 255), theirs)


@pytest.mark.filterwarnings("ignore:The `disp` argument")  # clean-fid's call of SciPy
def test_fid_and_kid_agree_with_clean_fid_on_the_same_features(cleanfid, photos, file):
    features = Inception(file)
    a, b = features(photos / 255), features((photos // 2 + 60) / 255)
    moments = [m for f in (a, b) for m in (f.astype(float).mean(0), np.cov(f.astype(float), rowvar=False))]
    theirs = cleanfid.fid.frechet_distance(*moments)
    assert distances.fid(a, b) == pytest.approx(theirs, rel=1e-3)
    ours, _ = distances.kid(a, b, subsets=1, size=len(a))
    assert ours == pytest.approx(cleanfid.fid.kernel_distance(a, b, num_subsets=1), rel=1e-3)


@pytest.mark.parametrize(("scaling", "shift", "scale"), [("tf", 128, 128), ("imagenet", None, None)])
def test_the_network_sees_scaled_images(file, photos, scaling, shift, scale):
    x = torch.from_numpy(metrics.inception.resize(photos / 255)).permute(0, 3, 1, 2)
    if shift is None:
        shift = 255 * torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
        scale = 255 * torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    body = network()
    with torch.no_grad():
        maps = body[1](body[0]((x - shift) / scale))
        pooled = body[2](maps) if file.suffix == ".pt" else torch.nn.functional.avg_pool2d(maps, 15, ceil_mode=True)
    theirs = pooled.flatten(1).numpy()
    np.testing.assert_allclose(Inception(file, scaling)(photos / 255), theirs, rtol=1e-4, atol=1e-5)


def test_grey_images_have_three_equal_channels(file, photos):
    features, grey = Inception(file), photos[..., :1] / 255
    np.testing.assert_array_equal(features(grey), features(np.repeat(grey, 3, axis=-1)))


def test_evaluate_takes_it_and_names_it(file):
    digits = tg.data.load("digits")
    few = tg.data.Dataset("few", digits.train[:60], digits.test[:60])
    model = tg.models.GAN(tg.models.GANConfig(g_hidden=(8,), d_hidden=(8,)))
    scores = metrics.evaluate(model, few, 50, features=Inception(file), parts=["images"])
    assert scores["fid"].features == f"{file.name}, scaled as tf" and scores["fid"].value > 0


def test_the_command_takes_a_file(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "gan", "--steps", "1", "--record", "none"]) == 0
    assert main(["evaluate", "runs/gan", "-n", "60", "--features", str(file)]) == 0
    assert f"by their features: {file.name}, scaled as tf" in capsys.readouterr().out
    assert main(["evaluate", "runs/gan", "-n", "60", "--features", "absent.onnx"]) == 2
    assert "absent.onnx is no file; give an .onnx file, or TorchScript" in capsys.readouterr().err


def test_another_output_can_be_chosen(tmp_path, photos):
    write_onnx(tmp_path / "network.onnx")
    assert Inception(tmp_path / "network.onnx", output="maps")(photos[:2] / 255).shape == (2, 6 * 59 * 59)
    with pytest.raises(ConfigError, match="it has no output 'pool3', but features, maps"):
        Inception(tmp_path / "network.onnx", output="pool3")


def test_what_is_wrong_is_named(file, tmp_path):
    with pytest.raises(ConfigError, match="scaling is 'torch', but it must be 'tf' or 'imagenet'"):
        Inception(file, "torch")
    damaged = tmp_path / f"damaged{file.suffix}"
    damaged.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=rf"damaged\{file.suffix} can't be read"):
        Inception(damaged)
    with pytest.raises(DataError, match=r"images are \(2, 3, 4\), but they must be"):
        Inception(file)(np.zeros((2, 3, 4)))
