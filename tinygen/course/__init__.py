"""A course: twelve graded assignments on backprop inside a GAN.

A piece is a file that the student completes. Checks call it with inputs and compare its answers with those of the
reference; known mistakes are run on the same inputs, so that a wrong answer can be named. Stubs, handouts and public
checks ship in pieces/; they are cut from the masters in examples/course of the repository, which hold the solutions
and the hidden checks and never ship.
"""

from .checks import Check, Mistake, Words

__all__ = ["Check", "Mistake", "Words"]


def __dir__() -> list[str]:
    return __all__
