"""The gradient of a weight goes into its update block by block, and never exists as a whole.

    %8 = matmul(%7, %6)                          # xᵀ gy, (in, out)
    %9 = reshape(%8, shape=(in·out,))      ->    w', m', v' = update(%7, %6, m, v, w):
    w', m', v' = fused(%9, m, v, w): ...             %8 = matmul(%7, %6)
                                                     ...

A block of some rows is multiplied, and while it is in the cache, the optimiser's loop reads it. The update runs where
the product stood, if nobody reads the old weight after that; else the product waits for the update.
"""

from __future__ import annotations

from ..program import VIEWS, Instruction, Program, Value
from .order import views_where_read


def update_at_once(program: Program) -> Program:
    """The program with "update" in place of a product and the only loop that reads it."""
    readers: dict[Value, list[int]] = {}
    for place, instruction in enumerate(program.instructions):
        if instruction.op not in VIEWS:
            for root in {v.root for v in instruction.values}:
                readers.setdefault(root, []).append(place)
    kept = {v.root for v in (*program.outputs, *program.updates.values())}
    place_of = {instruction: place for place, instruction in enumerate(program.instructions)}
    instead: dict[int, Instruction | None] = {}
    for place, loop in enumerate(program.instructions):
        product = _product_read_by(loop) if loop.op == "fused" else None
        if product is None or product.result in kept or readers[product.result] != [place]:
            continue
        early = place_of[product]
        old = {v.root for v in loop.values} - {product.result}
        moves_up = not any(early < at < place for root in old for at in readers[root])
        ready = all(root.maker.op in ("state", "call") or place_of[root.maker] < early for root in old)
        at, gone = (early, place) if moves_up and ready else (place, early)
        update = _update(product, loop)
        instead[at], instead[gone], place_of[update] = update, None, at
    made = [instead.get(place, i) for place, i in enumerate(program.instructions)]
    return views_where_read(program, (i for i in made if i is not None))


def _product_read_by(loop: Instruction) -> Instruction | None:
    """The product whose result a loop over a flat array reads as its gradient, if all its arrays are like that."""
    shape = loop.options["shape"]
    arrays = [v for v in (*loop.values, *loop.results) if v.op != "call"]
    if len(shape) != 1 or any(v.shape != shape or not v.like.flags.c_contiguous for v in arrays):
        return None
    if any(member.op == "sum" for member in loop.body):
        return None
    found = [v for v in loop.values if v.root.op == "matmul" and v.root.like.ndim == 2]
    whole = len(found) == 1 and found[0].op == "reshape" and found[0].root.like.flags.c_contiguous
    return found[0].root.maker if whole and found[0].maker.operands[0] is found[0].root else None


def _update(product: Instruction, loop: Instruction) -> Instruction:
    gradient = next(v for v in loop.values if v.root is product.result)
    operands = (*product.operands, *(x for x in loop.operands if x is not gradient))
    made = Instruction("update", operands, {"product": product, "gradient": gradient, "loop": loop}, place=loop.place)
    made.results = loop.results
    for value in made.results:
        value.maker = made
    return made
