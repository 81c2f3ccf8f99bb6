"""Write a web page on which a small GAN learns, live.

One file, which opens in any browser without a network. Watch D judge points in the plane, its arrows push them, and G
follow, at full speed or in slow motion; drag the data, and choose the loss, the learning rates and the networks.

examples:
  tinygen play
  tinygen play --out lab.html
"""

from __future__ import annotations

import argparse

from .arguments import Parser, path
from .codes import OK


def add_arguments(command: Parser) -> None:
    command.add_argument(
        "--out", type=path, default="play.html", metavar="FILE", help="the page, an HTML file (play.html)"
    )


def run(args: argparse.Namespace) -> int:
    from ..play import play as write

    print(f"open {write(args.out)} in a browser")
    return OK
