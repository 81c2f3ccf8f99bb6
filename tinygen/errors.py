"""Errors that a user can mend. The command line prints the message alone and exits with 2."""


class UserError(Exception):
    """Base of the errors whose message says what was expected, what came and what to do.

    >>> try:
    ...     tg.data.load("digts")
    ... except tg.UserError as error:
    ...     print(type(error).__name__)
    DataError
    """


class DeviceError(UserError, RuntimeError):
    """A device that was asked for is unavailable.

    >>> issubclass(tg.DeviceError, tg.UserError)
    True
    """


class PackageError(UserError, ImportError):
    """A package that is needed but not installed.

    >>> issubclass(tg.PackageError, tg.UserError)
    True
    """


class DataError(UserError, ValueError):
    """A data set that is missing, broken, or not what was expected.

    >>> tg.data.load("digts")
    Traceback (most recent call last):
        ...
    tinygen.errors.DataError: there is no data set 'digts' (did you mean 'digits'?); ...
    """


class ConfigError(UserError, ValueError):
    """A model, option or hyperparameter that does not exist or does not fit.

    >>> tg.models.GANConfig(lr=-1.0)
    Traceback (most recent call last):
        ...
    tinygen.errors.ConfigError: lr is -1.0, but it must be a finite number of at least 0
    """


class RunError(UserError, RuntimeError):
    """A run directory or checkpoint that is missing, broken, of another model, or can't be written.

    >>> tg.load("runs/nowhere")
    Traceback (most recent call last):
        ...
    tinygen.errors.RunError: runs/nowhere: there is no run (no config.json); ...
    """


class GradientError(RuntimeError):
    """Backward can't continue: what is missing, was changed or does not fit, where, and what to do.

    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> tg.grad((x.detach() * 2).sum(), x)
    Traceback (most recent call last):
        ...
    tinygen.errors.GradientError: grad: a Tensor (float32 of shape ()) has no tape; ...
    """
