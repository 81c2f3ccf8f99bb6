"""tinygen: a small autodiff framework on NumPy and CuPy, with the autoencoders, VAEs and GANs built on it.

import tinygen as tg
x = tg.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad                                            # Tensor([2., 4.], dtype=float32)
"""

__version__ = "0.1.0"

from .signals import guard_command

guard_command()  # first of all: while NumPy loads, Ctrl-C ends the command in good order, too

import importlib
from typing import TYPE_CHECKING, Any

from . import init, layers, losses, ops, optim
from .backend import array_module, current_device, to_device, to_host, use
from .errors import ConfigError, DataError, DeviceError, GradientError, RunError, UserError
from .gradcheck import GradcheckError, gradcheck
from .random import Generator, seed
from .tensor import Parameter, Tensor, flat, frozen, grad, no_grad, primitive, tensor

if TYPE_CHECKING:
    from . import data, inside, metrics, models, report, train, viz
    from .train import fit, load

_ROOMS, _FROM_TRAIN = ("data", "inside", "metrics", "models", "report", "train", "viz"), ("fit", "load")


def __getattr__(name: str) -> Any:
    """What most of the time of `import tinygen` would go to (0.25 s, 0.09 s without) comes when it is first used."""
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _FROM_TRAIN:
        return getattr(importlib.import_module(".train", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FROM_TRAIN})
