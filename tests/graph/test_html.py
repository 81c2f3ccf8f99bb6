"""What a notebook shows of Tensors and Modules: well-formed, complete, and small."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from models.small import small

from tinygen import Tensor, layers, ops, tensor
from tinygen.colours import COLOURS


def read(thing):
    text = thing._repr_html_()
    assert len(text) < 200_000
    return ElementTree.fromstring(text)


def facts(root):
    return {row[0].text: row[1].text for row in root.iter("tr") if row[0].tag == "th"}


def test_a_tensor_says_what_it_is():
    x = tensor([[1.0, -2.0], [0.0, 4.0]], True, name="a<b")
    y = ops.tanh(x)
    ops.sum(y * 3).backward()
    assert facts(read(x)) == {
        "name": "a<b",
        "shape": "(2, 2)",
        "dtype": "float32 on cpu",
        "made by": "leaf, requires grad",
        "grad": f"norm {np.linalg.norm(x.grad.numpy()):.5g}",
    }
    assert facts(read(y))["made by"] == "tanh: tanh x = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."
    assert facts(read(y.detach()))["made by"] == "constant"


def test_few_values_are_written_in_their_colours():
    cells = [cell for cell in read(tensor([[1.0, -2.0], [0.0, 4.0]])).iter("td") if cell.get("style")]
    assert [cell.text for cell in cells] == ["1", "-2", "0", "4"]
    assert [COLOURS.index(cell.get("style")[-9:-2]) for cell in cells] == [1, 0, 0, 1]
    assert [cell.get("style")[-2:] for cell in cells] == ["23", "46", "00", "8c"]  # by size, of at most 140


def test_many_values_are_drawn():
    values = np.random.default_rng(0).normal(size=(20, 10))
    squares = list(read(tensor(values)).iter("rect"))
    assert len(squares) == 200
    shares = [float(square.get("fill-opacity")) for square in squares]
    np.testing.assert_allclose(shares, np.abs(values).ravel() / np.abs(values).max(), atol=0.006)


def test_of_images_the_first_is_drawn():
    images = np.zeros((2, 40, 5, 3))
    images[0, 3, 2, 0] = 1.0
    images[1] = 9.0
    (square,) = read(tensor(images)).iter("rect")
    assert (square.get("x"), square.get("y")) == ("2", "3")
    assert "32 × 5 of 1,200 values" in tensor(images)._repr_html_()


@pytest.mark.parametrize(
    "values",
    [3.0, [], np.zeros((0, 3)), [np.nan, np.inf], [True, False], np.arange(3), np.zeros((2, 2, 2, 2, 2))],
    ids=str,
)
def test_every_tensor_has_a_picture(values):
    read(tensor(values))


def test_a_tensor_on_a_gpu(gpu):
    read(Tensor(gpu.asarray(np.ones((50, 50), np.float32))))


def test_a_module_shows_its_summary():
    net = layers.Sequential(layers.Dense(4, 3), layers.ReLU())
    rows = [[cell.text or "" for cell in row] for row in read(net).iter("tr")]
    assert rows == [list(row) for row in net.summary_rows()] and rows[1] == ["0 Dense(4, 3)", "", "15"]
    model = small("gan")
    assert [row[1].text for row in read(model).iter("tr")][1] == "(7,)"


def test_a_repr_loads_no_matplotlib():
    code = """if True:
        import sys
        import tinygen as tg
        tg.ops.exp(tg.tensor([1.0], True))._repr_html_()
        tg.viz.graph(tg.ops.exp(tg.tensor([1.0], True)))._repr_svg_()
        assert "matplotlib" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
