"""Write a web page that shows what happened inside a run.

One file, which opens in any browser without a network: what D's gradient changes in each image, how much of the
signal arrives at each layer, curves, and more that suits the model. Two runs stand side by side. The run itself is
not changed.

examples:
  tinygen report runs/gan
  tinygen report runs/gan runs/wgangp --out both.html
"""

from __future__ import annotations

import argparse

from .arguments import Parser, path
from .codes import OK


def add_arguments(command: Parser) -> None:
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/gan")
    command.add_argument("other", type=path, metavar="RUN2", nargs="?", help="another, to stand beside it")
    command.add_argument("--out", type=path, metavar="FILE", help="the page, an HTML file (RUN/report.html)")


def run(args: argparse.Namespace) -> int:
    from ..report import report as write

    runs = [args.run, args.other] if args.other else [args.run]
    print(f"open {write(*runs, out=args.out)} in a browser")
    return OK
