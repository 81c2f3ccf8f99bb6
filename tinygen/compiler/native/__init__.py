"""Compiled steps in machine code: loops and products made by LLVM, run by threads that stay. Needs llvmlite.

values.py, ir.py            LLVM's language, written with Python's operators
code.py                     machine code from it, kept on disk
team.py, driver.py          threads, and the machine that does a table of jobs with them
ops.py, maths.py            what a loop can do to an element
loops.py, loopcode.py       loops over elements, with sums: as data, and their code
copies.py                   copies, and memory filled with a number
products.py                 products of matrices
works.py                    what convolutions are made of
scripts.py                  jobs that a thread does one after the other, without waiting for the others
"""

from __future__ import annotations

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
