"""SRGAN, step by step, against the same networks and losses in PyTorch: float64, the same weights and data."""

from __future__ import annotations

import numpy as np
import pytest
from models.small import batches, in_float64, small

from tinygen.metrics import load_classifier

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.oracle

SHAPE = (28, 28, 1)


class Twin:
    """The small SRGAN in PyTorch: its tensors have our names, images are (N, C, H, W)."""

    def __init__(self, model):
        parameters = {name: torch.tensor(p.numpy()) for name, p in model.named_parameters()}
        self.p = {name: t.requires_grad_() for name, t in parameters.items()}
        c = model.config
        options = {"lr": c.lr, "betas": (c.beta1, c.beta2), "eps": c.eps}
        self.opt = {n: torch.optim.Adam([t for name, t in self.p.items() if name[0] == n], **options) for n in "GD"}
        judge = load_classifier().body
        self.judge = [torch.tensor(t.numpy()).double() for layer in (0, 2) for t in judge[layer].parameters()]

    def conv(self, x, name, stride=1, pads=(1, 1, 1, 1)):
        return F.conv2d(
            F.pad(x, pads), self.p[f"{name}.w"].permute(3, 2, 0, 1).contiguous(), self.p.get(f"{name}.b"), stride
        )

    def normed(self, x, name, i):
        norm = self.p[f"{name}.{i + 1}.gamma"], self.p[f"{name}.{i + 1}.beta"]
        return F.batch_norm(self.conv(x, f"{name}.{i}"), None, None, *norm, training=True, eps=1e-5)

    def prelu(self, x, name):
        return F.prelu(x, self.p[f"{name}.slope"])

    def G(self, z):
        first, block = self.prelu(self.conv(z, "G.0"), "G.1"), "G.2.body.0.body"
        h = self.prelu(self.normed(first, block, 0), f"{block}.2")
        h = first + self.normed(first + self.normed(h, block, 3), "G.2.body", 1)
        h = self.prelu(F.pixel_shuffle(self.conv(h, "G.3"), 2), "G.5")
        return torch.sigmoid(self.conv(h, "G.6"))

    def D(self, x):
        h = F.leaky_relu(self.conv(x, "D.0", 2, (0, 1, 0, 1)), 0.2)
        return h.permute(0, 2, 3, 1).flatten(1) @ self.p["D.3.w"] + self.p["D.3.b"]

    def maps(self, x):
        w, b, v, a = self.judge
        h = F.relu(F.conv2d(F.pad(x, (1, 2, 1, 2)), w.permute(3, 2, 0, 1).contiguous(), b, 2))
        return F.relu(F.conv2d(h, v.permute(3, 2, 0, 1).contiguous(), a))

    def step(self, x, warm):
        """The losses of D, if it learns, and of G."""
        bce, made = F.binary_cross_entropy_with_logits, []
        z = F.avg_pool2d(x, 2)
        if not warm:
            real, fake = self.D(x), self.D(self.G(z).detach())
            made.append(self.take("D", bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))))
        y = self.G(z)
        loss = F.mse_loss(y, x)
        if not warm:
            score, seen = self.D(y), self.maps(x)
            loss = (
                loss
                + 0.01 * bce(score, torch.ones_like(score))
                + 0.01 * F.mse_loss(self.maps(y), seen) / (seen**2).mean()
            )
        return [*made, self.take("G", loss)]

    def take(self, name, loss):
        for optimizer in self.opt.values():
            optimizer.zero_grad()
        loss.backward()
        self.opt[name].step()
        return loss.item()


def test_steps_of_both_phases_are_pytorch_s():
    model = in_float64(small("srgan", data_shape=SHAPE, lr=1e-2))
    twin = Twin(model)
    for i, x in enumerate(batches(4, SHAPE).astype(np.float64)):
        metrics = model.train_step(x)
        expected = twin.step(torch.tensor(x).permute(0, 3, 1, 2), warm=i == 0)
        ours = [metrics[name].item() for name in ("loss_D", "loss_G") if name in metrics]
        assert ours == pytest.approx(expected, rel=1e-9)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.numpy(), twin.p[name].detach().numpy(), rtol=1e-6, atol=1e-9, err_msg=name)
