"""Networks as ONNX files, for other programs to run, and ONNX files as networks, to look at and to train further.

    tg.export.onnx(model.G, (100,), "G.onnx")             # its forward pass in eval mode, for batches of any size
    G = tg.export.read_onnx("G.onnx")                     # a Module again, or one that PyTorch wrote
    y = G(z)

The package `onnx` is imported when one of them is called: `pip install "tinygen[onnx]"`.
"""

from . import converters_shape  # enters its converters into the table
from .operators import OPERATORS
from .reader import OnnxModule, read_onnx
from .writer import OPSET, onnx

__all__ = ["OPERATORS", "OPSET", "OnnxModule", "onnx", "read_onnx"]


def __dir__() -> list[str]:
    return __all__
