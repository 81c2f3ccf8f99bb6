"""The gradient of a weight goes into its update block by block, and never exists as a whole.

    %8 = matmul(%7, %6)                          # xᵀ gy, (in, out)
    %9 = reshape(%8, shape=(in·out,))      ->    w', m', v' = update(%7, %6, m, v, w):
    w', m', v' = fused(%9, m, v, w): ...             %8 = matmul(%7, %6)
                                                     ...

A block of some rows is multiplied, and while it is in the cache, the optimiser's loop reads it. A gradient that is the
sum of several products, or of their transposes, is added up in that block. The update runs where the last product was,
if nobody reads the old weight after that; else the products wait for the update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..program import Instruction, Program, Value
from .order import views_where_read


class Term(NamedTuple):
    """A product that is a part of a gradient; turned: its transpose is."""

    product: Instruction
    turned: bool

    def factors(self, arrays: Mapping[Value, Any]) -> tuple[Any, Any]:
        """The two matrices whose product is this part."""
        a, b = (arrays[v] for v in self.product.values)
        return (b.T, a.T) if self.turned else (a, b)


class Found(NamedTuple):
    """What makes a gradient that only an update reads: products, and the loop that adds them, if there are several."""

    gradient: Value
    terms: list[Term]
    adder: Instruction | None

    @property
    def makers(self) -> list[Instruction]:
        return [*(term.product for term in self.terms), *([self.adder] if self.adder else [])]


def update_at_once(program: Program) -> Program:
    """The program with "update" in place of products and the only loop that reads them."""
    readers = program.readers()
    kept = {v.root for v in (*program.outputs, *program.updates.values())}
    place_of = {instruction: place for place, instruction in enumerate(program.instructions)}
    instead: dict[int, Instruction | None] = {}
    for place, loop in enumerate(program.instructions):
        found = _gradient_read_by(loop) if loop.op == "fused" else None
        if found is None or not _alone(found, loop, readers, kept):
            continue
        early = max(place_of[maker] for maker in found.makers)
        old = {v.root for v in loop.values} - {found.gradient.root}
        moves_up = not any(early < place_of[reader] < place for root in old for reader in readers[root])
        ready = all(root.maker.op in ("state", "call") or place_of[root.maker] < early for root in old)
        update = _update(found, loop)
        instead |= dict.fromkeys([place, *(place_of[maker] for maker in found.makers)])
        at = early if moves_up and ready else place
        instead[at], place_of[update] = update, at
    made = [instead.get(place, i) for place, i in enumerate(program.instructions)]
    return views_where_read(program, (i for i in made if i is not None))


def _alone(found: Found, loop: Instruction, readers: dict[Value, list[Instruction]], kept: set[Value]) -> bool:
    """Whether nobody else reads a part of the gradient."""
    parts = [(maker.result, found.adder or loop) for maker in found.makers if maker is not found.adder]
    parts += [(found.adder.result, loop)] if found.adder else []
    return all(value not in kept and readers[value] == [reader] for value, reader in parts)


def _gradient_read_by(loop: Instruction) -> Found | None:
    """What a loop over a flat array reads as its gradient, if all its arrays are like that and products make it."""
    shape = loop.options["shape"]
    arrays = [v for v in (*loop.values, *loop.results) if v.op != "call"]
    if len(shape) != 1 or any(v.shape != shape or not v.like.flags.c_contiguous for v in arrays):
        return None
    found = [v for v in loop.values if v.op == "reshape" and v.maker.operands[0].like.ndim == 2]
    if len(found) != 1 or any(member.op == "sum" for member in loop.body):
        return None
    whole = found[0].maker.operands[0]
    terms = [_term(whole)] if whole.op != "fused" else _terms_of_sum(whole)
    if not terms or None in terms or not whole.like.flags.c_contiguous:
        return None
    return Found(found[0], [t for t in terms if t], whole.maker if whole.op == "fused" else None)


def _terms_of_sum(value: Value) -> list[Term | None]:
    """The products that a loop adds, each once; none if it does anything else."""
    adder = value.maker
    read = [v for member in adder.body for v in member.values if v in adder.operands]
    adds = all(member.op == "add" and len([*member.values]) == 2 for member in adder.body)
    same = all(v.shape == value.shape and v.dtype == value.dtype for v in read)
    return [_term(v) for v in read] if adds and same and adder.results == [value] and len({*read}) == len(read) else []


def _term(value: Value) -> Term | None:
    turned = value.op == "transpose" and value.like.ndim == 2
    made = value.maker.operands[0] if turned else value
    return Term(made.maker, turned) if made.op == "matmul" and made.like.ndim == 2 else None


def _update(found: Found, loop: Instruction) -> Instruction:
    factors = (v for term in found.terms for v in term.product.operands)
    operands = (*factors, *(x for x in loop.operands if x is not found.gradient))
    options = {"terms": found.terms, "adder": found.adder, "gradient": found.gradient, "loop": loop}
    made = Instruction("update", operands, options, results=loop.results, place=loop.place)
    for value in made.results:
        value.maker = made
    return made
