"""Every network of every model, exported: ONNX's checker takes it, ONNX Runtime agrees, and so does the way back."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from export.running import assert_exported, shaken
from models.small import SMALL, small

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.oracle

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = [(name, network) for name in SMALL for network in small(name).inputs]


@pytest.mark.parametrize(("name", "network"), NETWORKS)
def test_a_network_agrees_for_two_batch_sizes(name: str, network: str) -> None:
    model = small(name)
    shapes = {"x": model.inputs[network]} | ({"label": ()} if network in model.labelled else {})
    assert_exported(shaken(getattr(model, network)), shapes)


def test_the_table_is_what_the_script_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """But for the last digits, which are the processor's."""
    script = runpy.run_path(str(EXAMPLES / "onnx_agreement.py"))
    script["main"](["memory", "gan"])
    written = (EXAMPLES / "onnx_agreement.md").read_text(encoding="utf-8")
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 5 and all(row.rpartition("|")[0].rpartition("|")[0] in written for row in rows)


def test_the_table_has_every_network_and_no_large_difference() -> None:
    rows = [
        line.split("|")[1:-1]
        for line in (EXAMPLES / "onnx_agreement.md").read_text("utf-8").splitlines()
        if "|" in line
    ]
    networks = {(row[0].strip(), row[1].strip()) for row in rows[2:]}
    assert networks == {(name, network) for name, network in NETWORKS}
    assert max(float(row[-1]) for row in rows[2:]) <= 1e-5


@pytest.mark.parametrize("name", ["dcgan", "srgan"])
def test_convolutions_are_not_wrapped_in_transposes(name: str) -> None:
    """Two come from a reshape of maps, one from a pixel shuffle; D has one, before its dense layer."""
    model = small(name)
    exported = {network: assert_exported(getattr(model, network), {"x": model.inputs[network]}) for network in "GD"}
    kinds = {network: [node.op_type for node in m.graph.node] for network, m in exported.items()}
    assert kinds["G"].count("Transpose") == {"dcgan": 1, "srgan": 3}[name] and kinds["D"].count("Transpose") == 1
    assert "Add" not in kinds["D"]  # biases are the convolutions' own
