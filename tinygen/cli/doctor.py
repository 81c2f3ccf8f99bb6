"""Report on what tinygen runs on and what is missing.

Versions, the BLAS with its kernels, threads and speed, Numba, what runs compiled steps, CuPy and GPU, where files go;
and what to do about each. The exit code is 1 if something is broken that tinygen needs.

examples:
  tinygen doctor
"""

from __future__ import annotations

import argparse

from .arguments import Parser
from .codes import FAILED, OK


def add_arguments(command: Parser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    from .. import doctor

    return OK if doctor.run() else FAILED
