"""Names that are not there: what is meant by one, in the words of another framework or with a slip of the finger."""

from __future__ import annotations

import sys

_ROOMS = ("ops", "layers", "losses", "optim")

FOREIGN = {  # names of PyTorch, Keras, TensorFlow, JAX and NumPy, and where the same thing is under tinygen
    # arrays
    "array": "tensor",
    "as_tensor": "tensor",
    "asarray": "tensor",
    "clone": "tensor",
    "constant": "tensor",
    "copy": "tensor",
    "copy_": "Tensor.assign",
    "cpu": "to_host",
    "cuda": "to_device",
    "dim": "Tensor.ndim",
    "double": "Tensor.astype ops.astype",
    "flatten": "Tensor.ravel layers.Flatten",
    "float": "Tensor.astype ops.astype",
    "from_numpy": "tensor",
    "half": "Tensor.astype ops.astype",
    "int": "Tensor.astype ops.astype",
    "long": "Tensor.astype ops.astype",
    "numel": "Tensor.size",
    "retain_grad": "Tensor.register_hook",
    "set_data": "Tensor.assign",
    "stop_gradient": "Tensor.detach",
    "t": "Tensor.T",
    "to": "to_device",
    "tolist": "Tensor.numpy",
    "type": "Tensor.astype ops.astype",
    "zero_": "Tensor.assign",
    # their parts
    "cat": "ops.concatenate",
    "concat": "ops.concatenate",
    "diag": "ops.einsum",
    "diagonal": "ops.einsum",
    "expand": "ops.broadcast_to",
    "gather": "ops.take_along_axis",
    "permute": "Tensor.transpose ops.transpose",
    "put_along_axis": "ops.scatter_add",
    "repeat_interleave": "Tensor.repeat ops.repeat",
    "unsqueeze": "ops.expand_dims",
    "view": "Tensor.reshape ops.reshape",
    # functions
    "absolute": "ops.abs",
    "amax": "Tensor.max ops.max",
    "amin": "Tensor.min ops.min",
    "bmm": "ops.matmul",
    "cast": "Tensor.astype ops.astype",
    "clamp": "Tensor.clip ops.clip",
    "div": "ops.divide",
    "dot": "ops.matmul",
    "eq": "ops.equal",
    "ge": "ops.greater_equal",
    "gt": "ops.greater",
    "inner": "ops.einsum",
    "le": "ops.less_equal",
    "lt": "ops.less",
    "masked_fill": "ops.where",
    "mm": "ops.matmul",
    "mod": "ops.remainder",
    "mul": "ops.multiply",
    "ne": "ops.not_equal",
    "neg": "ops.negative",
    "outer": "ops.einsum",
    "pow": "ops.power",
    "reduce_max": "ops.max",
    "reduce_mean": "ops.mean",
    "reduce_sum": "ops.sum",
    "rint": "ops.round",
    "sub": "ops.subtract",
    "tensordot": "ops.einsum",
    "trace": "ops.einsum",
    "true_divide": "ops.divide",
    # images
    "conv_transpose": "ops.conv_transpose2d",
    "depth_to_space": "ops.pixel_shuffle",
    "fold": "ops.col2im",
    "interpolate": "ops.resize",
    "space_to_depth": "ops.pixel_unshuffle",
    "unfold": "ops.im2col",
    "upsample": "ops.resize",
    # layers
    "AdaptiveAvgPool2d": "layers.GlobalAvgPool",
    "AveragePooling2D": "layers.AvgPool",
    "AvgPool2d": "layers.AvgPool",
    "BatchNorm1d": "layers.BatchNorm",
    "BatchNorm2d": "layers.BatchNorm",
    "BatchNormalization": "layers.BatchNorm",
    "Conv2D": "layers.Conv",
    "Conv2DTranspose": "layers.ConvTranspose",
    "Conv2d": "layers.Conv",
    "ConvTranspose2d": "layers.ConvTranspose",
    "Dropout2d": "layers.Dropout",
    "GRU": "layers.GRUCell",
    "GlobalAveragePooling2D": "layers.GlobalAvgPool",
    "InstanceNorm2d": "layers.InstanceNorm",
    "LSTM": "layers.LSTMCell",
    "LayerNormalization": "layers.LayerNorm",
    "Linear": "layers.Dense",
    "MaxPool2d": "layers.MaxPool",
    "MaxPooling2D": "layers.MaxPool",
    "ReflectionPad2d": "layers.Pad",
    "Softmax": "ops.softmax",
    "Unflatten": "layers.Reshape",
    "UpSampling2D": "layers.UpSampling",
    "Upsample": "layers.UpSampling",
    "ZeroPad2d": "layers.Pad",
    "ZeroPadding2D": "layers.Pad",
    "nn": "layers",
    "spectral_norm": "layers.SpectralNorm",
    # losses
    "BCELoss": "losses.bce",
    "BCEWithLogitsLoss": "losses.bce_logits",
    "CrossEntropyLoss": "losses.cross_entropy",
    "L1Loss": "losses.l1",
    "MSELoss": "losses.mse",
    "binary_cross_entropy": "losses.bce",
    "binary_cross_entropy_with_logits": "losses.bce_logits",
    "binary_crossentropy": "losses.bce",
    "categorical_crossentropy": "losses.cross_entropy",
    "l1_loss": "losses.l1",
    "mean_absolute_error": "losses.l1",
    "mean_squared_error": "losses.mse",
    "mse_loss": "losses.mse",
    "sparse_categorical_crossentropy": "losses.cross_entropy",
    # training
    "CosineAnnealingLR": "optim.cosine_decay",
    "ExponentialLR": "optim.exponential_decay",
    "GradientTape": "grad",
    "LinearLR": "optim.linear_decay",
    "StepLR": "optim.step_decay",
    "Variable": "Parameter",
    "jit": "compile",
    "manual_seed": "seed",
}


class MissingName(AttributeError):
    """MissingName(place, name): a place, "tinygen.ops" or "Tensor", has no such name.

    What may be meant is looked for only when the message is read, so that hasattr() costs nothing.
    """

    name = None  # Python would add a guess of its own

    def __str__(self) -> str:
        place, name = self.args
        owner = "'Tensor' object" if place == "Tensor" else f"module {place!r}"
        return f"{owner} has no attribute {name!r}{_meant(place, name)}"


def _meant(place: str, name: str) -> str:
    """Where what is meant by a name is to be found, or the name like it at this place; "" if nothing is like it."""
    from .settings import did_you_mean

    if name.startswith("_"):
        return ""
    room, near = place.removeprefix("tinygen").lstrip("."), _names(place)
    found = FOREIGN.get(name, "").split()
    if not found and name.lower() not in map(str.lower, near):
        found = [f"{other}.{name}" for other in _ROOMS if name in _names(f"tinygen.{other}")]
    if found:
        return f"; here it is tg.{next((x for x in found if x.startswith(f'{room}.')), found[0])}"
    return did_you_mean(name, near)


def _names(place: str) -> list[str]:
    """The public names of a module, or of Tensor."""
    owner = sys.modules["tinygen.tensor"].Tensor if place == "Tensor" else sys.modules[place]
    return [name for name in dir(owner) if not name.startswith("_")]
