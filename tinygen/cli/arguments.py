"""Reading a command line, with errors that say what to write instead."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from .. import terminal
from ..errors import ConfigError
from ..settings import LARGEST, closest, did_you_mean, written_out

LARGEST_SEED = 2**63 - 1


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help that keeps the lines of the examples, and explains long options beside them, not below."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=terminal.columns())


SYNONYMS = {"epochs": "steps", "epoch": "steps", "iterations": "steps", "learning_rate": "lr"}  # of other programs


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line that says what to write, or where to read more."""

    settings: Callable[[argparse.Namespace], Collection[str]] = staticmethod(lambda known: ())  # what --set takes
    commands: Mapping[str, Parser] = {}  # all commands, by name

    def __init__(self, **options: Any):
        super().__init__(formatter_class=_HelpFormatter, allow_abbrev=False, **options)

    @property
    def options(self) -> Collection[str]:
        """The options as they are written: --seed."""
        return self._option_string_actions.keys()

    def error(self, message: str) -> NoReturn:
        if message.endswith("required: MODEL") and "--set" in self._given:
            message += " before --set, which takes all that follows it"
        message = re.sub(r"^argument (\S+): ignored explicit argument .*", r"\1 takes no value", message)
        raise ConfigError(f"{message}; see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in ArgumentParser, but a command itself refuses unknown arguments, and says what may be meant."""
        self._given = given = list(sys.argv[1:] if args is None else args)
        first = given[0] if given and self._subparsers else ""
        if first.startswith("-") and first not in self._option_string_actions:
            self.error(
                f"unknown argument {given[0]!r}; options come after the command, as in tinygen train gan --seed 3"
            )
        known, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(f"unknown argument {unknown[0]!r}{self._instead(unknown[0], given, known)}")
        return known, unknown

    def _instead(self, argument: str, given: list[str], known: argparse.Namespace) -> str:
        """What may be meant by an unknown argument."""
        place, (name, equals, value) = given.index(argument), argument.partition("=")
        if not argument.startswith("-") and not equals:
            return self._why_too_many(given[place - 1] if place else "", known)
        if not equals and place + 1 < len(given) and not given[place + 1].startswith("--"):
            value = given[place + 1]
        plain, settings = name.lstrip("-").replace("-", "_"), self.settings(known)
        own = {option.lstrip("-").replace("-", "_"): option for option in self._option_string_actions}
        if plain in own:
            return f"; write {own[plain]} {value}".rstrip()
        if plain in settings:
            return f"; it is a setting: write --set {plain}={value or 'VALUE'}"
        for command, parser in self.commands.items():
            if name in parser.options:
                return f"; it is an option of tinygen {command}"
            if plain in parser.settings(known):
                return f"; it is a setting that tinygen {command} takes, with --set"
        meant = closest(SYNONYMS.get(plain, plain), [*own, *settings])
        return f" (did you mean {own.get(meant) or f'--set {meant}'!r}?)" if meant else ""

    def _why_too_many(self, before: str, known: argparse.Namespace) -> str:
        option = self._option_string_actions.get(before)
        if option is not None and option.nargs == 0:
            return f"; {before} takes no value"
        taken = [action for action in self._actions if not action.option_strings and action.nargs in (None, "?")]
        return "".join(f"; {action.metavar} is {getattr(known, action.dest)!r} already" for action in taken[-1:])

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = list(map(str, action.choices))
            meant = did_you_mean(str(value), names) if self._subparsers else ""  # a cpu is not what --device gpu means
            raise argparse.ArgumentError(action, f"{value!r} is none of {', '.join(names)}{meant}")

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse's own hides a failure


def count_from(lowest: int, largest: int = LARGEST) -> Callable[[str], int]:
    """The type of an argument that is a whole number of at least `lowest`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {lowest}, not {text!r}{written_out(text, lowest)}"
            )
        if value > largest:
            raise argparse.ArgumentTypeError(f"must be at most {largest:,}, not {text}")
        return value

    return parse


def count_or_none(text: str) -> int | str:
    """The type of an argument that is a whole number of at least 1, or the word none."""
    if text.lower() == "none":
        return "none"
    try:
        return count_from(1)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or write none, for never") from None


SEED = count_from(0, LARGEST_SEED)  # the type of --seed


def path(text: str) -> str:
    """The type of an argument that is a path; it must not be empty, as it is from a variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("is empty, but it must be a path")
    return text


def first_line(thing: object) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().partition("\n")[0]


def help_of(thing: object) -> dict[str, Any]:
    """A docstring as argparse takes it: the text before the arguments, and the examples after them."""
    description, _, examples = (inspect.getdoc(thing) or "").partition("\nexamples:\n")
    return {"description": description.strip(), "epilog": f"examples:\n{examples}"}
