"""Layers: modules that own parameters and map (N, ..., C) to (N, ...). The channel is last."""

from typing import TYPE_CHECKING, Any

from ..names import MissingName
from .activation import LeakyReLU, PReLU, ReLU, Sigmoid, Softplus, Tanh
from .basic import Dense, Dropout, Embedding, Flatten, Reshape
from .containers import ModuleDict, ModuleList, Sequential, Skip
from .conv import Conv, ConvTranspose
from .equalized import EqualizedConv, EqualizedDense
from .module import Buffer, Module, evaluating
from .norm import BatchNorm, InstanceNorm, LayerNorm
from .recurrent import GRUCell, LSTMCell
from .resize import AvgPool, GlobalAvgPool, MaxPool, Pad, PixelShuffle, UpSampling
from .spectral import SpectralNorm
from .state import LeftOut
from .style import Blur, MinibatchStd, ModulatedConv

__all__ = [
    "AvgPool",
    "BatchNorm",
    "Blur",
    "Buffer",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Embedding",
    "EqualizedConv",
    "EqualizedDense",
    "Flatten",
    "GRUCell",
    "GlobalAvgPool",
    "InstanceNorm",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "LeftOut",
    "MaxPool",
    "MinibatchStd",
    "ModulatedConv",
    "Module",
    "ModuleDict",
    "ModuleList",
    "PReLU",
    "Pad",
    "PixelShuffle",
    "ReLU",
    "Reshape",
    "Sequential",
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
