"""The version of tinygen."""

__version__ = "0.1.0"
