"""Autoencoders, VAEs and GANs on a from-scratch autodiff framework.

examples:
  tinygen train gan                      a GAN learns handwritten digits; pictures in runs/gan
  tinygen train vae --set latent_dim=2 --out runs/plane
  tinygen sample runs/gan -n 64
  tinygen translate runs/srgan photo.png  an image made of an image, here a larger one
  tinygen evaluate runs/gan              how good it is, in numbers
  tinygen sweep gan --seed 0 1 2         many runs, in one table and on one page
  tinygen report runs/gan                what happened inside of it: a web page
  tinygen export runs/gan G.onnx         a network as an ONNX file, for other programs
  tinygen play                           a GAN that learns live, on a web page to play with
  tinygen models                         what can be trained; with a name, every setting of that model
  tinygen explain "sigmoid(w*x + b)"     backpropagation through one formula, step by step
  tinygen course list                    twelve assignments, with checks that name the mistake
  tinygen COMMAND --help                 more, with examples

exit codes:
  0    done
  1    a check failed, or a training met a NaN or an infinity
  2    bad usage or bad input: one line says what to do
  129  stopped because the terminal closed (SIGHUP)
  130  stopped by Ctrl-C
  141  stopped because what read the output closed it
  143  stopped by SIGTERM
A training that is stopped finishes its step and saves a checkpoint, unless Ctrl-C comes twice: resume it with --resume.
"""

# The docstring above is what --help prints. A command is a file here: its docstring is its help, add_arguments()
# declares its arguments, and run() runs it. run() itself imports what it needs, so that --help is quick.

from __future__ import annotations

import argparse
import errno
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .. import terminal
from ..errors import UserError
from ..signals import finish, give_back, stop, take_over
from ..version import __version__
from . import (
    compare,
    course,
    data,
    doctor,
    evaluate,
    explain,
    export,
    gradcheck,
    models,
    play,
    report,
    sample,
    sweep,
    train,
    translate,
)
from .arguments import Parser, first_line, help_of
from .codes import BAD_INPUT, BROKEN_PIPE, FAILED, INTERRUPTED, OK

__all__ = ["COMMANDS", "main"]


def __dir__() -> list[str]:
    return __all__


COMMANDS = (
    train,
    sweep,
    sample,
    translate,
    evaluate,
    compare,
    report,
    export,
    play,
    models,
    data,
    gradcheck,
    explain,
    course,
    doctor,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. An error that the user can mend is one line on standard error."""
    handlers = take_over(stop)
    try:
        with terminal.prepared():
            code = _run(argv)
            lost = terminal.flushed(sys.stdout)  # a pipe that was closed is noticed here, not at exit
            terminal.flushed(sys.stderr)
            return _output_lost(lost) if lost and code == OK else code
    finally:
        give_back(handlers)
        finish()


def _run(argv: Sequence[str] | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            args = _parser().parse_args(argv)
            return args.command(args)
    except SystemExit as end:  # --help and --version; SIGTERM and SIGHUP
        return end.code if isinstance(end.code, int) else OK
    except UserError as error:
        return _print_error(error, FAILED if _is_non_finite(error) else BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError as error:
        return _print_error(f"not enough memory: {error or 'choose a smaller batch or model'}", BAD_INPUT)
    except OSError as error:
        lost = terminal.flushed(sys.stdout)
        if lost or (error.errno and not error.filename):  # not an error of a file
            return _output_lost(lost or error)
        return _print_error(f"{error.filename}: {error.strerror}" if error.filename else error, BAD_INPUT)


def _output_lost(error: OSError) -> int:
    """The exit code when standard output can no longer be written."""
    if error.errno in (errno.EPIPE, errno.EIO):  # nobody reads any more
        return BROKEN_PIPE
    return _print_error(f"standard output: {error.strerror}", BAD_INPUT)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _write_line(f"tinygen: warning: {terminal.printable(message)}")


def _print_error(message: object, code: int) -> int:
    lines = str(message).split("\n") if code == FAILED else [str(message)]
    _write_line("tinygen: error: " + "\n".join(map(terminal.printable, lines)))
    return code


def _write_line(text: str) -> None:
    with suppress(OSError):  # if nobody reads, the exit code must suffice
        terminal.write_line(text, sys.stderr)


def _is_non_finite(error: UserError) -> bool:
    from ..train import NonFiniteError

    return isinstance(error, NonFiniteError)


def _parser() -> Parser:
    parser = Parser(prog="tinygen", usage="tinygen [-h] [--version] COMMAND ...", **help_of(sys.modules[__name__]))
    parser.add_argument("--version", action="version", version=f"tinygen {__version__}")
    commands = parser.add_subparsers(title="commands", prog="tinygen", metavar="COMMAND ...", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        added = commands.add_parser(name, help=first_line(command).rstrip("."), **help_of(command))
        added.set_defaults(command=command.run)
        added.commands = commands.choices
        command.add_arguments(added)
    return parser
