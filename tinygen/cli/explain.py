"""Explain a formula: its tape, with every derivative and number.

The formula has numbers, variables, + - * / **, comparisons and ops such as sigmoid(x), all of them in float64; a
variable without a value gets one.

examples:
  tinygen explain "sigmoid(w*x + b)" w=2 x=-1 b=0.5
  tinygen explain "log(1 + exp(x))" x=3 --svg tape.svg
  tinygen explain "where(x > 0, x, 0.2*x)" x=-1
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..files import check_place, writing
from ..tables import cell, table
from .arguments import Parser, path
from .codes import OK

if TYPE_CHECKING:
    from ..graph import Explanation


def add_arguments(command: Parser) -> None:
    command.add_argument("expression", metavar="EXPRESSION", help="the formula, in quotes")
    command.add_argument("values", metavar="KEY=VALUE", nargs="*", default=[], help="values of its variables")
    command.add_argument("--svg", type=path, metavar="FILE", help="draw the tape as an SVG file, too")


def run(args: argparse.Namespace) -> int:
    from ..graph import explain

    if args.svg and Path(args.svg).suffix != ".svg":
        raise ConfigError(f"--svg {args.svg}: the picture is an SVG file, so its name must end in .svg")
    if args.svg:
        check_place(args.svg, option="--svg")
    given = dict[str, float]()
    for name, value in map(_variable, args.values):
        if name in given:
            raise ConfigError(f"{name} is given twice, as {given[name]:g} and {value:g}; give it once")
        given[name] = value
    found = explain(args.expression, given)
    values = [f"{name} = {value:g}{'' if name in given else ' (chosen)'}" for name, value in found.given.items()]
    print(f"{args.expression}   with {', '.join(values)}\n")
    print(table([("step", "value", "gradient", "to", "rule", "local", "passes on"), *_steps(found)]))
    print(
        "\nRead down for the values. Then up for the gradients, d(result)/d(step); gv1 is that of v1. Each step passes"
        "\nwhat arrives at it, times its local derivative, on to its inputs, where all that arrives is summed."
    )
    for name, text in {name: text for step in found.steps for name, text in step.helpers.items()}.items():
        print(f"{name}: {text}")
    if args.svg:
        with writing(args.svg, option="--svg"):
            found.picture.save(args.svg)
        print(f"\n{args.svg}")
    return OK


def _variable(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if equals and name.isidentifier():
            return name, float(value)
    except ValueError:
        pass
    raise ConfigError(f"{text!r}: expected a variable and its value, such as x=0.5")


def _steps(found: Explanation) -> Iterator[tuple[str, ...]]:
    """A line for each step, and one for each further input."""
    for step in found.steps:
        own = (
            step.name if step.name == step.text else f"{step.name} = {step.text}",
            cell(step.value),
            cell(step.gradient),
        )
        passed = [x.derivative * (step.gradient or 0) for x in step.locals]
        inputs = [(x.to, x.rule, cell(x.derivative), cell(g)) for x, g in zip(step.locals, passed, strict=True)]
        yield from ((own if i == 0 else ("", "", "")) + line for i, line in enumerate(inputs or [("",) * 4]))
