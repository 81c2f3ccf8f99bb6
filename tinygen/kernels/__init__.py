"""The hot loops. `reference.py` is their definition, on any array module."""

from .reference import adam, batch_norm, batch_norm_grad

__all__ = ["adam", "batch_norm", "batch_norm_grad"]
