"""List the data sets that train --data takes.

examples:
  tinygen data
  tinygen train gan --data ring8
  tinygen train vae --data folder:photos --size 32
"""

from __future__ import annotations

import argparse

from ..tables import table
from .arguments import Parser
from .codes import OK


def add_arguments(command: Parser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    from ..data import DATASETS

    print(table([("--data", "what it is"), *((name, entry.about) for name, entry in DATASETS.items())]))
    return OK
