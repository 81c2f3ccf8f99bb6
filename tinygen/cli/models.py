"""List the models, or explain all settings of some.

examples:
  tinygen models                                       one line a model
  tinygen models gan vae                               every setting, with its default and what it means
  tinygen train gan --set g_hidden=128,256 lr=1e-3     how a setting is changed
"""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from ..settings import Setting, describe_settings, format_value
from ..tables import glossary
from ..terminal import columns
from .arguments import Parser, first_line
from .codes import OK
from .runs import model_class

if TYPE_CHECKING:
    from ..models.base import Model
    from ..models.presets import Preset


def add_arguments(command: Parser) -> None:
    command.add_argument("names", metavar="NAME", nargs="*", help="the models whose settings to explain")


def run(args: argparse.Namespace) -> int:
    from ..models import MODELS

    if args.names:
        print("\n\n".join(_explained(model_class(name)) for name in dict.fromkeys(args.names)))
        return OK
    longest = max(map(len, MODELS))
    for name, kind in MODELS.items():
        print(f"{name:<{longest}}  {textwrap.shorten(first_line(kind), columns() - longest - 2, placeholder=' ...')}")
    print("\n`tinygen models gan` explains the settings of one; `tinygen train gan` trains it")
    return OK


def _explained(kind: type[Model]) -> str:
    """A model, its presets and every setting, in lines that fit the terminal."""
    defaults = kind.defaults
    trained = f"trained on {defaults['data']} for {defaults['steps']:,} steps of batch {defaults['batch']}"
    presets = [(f"--preset {name}", _described(preset)) for name, preset in kind.presets.items()]
    settings = [(f"{setting.name}={setting.default}", _meaning(setting)) for setting in describe_settings(kind.Config)]
    parts = [f"{kind.name}: {first_line(kind)}", f"  {trained}", glossary(presets, columns(), 2)]
    parts += ["  --set, with the defaults:", glossary(settings, columns(), 2)]
    return "\n".join(filter(None, parts))


def _described(preset: Preset) -> str:
    written = [f"{key}={format_value(value)}" for key, value in preset.settings.items()]
    written += [f"--{key.replace('_', '-')} {format_value(value)}" for key, value in preset.options.items()]
    chosen = " (the defaults for such data)" if preset.shape else ""
    return f"{preset.about}{chosen}: {' '.join(written)}"


def _meaning(setting: Setting) -> str:
    return f"{setting.about} [{setting.type}]" if setting.about else setting.type
