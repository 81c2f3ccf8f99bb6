"""Errors that a user can mend. The command line prints the message alone and exits with 2."""


class UserError(Exception):
    """Base of the errors whose message says what was expected, what came and what to do."""


class DeviceError(UserError, RuntimeError):
    """A device that was asked for is unavailable."""


class PackageError(UserError, ImportError):
    """A package that is needed but not installed."""


class DataError(UserError, ValueError):
    """A data set that is missing, broken, or not what was expected."""


class ConfigError(UserError, ValueError):
    """A model, option or hyperparameter that does not exist or does not fit."""


class RunError(UserError, RuntimeError):
    """A run directory or checkpoint that is missing, broken, of another model, or can't be written."""


class GradientError(RuntimeError):
    """Backward can't continue: what is missing, was changed or does not fit, where, and what to do."""
