"""Networks of other frameworks, in and out: PyTorch's state_dicts of the same architecture."""

from .pytorch import load_torch_optimizer, load_torch_state_dict, torch_state_dict

__all__ = ["load_torch_optimizer", "load_torch_state_dict", "torch_state_dict"]


def __dir__() -> list[str]:
    return __all__
