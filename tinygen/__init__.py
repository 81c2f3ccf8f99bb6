"""Reverse-mode autodiff on NumPy and CuPy, and the autoencoders, VAEs and GANs built on it.

    import tinygen as tg

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    tg.grad((x**2).sum(), x)                              # Tensor([2., 4.], dtype=float32)

    model = tg.models.GAN()
    tg.fit(model, tg.data.load("digits"), steps=5000, out="runs/mine")

Gradients
    tensor, Tensor      an array that remembers how it was computed; it has NumPy's operators and methods
    grad                dy/dx; `y.backward()` adds to every leaf's `.grad` instead
    ops                 the functions: tanh, matmul, conv2d, ... under NumPy's names
    no_grad, frozen     blocks that record nothing, or treat a module as constant
    primitive, flat     an op of your own: a function on arrays, and one rule per argument
    gradcheck           numeric against analytic derivatives; raises GradcheckError

Networks
    layers, Module      Dense, Conv, BatchNorm, Sequential, ...; a network of your own is a Module
    Parameter, init     what a layer learns, and how it begins
    losses, optim       bce_logits, mse, GAN losses, ...; SGD, RMSprop, Adam, AdamW, schedules, clipping

Models and training
    data                data sets by name, the loader, augmentation
    models              one file per model: VAE, GAN, WGANGP, DCGAN, ...
    compile, per_step   a training step as a program; a number that it computes anew each time
    fit, load, train    train a model into a run directory and load it again; callbacks, early stopping
    parallel            one training on several processes, over MPI and NCCL
    metrics             how good samples are: FID, precision, recall, coverage, ...
    inside              what is seen while a model learns: the recorder, and warnings that a GAN collapses
    graph               the tape as a picture; a formula explained step by step
    export              networks to and from PyTorch and ONNX
    tinygen.estimators  an autoencoder and a VAE for scikit-learn; imported apart, as that must be installed
    viz, report         grids, films, curves; the page that shows what happened in a run

Devices and random numbers
    use, current_device                     compute on "cpu" or "cuda"
    array_module, to_device, to_host        numpy or cupy, and the way between them
    from_dlpack                             an array of PyTorch, JAX or others as a Tensor, uncopied
    seed, Generator                         streams of random numbers that can be restored

Errors
    UserError           what a user can mend; its kinds are ConfigError, DataError, DeviceError, PackageError, RunError
    GradientError       a backward pass that can't be right

`help(tg.ops)`, `help(tg.layers)` and so on say more.
"""

from .signals import guard_command

guard_command()  # first of all: while NumPy loads, Ctrl-C ends the command in good order, too

import importlib
from typing import TYPE_CHECKING, Any

from . import init, layers, losses, notebook, ops, optim, parallel
from .backend import array_module, current_device, to_device, to_host, use
from .dlpack import from_dlpack
from .errors import ConfigError, DataError, DeviceError, GradientError, PackageError, RunError, UserError
from .gradcheck import GradcheckError, gradcheck
from .gradients import grad
from .layers import Module
from .names import MissingName
from .primitives import primitive
from .random import Generator, seed
from .rules import flat
from .scopes import frozen, no_grad
from .tensor import Parameter, Tensor, tensor
from .tracing import per_step
from .version import __version__

if TYPE_CHECKING:
    from . import data, export, graph, inside, metrics, models, report, train, viz
    from .compiler import compile
    from .train import fit, load

__all__ = [
    "ConfigError",
    "DataError",
    "DeviceError",
    "Generator",
    "GradcheckError",
    "GradientError",
    "Module",
    "PackageError",
    "Parameter",
    "RunError",
    "Tensor",
    "UserError",
    "array_module",
    "compile",
    "current_device",
    "data",
    "export",
    "fit",
    "flat",
    "from_dlpack",
    "frozen",
    "grad",
    "gradcheck",
    "graph",
    "init",
    "inside",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "no_grad",
    "ops",
    "optim",
    "parallel",
    "per_step",
    "primitive",
    "report",
    "seed",
    "tensor",
    "to_device",
    "to_host",
    "train",
    "use",
    "viz",
]

_ROOMS = ("data", "export", "graph", "inside", "metrics", "models", "report", "train", "viz")
_FROM_ROOMS = {"fit": "train", "load": "train", "compile": "compiler"}


if not TYPE_CHECKING:  # a type checker would take every name for one that may come

    def __getattr__(name: str) -> Any:
        """What most of the time of `import tinygen` would go to (0.25 s, 0.09 s without) comes at its first use."""
        if name in _ROOMS:
            return importlib.import_module(f".{name}", __name__)
        if name in _FROM_ROOMS:
            return getattr(importlib.import_module(f".{_FROM_ROOMS[name]}", __name__), name)
        raise MissingName(__name__, name)


def __dir__() -> list[str]:
    return __all__
