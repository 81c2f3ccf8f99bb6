"""Layers: modules that own parameters and map (N, ..., C) to (N, ...). The channel is last."""

from typing import TYPE_CHECKING, Any

from ..names import MissingName
from .activation import GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .attention import MultiHeadAttention
from .basic import Dense, Dropout, Embedding, Flatten, Reshape
from .containers import ModuleDict, ModuleList, Sequential, Skip
from .conv import Conv, ConvTranspose
from .equalized import EqualizedConv, EqualizedDense
from .module import Buffer, Module, evaluating
from .norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from .recurrent import GRUCell, LSTMCell
from .resize import AvgPool, GlobalAvgPool, MaxPool, Pad, PixelShuffle, UpSampling
from .sequences import AvgPool1d, Conv1d, ConvTranspose1d, MaxPool1d
from .spectral import SpectralNorm
from .state import LeftOut
from .style import Blur, MinibatchStd, ModulatedConv

__all__ = [
    "GELU",
    "AvgPool",
    "AvgPool1d",
    "BatchNorm",
    "Blur",
    "Buffer",
    "Conv",
    "Conv1d",
    "ConvTranspose",
    "ConvTranspose1d",
    "Dense",
    "Dropout",
    "Embedding",
    "EqualizedConv",
    "EqualizedDense",
    "Flatten",
    "GRUCell",
    "GlobalAvgPool",
    "GroupNorm",
    "InstanceNorm",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "LeftOut",
    "MaxPool",
    "MaxPool1d",
    "MinibatchStd",
    "ModulatedConv",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiHeadAttention",
    "PReLU",
    "Pad",
    "PixelShuffle",
    "RMSNorm",
    "ReLU",
    "Reshape",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Skip",
    "Softplus",
    "SpectralNorm",
    "Tanh",
    "UpSampling",
    "evaluating",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a type checker would take every name for one that may come

    def __getattr__(name: str) -> Any:
        raise MissingName(__name__, name)
