"""Compare runs: a table, mean ± standard deviation over seeds, and a page with their curves and samples.

Runs that differ in their seed alone are one row. A run is judged by its scores if `tinygen evaluate` has measured them
after its last step, else by the mean of the last tenth of its curves. Beside the page are the table in Markdown and the
numbers of each run as CSV. The runs themselves are not changed.

examples:
  tinygen compare runs/sweep                      the runs in a folder: runs/sweep/compare.html, .md and .csv
  tinygen compare runs/gan runs/lsgan runs/wgan   these: compare.html here
  tinygen compare runs --out all.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import Parser, path
from .codes import OK

PAGE = "compare.html"


def add_arguments(command: Parser) -> None:
    command.add_argument("runs", type=path, metavar="RUN", nargs="+", help="run directories, and folders of them")
    command.add_argument("--out", type=path, metavar="FILE", help=f"the page, an HTML file ({PAGE}, in a single RUN)")


def run(args: argparse.Namespace) -> int:
    show(args.runs, args.out or Path(args.runs[0] if len(args.runs) == 1 else "", PAGE))
    return OK


def show(runs: list[str], out: Path) -> None:
    """Print a comparison and write its page."""
    from ..report import compare

    comparison = compare(*runs)
    page = comparison.write(out)
    print(f"{comparison}\n\nopen {page} in a browser", flush=True)
