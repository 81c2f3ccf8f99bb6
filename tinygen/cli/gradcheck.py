"""Check the derivatives of every primitive and layer.

Each is compared with a numeric one in float64, at first and second order; a table shows the worst errors. The exit
code is 1 if one is too large.

examples:
  tinygen gradcheck
  tinygen gradcheck matmul softmax --order 1
"""

from __future__ import annotations

import argparse

from .arguments import Parser
from .codes import FAILED, OK


def add_arguments(command: Parser) -> None:
    command.add_argument("names", metavar="NAME", nargs="*", help="primitives and layers to check (all)")
    command.add_argument("--order", type=int, choices=(1, 2), default=2, help="up to which order (2)")


def run(args: argparse.Namespace) -> int:
    from .. import selfcheck

    return OK if selfcheck.run([*dict.fromkeys(args.names)], args.order) else FAILED
