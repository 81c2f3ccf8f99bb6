"""Right and wrong uses of tinygen, for a type checker: this file is read, never run.

A line that ends in `# wrong` must be an error, and no other may be. test_types.py runs mypy and pyright on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from typing_extensions import assert_type

import tinygen as tg
from tinygen import Tensor, ops
from tinygen.layers import BatchNorm, Conv, Dense, Dropout, ReLU, Sequential
from tinygen.losses import GAN_LOSSES, bce_logits, cross_entropy, gaussian_kl, mse

x = tg.tensor([1.0, 2.0], requires_grad=True)
w = tg.Parameter(np.ones((2, 2), np.float32))
array = np.ones(2)
assert_type(x, Tensor)

# Operators, with Tensors, arrays, numbers and lists on either side
assert_type(x + 1, Tensor)
assert_type(1 - x, Tensor)
assert_type(2**x, Tensor)
assert_type(x**2, Tensor)
assert_type(x / array, Tensor)
assert_type(array * x, Tensor)
assert_type(array @ w, Tensor)
assert_type(x + [1.0, 2.0], Tensor)
assert_type(x @ w, Tensor)
assert_type(7 % x // 2, Tensor)
assert_type((x > 0) & ~(x > 1) | True, Tensor)
assert_type(-abs(x), Tensor)
assert_type(x > 0, Tensor)
assert_type(x == w, Tensor)
assert_type(x[0], Tensor)
assert_type(x[..., None], Tensor)
assert_type([row for row in x], list[Tensor])
assert_type(float(x.sum()), float)
assert_type(len(x), int)
x + "1"  # wrong
x @ None  # wrong
x < "0"  # wrong
x[0] = 1.0  # wrong

# Methods and attributes; what an op gives has them, too
assert_type((x * 2).sum().clip(0, 1).reshape(1, 1).T, Tensor)
assert_type(x.mean(axis=(0, 1), keepdims=True).astype(np.float64), Tensor)
assert_type(x.detach(), Tensor)
assert_type(x.requires_grad, bool)
assert_type(x.shape, tuple[int, ...])
assert_type(x.ndim, int)
assert_type(x.numpy().sum(axis=0), Any)
assert_type(x.grad, Tensor | None)
x.summ()  # wrong
x.sum(0, True, 3)  # wrong
x.sum(axis="0")  # wrong
x.shapes  # wrong
(x + 1).foo  # wrong
x.reshape(2).meen()  # wrong

# Ops
assert_type(ops.relu(x), Tensor)
assert_type(ops.relu(array), Tensor)
assert_type(ops.conv2d(x, w, stride=2, padding="same").mean(), Tensor)
assert_type(ops.where(x > 0, x, 0.0), Tensor)
assert_type(ops.split(x, 2), list[Tensor])
assert_type(ops.topk(x, 2), tuple[Tensor, Tensor])
assert_type(ops.einsum("ij,jk,kl", x, w, array), Tensor)
assert_type(ops.norm(x, "fro", axis=(0, 1)).std(ddof=1), Tensor)
assert_type(ops.stack([x, x]), Tensor)
assert_type(ops.batch_norm_with_statistics(x, x, x)[0], Tensor)
assert_type(ops.conv1d(x, w, 2, (1, 0)), Tensor)
assert_type(ops.scaled_dot_product_attention(x, x, x, causal=True), Tensor)
ops.conv1d(x, w, stride=(1, 2))  # wrong
ops.relu(x, 3, 4, 5)  # wrong
ops.relu("x")  # wrong
ops.relu(y=x)  # wrong
ops.tanhh(x)  # wrong
ops.conv2d(x, w, stride="2")  # wrong
ops.stack(x, axis="0")  # wrong


# An op of one's own
@tg.primitive
def cube(x: Any) -> Any:
    return x**3


def slope(gy: Any, y: Any, x: Any) -> Any:
    return gy * 3 * x**2


cube.rules(slope)
assert_type(cube(x), Tensor)
assert_type(cube(x).sum(), Tensor)
cube(x, 2)  # wrong
cube.rulez(None)  # wrong


# Gradients
assert_type(tg.grad(x.sum(), x), Tensor)
assert_type(tg.grad(x.sum(), [x, w]), list[Tensor])
assert_type(tg.grad(x.sum(), [w], unused="zeros")[0], Tensor)
tg.grad(x.sum(), 3)  # wrong
tg.grad(x.sum(), x, unused="nothing")  # wrong


# Blocks and decorators
@tg.no_grad()
def mean(x: Tensor) -> Tensor:
    return x.mean()


with tg.no_grad(), tg.frozen([x, w]), tg.use("cpu"):
    assert_type(mean(x), Tensor)
mean(3)  # wrong


# Layers and networks
class Encoder(tg.Module):
    def __init__(self) -> None:
        self.mu, self.logvar = Dense(2, 1), Dense(2, 1)

    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        return self.mu(x), self.logvar(x) * scale


net = Sequential(Dense(2, 3), BatchNorm(3), ReLU(), Dropout(0.5))
assert_type(Dense(2, 2)(x), Tensor)
assert_type(Dense(2, 2)(array), Tensor)
assert_type(net(x), Tensor)
assert_type(net(x).sum(), Tensor)
assert_type(Encoder()(x, scale=2.0), tuple[Tensor, Tensor])
assert_type(net.parameters(), list[tg.Parameter])
assert_type(net.eval(), Sequential)
Dense(2)  # wrong
Dense(2, 2)(x, 3)  # wrong
Dense(2, 2)()  # wrong
Encoder()(x, size=2.0)  # wrong
Conv(1, 2, 3)(x).foo  # wrong
net(x).foo  # wrong
tg.gradcheck(net, x)
tg.gradcheck(ops.matmul, [x, w])

# Losses, optimisers and models
assert_type(mse(x, 0.0), Tensor)
assert_type(bce_logits(net(x), 1.0) + mse(x, w), Tensor)
assert_type(cross_entropy(x, array), Tensor)
assert_type(cross_entropy(x, array, weight=array, ignore_index=-1, label_smoothing=0.1), Tensor)
assert_type(gaussian_kl(x, x), Tensor)
assert_type(GAN_LOSSES["hinge"].D(x, x), Tensor)
tg.losses.bcee  # wrong
mse(x)  # wrong
mse(x, 0.0).foo  # wrong
bce_logits(x, 1.0, reduce="sum")  # wrong
optimizer = tg.optim.Adam(net.parameters(), lr=tg.optim.cosine_decay(1e-3, 100))
optimizer.step(tg.grad(mse(net(x), 0.0), net.parameters()))
optimizer.stepp()  # wrong
model = tg.models.VAE(tg.models.VAEConfig(data_shape=(2,), latent_dim=2))
tg.fit(model, tg.data.load("digits"), steps=3, out="runs/vae")
tg.fit(model, array)  # wrong
tg.tensr  # wrong
