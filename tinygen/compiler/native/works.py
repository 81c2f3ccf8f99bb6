"""What convolutions are made of, as jobs of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..convolutions import Array, Product
from ..loops import add_copy, add_fill
from ..memory import Room
from .products import add_product, add_products, add_up
from .team import Machine


class MachineWorks:
    """Adds to a machine's table: see convolutions.Works.  memory: bytes to borrow; by default of its own."""

    def __init__(self, machine: Machine, memory: Array | None = None):
        self.machine, self.threads = machine, machine.threads
        self.borrowed, self.at_once, self.in_turn = Room(memory).borrowed, machine.at_once, machine.in_turn

    def add_copy(self, out: Array, x: Array) -> None:
        add_copy(self.machine, out, x)

    def add_fill(self, out: Array, value: Any) -> None:
        add_fill(self.machine, out, value)

    def add_product(self, out: Array, a: Array, b: Array) -> None:
        add_product(self.machine, out, a, b)

    def add_products(self, shares: Sequence[Sequence[Product]]) -> None:
        add_products(self.machine, shares)

    def add_up(self, out: Array, parts: Sequence[Array], adds: bool) -> None:
        add_up(self.machine, out, parts, adds)
