"""Pictures that cost nothing, for tests that are not about pictures."""

from train.conftest import viz  # noqa: F401
