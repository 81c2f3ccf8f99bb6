"""Networks that PyTorch exported, by both of its exporters, read: the same results, and the same gradients."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygen as tg

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytestmark = pytest.mark.oracle
nn = torch.nn


def generator() -> Any:
    """A small DCGAN's G: Radford et al. 2016."""
    up = lambda *sizes: nn.ConvTranspose2d(*sizes, bias=False)
    return nn.Sequential(
        *(up(8, 6, 4, 1, 0), nn.BatchNorm2d(6), nn.ReLU(), up(6, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Tanh()),
    )


def discriminator() -> Any:
    """Its D, which ends in a dense layer."""
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 6, 4, 2, 1, bias=False), nn.BatchNorm2d(6)),
        *(nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(6 * 16, 1)),
    )


class Others(nn.Module):
    """Layers of other networks: pooling, upsampling, norms, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect")
        self.norms = nn.ModuleList([nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm([4, 8, 8])])
        self.act = nn.PReLU()
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: Any) -> Any:
        y = self.act(self.conv(x))
        for norm in self.norms:
            y = y + norm(y)
        small = nn.functional.avg_pool2d(nn.functional.elu(y), 3, 2, 1) + nn.functional.max_pool2d(y, 3, 2, 1)
        large = nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
        y = torch.cat([large, y.softmax(1)], 1) * nn.functional.interpolate(small.mean(1, keepdim=True), scale_factor=2)
        return nn.functional.pixel_shuffle(self.last(y).repeat(1, 2, 1, 1), 2)


NETWORKS = {"G": (generator, (8, 1, 1)), "D": (discriminator, (1, 16, 16)), "others": (Others, (2, 8, 8))}


def built(name: str) -> tuple[Any, Any]:
    """A network in eval mode, with running statistics, and a batch for it."""
    torch.manual_seed(0)
    kind, shape = NETWORKS[name]
    network = kind()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return network.eval(), torch.randn(3, *shape)


def exported(network: Any, x: Any, exporter: str, folder: Path) -> bytes:
    path = folder / "network.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own
        if exporter == "torch.export":
            shapes = ({0: torch.export.Dim("N")},)
            options: dict[str, Any] = {
                "dynamo": True,
                "external_data": False,
                "dynamic_shapes": shapes,
                "verbose": False,
            }
        else:
            options = {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}}
        torch.onnx.export(network, (x,), path, **options)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "exporter"),
    [*((name, "TorchScript") for name in NETWORKS), ("G", "torch.export"), ("others", "torch.export")],
)
def test_a_network_of_pytorch(name: str, exporter: str, tmp_path: Path) -> None:
    if exporter == "torch.export":
        pytest.importorskip("onnxscript")
    theirs, x = built(name)
    ours = tg.export.read_onnx(exported(theirs, x, exporter, tmp_path), layout="NCHW")
    for batch in (x, x[:2]):
        leaf, given = tg.tensor(batch.numpy(), requires_grad=True), batch.clone().requires_grad_()
        y, expected = ours(leaf), theirs(given)
        np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-5)  # one is near 33
        gy = torch.randn_like(expected)
        (expected * gy).sum().backward()
        names = {name: p for name, p in ours.named_parameters() if name in dict(theirs.named_parameters())}
        gx, *grads = tg.grad((y * gy.numpy()).sum(), [leaf, *names.values()])
        np.testing.assert_allclose(gx.numpy(), given.grad.numpy(), rtol=1e-4, atol=1e-5)
        if exporter == "TorchScript" or name == "others":  # the other one folds batch norm into the kernels
            for key, g in zip(names, grads, strict=True):
                np.testing.assert_allclose(g.numpy(), theirs.get_parameter(key).grad.numpy(), rtol=1e-4, atol=1e-4)
        theirs.zero_grad()
    assert len(names) >= 3
