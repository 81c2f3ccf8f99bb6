"""What a rule reads of its arguments, found in its bytecode.

An argument counts as read whole wherever an instruction names it, with one exception: a load followed by a fact, as in
`x.shape`. An unknown instruction counts as reading every argument, so that a later Python, or a trick, costs memory and
never a gradient.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Collection, Iterable
from itertools import zip_longest
from typing import Any

# Instructions that name local variables. Those that load leave the last one that they name on the stack.
_LOADS = {
    "LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "STORE_FAST_LOAD_FAST", "LOAD_FAST_LOAD_FAST",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
}  # fmt: skip
_NAMING = _LOADS | {"STORE_FAST", "STORE_FAST_STORE_FAST", "DELETE_FAST", "LOAD_FAST_AND_CLEAR"}

# Instructions that name none, or only what an inner function shares, which counts as read anyway: families by their
# first word, and single ones.
_FAMILIES = {
    "BINARY", "BUILD", "CALL", "COMPARE", "CONTAINS", "CONVERT", "DUP", "END", "FOR", "FORMAT", "GET",
    "INPLACE", "IS", "JUMP", "KW", "LIST", "MAP", "NOP", "NOT", "POP", "PRECALL", "PUSH", "RAISE", "RERAISE",
    "RESUME", "RETURN", "ROT", "SET", "SWAP", "TO", "UNARY", "UNPACK",
}  # fmt: skip
_SINGLES = {
    "CACHE", "COPY", "COPY_FREE_VARS", "DELETE_SUBSCR", "DICT_MERGE", "DICT_UPDATE", "LOAD_ASSERTION_ERROR",
    "LOAD_ATTR", "LOAD_CLOSURE", "LOAD_COMMON_CONSTANT", "LOAD_CONST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_METHOD",
    "LOAD_SMALL_INT", "MAKE_CELL", "MAKE_FUNCTION", "STORE_DEREF", "STORE_SLICE", "STORE_SUBSCR",
}  # fmt: skip

_FRAMES = {"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe"}  # these read variables unnamed


def reads(rule: Callable[..., Any], n: int, facts: Collection[str]) -> tuple[set[int], set[int]]:
    """What a rule (gy, y, *arguments) of n arguments reads whole, and what it reads only facts of.

    y is 0, argument i is i + 1.  facts: the attributes that do not count as reading.
    """
    if not inspect.isfunction(rule):  # a partial, a method: it may read anything
        return set(range(n + 1)), set()
    code = rule.__code__
    places = {name: {i} for i, name in enumerate(code.co_varnames[1 : code.co_argcount])}  # without gy
    if code.co_flags & inspect.CO_VARARGS:
        places[code.co_varnames[code.co_argcount + code.co_kwonlyargcount]] = set(range(len(places), n + 1))
    whole, partly = names_read(dis.get_instructions(code), places, facts)
    whole |= places.keys() & code.co_cellvars  # what an inner function shares

    def found(names: Iterable[str]) -> set[int]:
        return {i for name in names for i in places[name] if i <= n}

    return found(whole), found(partly)


def names_read(
    instructions: Iterable[dis.Instruction], arguments: Collection[str], facts: Collection[str]
) -> tuple[set[str], set[str]]:
    """The arguments that instructions read whole, and those that they read facts of."""
    whole, partly = set[str](), set[str]()
    steps = [step for step in instructions if step.opname != "EXTENDED_ARG"]
    for step, after in zip_longest(steps, steps[1:]):
        names = _named(step)
        if names is None:
            return set(arguments), set()
        if step.opname in _LOADS and after and after.opname in ("LOAD_ATTR", "LOAD_METHOD") and after.argval in facts:
            *names, last = names
            partly.add(last)
        whole.update(names)
    return whole.intersection(arguments), partly.intersection(arguments)


def _named(step: dis.Instruction) -> Collection[str] | None:
    """The local variables that an instruction names; None if it may read any."""
    if step.opname in _NAMING:
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        return names if names and all(isinstance(name, str) for name in names) else None
    known = step.opname in _SINGLES or step.opname.partition("_")[0] in _FAMILIES
    return () if known and step.argval not in _FRAMES else None
