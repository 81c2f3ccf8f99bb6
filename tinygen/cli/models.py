"""List the models with their settings and defaults.

examples:
  tinygen models
  tinygen models gan vae
  tinygen train gan --set g_hidden=128,256 lr=1e-3     how a setting is changed
"""

from __future__ import annotations

import argparse

from ..settings import describe_settings, format_value
from ..tables import table
from .arguments import Parser, first_line
from .codes import OK
from .runs import model_class


def add_arguments(command: Parser) -> None:
    command.add_argument("names", metavar="NAME", nargs="*", help="the models to list (all)")


def run(args: argparse.Namespace) -> int:
    from ..models import MODELS

    for name in dict.fromkeys(args.names) or MODELS:
        kind = model_class(name)
        defaults = kind.defaults
        print(f"{name}: {first_line(kind)}")
        print(f"  trained on {defaults['data']} for {defaults['steps']:,} steps of batch {defaults['batch']}")
        for preset, (about, settings, options) in kind.presets.items():
            written = [f"{key}={format_value(value)}" for key, value in settings.items()]
            written += [f"--{key} {format_value(value)}" for key, value in options.items()]
            print(f"  --preset {preset}: {about}; {' '.join(written)}")
        print(table([("--set", "default", "may be"), *describe_settings(kind.Config)], indent=2), end="\n\n")
    return OK
