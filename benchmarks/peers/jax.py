"""JAX: the whole step is one jit with its state donated, Adam written by hand; no other library."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Tanh
from ..workloads import Network, Workload
from . import Peer, Setting
from .arrays import initial


class Jax(Peer):
    def __init__(self, setting: Setting):
        w = setting.workload
        if setting.device == "cuda":
            jax.config.update("jax_default_matmul_precision", "tensorfloat32" if setting.tf32 else "highest")
        self.device = jax.devices("gpu" if setting.device == "cuda" else "cpu")[0]
        groups = [[name] for name in w.networks] if w.is_gan else [list(w.networks)]
        params = {name: initial(net) for name, net in w.networks.items()}
        self.parameters = {name: sum(p.size for p in jax.tree.leaves(params[name])) for name in params}
        state = {
            "params": [{name: params[name] for name in group} for group in groups],
            "stats": {name: statistics(net) for name, net in w.networks.items()},
            "key": random.key(0),
            "t": [jnp.zeros((), jnp.float32) for _ in groups],
        }
        state["m"], state["v"] = (jax.tree.map(jnp.zeros_like, state["params"]) for _ in range(2))
        self.state = jax.device_put(state, self.device)
        step = gan_step if w.is_gan else vae_step
        self.fn = jax.jit(partial(step, w), donate_argnums=0)
        self.notes = "XLA's pool has as many threads as the process has processors, here pinned" + (
            f", TF32 {'allowed' if setting.tf32 else 'off'}" if setting.device == "cuda" else ""
        )

    def batch(self, x: Any) -> Any:
        return jax.device_put(x, self.device)

    def step(self, x: Any) -> None:
        self.state, self.last = self.fn(self.state, x)

    def losses(self) -> dict[str, float]:
        return {name: float(loss) for name, loss in self.last.items()}

    def wait(self) -> None:
        jax.block_until_ready(self.state)

    def device_memory(self) -> dict[str, float]:
        stats = self.device.memory_stats() if self.device.platform == "gpu" else None
        return {"device_mb": stats["peak_bytes_in_use"] / 1e6} if stats else {}


def gan_step(w: Workload, state: Any, x: Any) -> Any:
    key, *keys = random.split(state["key"], w.d_steps + 2)
    state = {**state, "key": key}
    for part, key_D in zip(jnp.split(x, w.d_steps), keys, strict=False):
        state, loss_D = step_D(w, state, part, key_D)
    state, loss_G = step_G(w, state, keys[-1])
    return state, {"loss_D": loss_D, "loss_G": loss_G}


def step_D(w: Workload, state: Any, x: Any, key: Any) -> Any:
    keys = random.split(key, 4)
    (g, d), stats = state["params"], state["stats"]
    G, D = partial(forward, w.networks["G"]), partial(forward, w.networks["D"])
    fake, stats_G = G(g["G"], stats["G"], random.normal(keys[0], (w.batch, w.latent)), keys[1])

    def loss_D(d: Any) -> Any:
        if w.joint:
            scores, new = D(d["D"], stats["D"], jnp.concatenate([x, fake]), keys[2])
            real, false = jnp.split(scores, 2)
        else:
            real, new = D(d["D"], stats["D"], x, keys[2])
            false, new = D(d["D"], new, fake, keys[2])
        if w.gp:
            x_hat = x + random.uniform(keys[3], (w.batch, 1)) * (fake - x)
            slopes = penalty(lambda x: D(d["D"], stats["D"], x, keys[2])[0], x_hat)
            return jnp.mean(false) - jnp.mean(real) + w.gp * slopes, new
        return jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(false)), new

    (loss, stats_D), grads = jax.value_and_grad(loss_D, has_aux=True)(d)
    return descend(w, {**state, "stats": {"G": stats_G, "D": stats_D}}, 1, grads), loss


def step_G(w: Workload, state: Any, key: Any) -> Any:
    keys = random.split(key, 3)
    (g, d), stats = state["params"], state["stats"]
    G, D = partial(forward, w.networks["G"]), partial(forward, w.networks["D"])

    def loss_G(g: Any) -> Any:
        fake, new_G = G(g["G"], stats["G"], random.normal(keys[0], (w.batch, w.latent)), keys[1])
        scores, new_D = D(d["D"], stats["D"], fake, keys[2])
        return -jnp.mean(scores) if w.gp else jnp.mean(jax.nn.softplus(-scores)), {"G": new_G, "D": new_D}

    (loss, stats), grads = jax.value_and_grad(loss_G, has_aux=True)(g)
    return descend(w, {**state, "stats": stats}, 0, grads), loss


def penalty(D: Any, x_hat: Any) -> Any:
    """E (‖∇D(x̂)‖ - 1)²."""
    gx = jax.grad(lambda x: jnp.sum(D(x)))(x_hat)
    return jnp.mean(jnp.square(jnp.sqrt(jnp.sum(jnp.square(gx), 1) + 1e-12) - 1))


def vae_step(w: Workload, state: Any, x: Any) -> Any:
    key, noise_key = random.split(state["key"])
    encoder, decoder = (partial(forward, w.networks[name]) for name in ("encoder", "decoder"))

    def loss_fn(params: Any) -> Any:
        mu, logvar = jnp.split(encoder(params["encoder"], [], x, key)[0], 2, axis=1)
        z = mu + jnp.exp(0.5 * logvar) * random.normal(noise_key, mu.shape)
        y = decoder(params["decoder"], [], z, key)[0]
        bce = jnp.sum(jax.nn.softplus(y) - x * y)
        return (bce + 0.5 * jnp.sum(mu * mu + jnp.exp(logvar) - 1 - logvar)) / w.batch

    loss, grads = jax.value_and_grad(loss_fn)(state["params"][0])
    return descend(w, {**state, "key": key}, 0, grads), {"loss": loss}


def descend(w: Workload, state: Any, i: int, grads: Any) -> Any:
    """The state after a step of Adam on its i-th group of networks."""
    t = state["t"][i] + 1
    m = jax.tree.map(lambda m, g: w.beta1 * m + (1 - w.beta1) * g, state["m"][i], grads)
    v = jax.tree.map(lambda v, g: w.beta2 * v + (1 - w.beta2) * g * g, state["v"][i], grads)
    size, correction = w.lr / (1 - w.beta1**t), 1 / jnp.sqrt(1 - w.beta2**t)
    update = lambda p, m, v: p - size * m / (jnp.sqrt(v) * correction + w.eps)
    new = {"params": jax.tree.map(update, state["params"][i], m, v), "m": m, "v": v, "t": t}
    return {**state, **{name: [*state[name][:i], value, *state[name][i + 1 :]] for name, value in new.items()}}


def statistics(net: Network) -> list[Any]:
    """The running mean and variance of each batch norm, in order."""
    norms = [layer for layer in net.layers if isinstance(layer, BatchNorm)]
    return [(np.zeros(n.features, np.float32), np.ones(n.features, np.float32)) for n in norms]


def conv(x: Any, w: Any, stride: int) -> Any:
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv_transpose(x: Any, w: Any, stride: int) -> Any:
    """lax.conv_transpose with gradients made of `conv`: XLA's own weight gradient takes 40 times as long on a CPU."""
    return lax.conv_transpose(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _conv_transpose_backward(stride: int, kept: Any, gy: Any) -> Any:
    x, w = kept
    mirror = lambda w: jnp.flip(w, (0, 1)).swapaxes(2, 3)
    gx, pull = jax.vjp(lambda w: conv(gy, w, stride), mirror(w))
    return gx, mirror(pull(x)[0])


conv_transpose.defvjp(lambda x, w, stride: (conv_transpose(x, w, stride), (x, w)), _conv_transpose_backward)


def forward(net: Network, params: Any, stats: Any, x: Any, key: Any) -> tuple[Any, Any]:
    """A network in training, on N, H, W, C; returns its updated running statistics too."""
    p, s, new = iter(params), iter(stats), []
    for i, layer in enumerate(net.layers):
        match layer:
            case Dense():
                kernel, *b = next(p)
                x = sum(b, x @ kernel)
            case Conv(_, _, _, stride, _):
                kernel, *b = next(p)
                x = sum(b, conv(x, kernel, stride))
            case ConvT(_, _, _, stride, _):
                kernel, *b = next(p)
                x = sum(b, conv_transpose(x, kernel, stride))
            case BatchNorm(_, momentum, eps):
                (gamma, beta), (mean, var), axes = next(p), next(s), tuple(range(x.ndim - 1))
                mu = x.mean(axes)
                variance = jnp.square(x - mu).mean(axes)
                new.append((momentum * mean + (1 - momentum) * mu, momentum * var + (1 - momentum) * variance))
                x = (x - mu) * (gamma * lax.rsqrt(variance + eps)) + beta
            case LeakyReLU(slope):
                x = jnp.where(x > 0, x, slope * x)
            case Tanh():
                x = jnp.tanh(x)
            case Dropout(rate):
                x = jnp.where(random.bernoulli(random.fold_in(key, i), 1 - rate, x.shape), x / (1 - rate), 0)
            case Reshape(shape):
                x = x.reshape(len(x), *shape)
    return x, lax.stop_gradient(new)


PEER = Jax
