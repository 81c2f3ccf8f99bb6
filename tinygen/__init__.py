"""tinygen: a small autodiff framework on NumPy and CuPy, with the autoencoders, VAEs and GANs built on it.

import tinygen as tg
x = tg.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad                                            # Tensor([2., 4.], dtype=float32)
"""

__version__ = "0.1.0"

from . import data, init, layers, losses, metrics, models, ops, optim, train, viz
from .backend import Generator, array_module, current_device, seed, to_device, to_host, use
from .errors import ConfigError, DataError, DeviceError, GradientError, RunError, UserError
from .gradcheck import GradcheckError, gradcheck
from .tensor import Parameter, Tensor, frozen, grad, no_grad, primitive, tensor
from .train import fit, load
