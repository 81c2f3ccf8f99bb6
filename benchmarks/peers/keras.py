"""Keras 3 on TensorFlow: the whole step is one tf.function, as a graph or through XLA."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..layers import BatchNorm, Conv, ConvT, Dense, Dropout, LeakyReLU, Reshape, Tanh
from ..workloads import Network
from . import Peer, Setting


def penalty(D: Any, x_hat: Any) -> Any:
    """E (‖∇D(x̂)‖ - 1)²."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x_hat)
        scores = D(x_hat)
    n = tf.sqrt(tf.reduce_sum(tf.square(tape.gradient(scores, x_hat)), 1) + 1e-12)
    return tf.reduce_mean(tf.square(n - 1))


def mean_bce(scores: Any, target: float) -> Any:
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(scores), target), scores))


class Dropped(keras.layers.Layer):
    """Dropout by TensorFlow's stateful random numbers: with Keras's own, XLA's step takes four times as long."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def call(self, x: Any) -> Any:
        return tf.where(tf.random.uniform(tf.shape(x)) >= self.rate, x / (1 - self.rate), 0.0)


class Keras(Peer):
    def __init__(self, setting: Setting):
        self.w = w = setting.workload
        tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
        tf.config.threading.set_inter_op_parallelism_threads(setting.threads)
        self.nets = {name: network(net) for name, net in w.networks.items()}
        self.parameters = {n: sum(v.shape.num_elements() for v in values(net)) for n, net in self.nets.items()}
        options = {"learning_rate": w.lr, "beta_1": w.beta1, "beta_2": w.beta2, "epsilon": w.eps}
        groups = [[net] for net in self.nets.values()] if w.is_gan else [list(self.nets.values())]
        self.vars = [[v for net in group for v in net.trainable_variables] for group in groups]
        self.opts = [keras.optimizers.Adam(**options) for _ in groups]
        for opt, variables in zip(self.opts, self.vars, strict=True):
            opt.build(variables)
        fn = self.gan_step if w.is_gan else self.vae_step
        shape = tf.TensorSpec((w.examples, *w.data_shape), tf.float32)
        self.fn = tf.function(fn, input_signature=[shape], jit_compile="xla" in setting.options)
        self.notes = f"intra_op and inter_op_parallelism_threads={setting.threads}"

    def batch(self, x: Any) -> Any:
        return tf.constant(x)

    def step(self, x: Any) -> None:
        self.last = self.fn(x)

    def losses(self) -> dict[str, float]:
        return {name: float(loss) for name, loss in self.last.items()}

    def gan_step(self, x: Any) -> dict[str, Any]:
        for part in tf.split(x, self.w.d_steps):
            loss_D = self.step_D(part)
        with tf.GradientTape() as tape:
            scores = self.nets["D"](self.nets["G"](self.noise(), training=True), training=True)
            loss_G = -tf.reduce_mean(scores) if self.w.gp else mean_bce(scores, 1.0)
        self.descend(0, tape, loss_G)  # of G's variables alone: the graph drops what D's would need
        return {"loss_D": loss_D, "loss_G": loss_G}

    def step_D(self, x: Any) -> Any:
        G, D = self.nets["G"], self.nets["D"]
        fake = G(self.noise(), training=True)
        with tf.GradientTape() as tape:
            if self.w.joint:
                real_score, fake_score = tf.split(D(tf.concat([x, fake], 0), training=True), 2)
            else:
                real_score, fake_score = D(x, training=True), D(fake, training=True)
            if self.w.gp:
                x_hat = x + tf.random.uniform((self.w.batch, 1)) * (fake - x)
                gap = tf.reduce_mean(real_score) - tf.reduce_mean(fake_score)
                loss = self.w.gp * penalty(lambda x: D(x, training=True), x_hat) - gap
            else:
                loss = mean_bce(real_score, 1.0) + mean_bce(fake_score, 0.0)
        self.descend(1, tape, loss)
        return loss

    def vae_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            mu, logvar = tf.split(self.nets["encoder"](x, training=True), 2, axis=1)
            z = mu + tf.exp(0.5 * logvar) * self.noise()
            y = self.nets["decoder"](z, training=True)
            bce = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, y))
            loss = (bce + 0.5 * tf.reduce_sum(mu * mu + tf.exp(logvar) - 1 - logvar)) / self.w.batch
        self.descend(0, tape, loss)
        return {"loss": loss}

    def noise(self) -> Any:
        return tf.random.normal((self.w.batch, self.w.latent))

    def descend(self, i: int, tape: Any, loss: Any) -> None:
        self.opts[i].apply(tape.gradient(loss, [v.value for v in self.vars[i]]), self.vars[i])


def values(net: Any) -> list[Any]:
    return [v.value for v in net.trainable_variables]


def network(net: Network) -> keras.Sequential:
    return keras.Sequential([keras.Input(net.input), *map(layer, net.layers)])


def layer(spec: Any) -> Any:
    match spec:
        case Dense(_, n_out, bias):
            return keras.layers.Dense(n_out, use_bias=bias)
        case Conv(_, c_out, kernel, stride, bias):
            return keras.layers.Conv2D(c_out, kernel, stride, "same", use_bias=bias)
        case ConvT(_, c_out, kernel, stride, bias):
            return keras.layers.Conv2DTranspose(c_out, kernel, stride, "same", use_bias=bias)
        case BatchNorm(_, momentum, eps):
            return keras.layers.BatchNormalization(momentum=momentum, epsilon=eps)
        case LeakyReLU(slope):
            return keras.layers.LeakyReLU(slope) if slope else keras.layers.ReLU()
        case Tanh():
            return keras.layers.Activation("tanh")
        case Dropout(rate):
            return Dropped(rate)
        case Reshape(shape):
            return keras.layers.Reshape(shape)
    raise TypeError(f"no Keras layer for {spec}")


PEER = Keras
