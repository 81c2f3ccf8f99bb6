"""Networks in and out: ONNX files, for other programs to run or from them, and PyTorch's state_dicts.

    tg.export.onnx(model.G, (100,), "G.onnx")             # its forward pass in eval mode, for batches of any size
    G = tg.export.read_onnx("G.onnx")                     # a Module again, or one that PyTorch wrote
    tg.export.load_torch_state_dict(model.G, state)       # of the same network in PyTorch

The package `onnx` is imported when one of the first two is called: `pip install "tinygen[onnx]"`.
"""

from . import converters_shape  # enters its converters into the table
from .operators import OPERATORS
from .pytorch import load_torch_optimizer, load_torch_state_dict, torch_state_dict
from .reader import OnnxModule, read_onnx
from .writer import OPSET, onnx

__all__ = [
    "OPERATORS",
    "OPSET",
    "OnnxModule",
    "load_torch_optimizer",
    "load_torch_state_dict",
    "onnx",
    "read_onnx",
    "torch_state_dict",
]


def __dir__() -> list[str]:
    return __all__
