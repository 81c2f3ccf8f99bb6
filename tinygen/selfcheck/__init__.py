"""gradcheck of every primitive, public op and layer, as `tinygen gradcheck` runs it. The calls are in table.py."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from .. import layers, ops
from ..errors import ConfigError
from ..gradcheck import Comparison, GradcheckError
from ..primitives import PRIMITIVES
from ..settings import did_you_mean
from .case import Case
from .table import CASES

__all__ = ["CASES", "Case", "missing", "run"]


def __dir__() -> list[str]:
    return __all__


def missing() -> list[str]:
    """The primitives, public ops and layers that have no case."""
    primitives = [name for name, p in PRIMITIVES.items() if p.__module__.startswith("tinygen.")]
    public = [name for name, f in vars(ops).items() if callable(f) and not name.startswith("_")]
    modules = [name for name, m in vars(layers).items() if _is_layer(m)]
    tried = {case.name for case in CASES}
    return [n for n in dict.fromkeys(primitives + public + modules) if n not in tried and n.lstrip("_") not in tried]


def _is_layer(m: Any) -> bool:
    holders = layers.Module, layers.ModuleList, layers.ModuleDict  # they compute nothing themselves
    return isinstance(m, type) and issubclass(m, layers.Module) and m not in holders


def run(names: Sequence[str] = (), order: int = 2) -> bool:
    """gradcheck every case, or those of the ops and layers named, and print the worst errors; True if all are right.

    Raises ConfigError for a name that has no case.
    """
    cases: dict[str, list[Case]] = {}
    for case in CASES:
        cases.setdefault(case.name, []).append(case)
    for name in names:
        if name not in cases:
            raise ConfigError(
                f"gradcheck: there is no {name!r}{did_you_mean(name, cases)}; without names it checks all"
            )
    print(f"{'':<28}{'cases':>5}", *(f"{f'order {n}':>9}" for n in range(1, order + 1)))
    right = [_check_all(name, cases[name], order) for name in names or cases]
    without = [] if names else missing()
    for name in without:
        print(f"{name:<28}{0:>5}  NO CASE: add one to CASES in tinygen/selfcheck/table.py")
    wrong = right.count(False) + len(without)
    print(f"{len(right) - right.count(False)} right, {wrong} wrong")
    return not wrong


def _check_all(name: str, cases: list[Case], order: int) -> bool:
    """Check the cases of one op or layer and print its line, with any faults below it; True if there are none."""
    found: list[Comparison] = []
    faults: list[str] = []
    for case in cases:
        try:
            found += case.check(order).worst.values()
        except Exception as error:  # whatever it is, the table continues
            found += [error.worst] if isinstance(error, GradcheckError) and error.worst else []
            faults.append(f"{case}: {type(error).__name__}: {error}")
    errors = [max((c.error for c in found if c.order == n), default=None) for n in range(1, order + 1)]
    shown = ["        -" if e is None else f"{e:>9.1e}" for e in errors]
    print(f"{name:<28}{len(cases):>5}", *shown, "WRONG" if faults else "ok")
    for fault in faults:
        print(textwrap.indent(fault, "    "))
    return not faults
