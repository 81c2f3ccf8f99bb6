"""A program: what a training step computes, as a list of instructions on arrays that each get a value once.

    %3: f32[32, 256] = matmul(%z, G.0.w)
    %4: f32[32, 256] = add(%3, G.0.b)
    ...
    G.0.w := %91

An instruction names an op, its operands and what else it needs (axes, a shape). An op that shares the memory of its
operand is a view. State (weights, an optimiser's moments, running statistics) is read as it was before the step;
`updates` says what it is afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

_WORDS = """
add subtract multiply divide power remainder floor_divide negative absolute sign square sqrt exp expm1 log log1p tanh
sin cos floor ceil rint maximum minimum equal not_equal less less_equal greater greater_equal logical_and logical_or
logical_not logical_xor bitwise_and bitwise_or bitwise_xor invert left_shift right_shift isfinite isnan isinf where
"""
ELEMENTWISE = frozenset(_WORDS.split())  # functions of NumPy by which each element depends on one of each operand
VIEWS = frozenset({"reshape", "transpose", "getitem", "broadcast_to", "bitcast"})
SILENT = frozenset({"input", "state", "constant"})
SOURCES = frozenset({"input", "state", "constant", "full", "number"})
CONVOLUTIONS = frozenset({"conv2d", "conv_transpose2d", "conv2d_weight_grad"})
DRAWS = frozenset({"normal", "uniform", "bernoulli", "integers", "permutation"})
GROUPS = frozenset({"fused", "update", "beside"})  # ops that stand for several instructions


class Value:
    """An array, or a number, that one instruction makes: its shape, its dtype and how it would lie in memory."""

    __slots__ = ("like", "maker", "name", "state")

    def __init__(self, like: np.ndarray, maker: Instruction, name: str = "", state: Value | None = None):
        self.like = like  # an array of this shape, dtype and layout, whose elements mean nothing
        self.maker = maker
        self.name = name
        self.state = state  # the state whose new value it is, for a while or in the end

    @property
    def shape(self) -> tuple[int, ...]:
        return self.like.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.like.dtype

    @property
    def op(self) -> str:
        """The op that makes it."""
        return self.maker.op

    @property
    def root(self) -> Value:
        """The value whose memory it shares: itself, unless it is a view."""
        value = self
        while value.op in VIEWS:
            value = value.maker.operands[0]
        return value

    def __repr__(self) -> str:
        return f"{self.name or hex(id(self))}: {kind(self)}"


@dataclass(eq=False, slots=True)
class Instruction:
    """One step of a program.

    operands: Values, and Python numbers as they stand in the code.  options: what else the op needs, by name.
    results: the Values that it makes: one, or for "call", several numbers.  place: the line of code, if known.
    """

    op: str
    operands: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    results: list[Value] = field(default_factory=list)
    place: Any = None

    @property
    def result(self) -> Value:
        return self.results[0]

    @property
    def values(self) -> Iterator[Value]:
        """The operands that are Values."""
        return (x for x in self.operands if isinstance(x, Value))

    @property
    def body(self) -> list[Instruction]:
        """Of one of the GROUPS: the instructions that it stands for."""
        if self.op == "update":
            products = [term.product for term in self.options["terms"]]
            added = self.options["adder"].body if self.options["adder"] else []
            return [*products, *added, self.options["gradient"].maker, *self.options["loop"].body]
        if self.op == "beside":
            return [member for loop in self.options["loops"] for member in loop.body]
        return self.options["body"]

    def __repr__(self) -> str:
        return text_of(self)


@dataclass(eq=False, repr=False)
class Program:
    """The instructions of a step in order, what it is given, and what it leaves.

    inputs: the arrays of a batch.  updates: for each state that changes, its new value.  outputs: the values that are
    returned.  arrays: the memory of each state and constant.  printer: writes it as text; see printing.py.
    """

    printer: ClassVar[Callable[[Program], str]] = lambda program: "\n".join(map(text_of, program.instructions))

    instructions: list[Instruction]
    inputs: list[Value]
    updates: dict[Value, Value]
    outputs: list[Value]
    arrays: dict[Value, Any]
    name: str = "step"

    def readers(self) -> dict[Value, list[Instruction]]:
        """The instructions that read the memory of each value: views, which read nothing, are left out."""
        found: dict[Value, list[Instruction]] = {}
        for instruction in self.instructions:
            for root in dict.fromkeys(v.root for v in instruction.values if instruction.op not in VIEWS):
                found.setdefault(root, []).append(instruction)
        return found

    def with_instructions(self, instructions: list[Instruction]) -> Program:
        """The same program with other instructions."""
        return replace(self, instructions=instructions)

    def __len__(self) -> int:
        return len(self.instructions)

    def size(self) -> str:
        """How many instructions there are, each alone or fused into a group with others; views cost nothing."""
        groups = len(work(self))
        return f"{operations(self):,} instructions in {groups:,} group{'s' * (groups != 1)}"

    def __str__(self) -> str:
        return self.printer()

    def __repr__(self) -> str:
        return f"<program {self.name}: {len(self)} instructions>"


def work(program: Program) -> list[Instruction]:
    """The instructions that do something: what is there from the beginning is left out, and so are views."""
    return [i for i in program.instructions if i.op not in SILENT and i.op not in VIEWS]


def members(instruction: Instruction) -> list[Instruction]:
    """The instructions that one stands for: itself, unless it is a group."""
    return instruction.body if instruction.op in GROUPS else [instruction]


def operations(program: Program) -> int:
    """How many operations it does, each member of a group counted."""
    return sum(m.op not in VIEWS for i in work(program) for m in members(i))


def number_values(program: Program) -> None:
    """Give every value without a name of its own a number as its name.

    A view of all of a state has the state's name, and its new value this name and a prime.
    """
    final = {value: f"{state.name}'" for state, value in program.updates.items() if value.state is state}
    count = 0
    for instruction in program.instructions:
        for value in dict.fromkeys([*(v for m in members(instruction) for v in m.results), *instruction.results]):
            if value in final:
                value.name = final[value]
            elif is_whole_state(value):
                value.name = value.root.name
            elif value.state is not None or not value.name or value.name.startswith("%"):
                value.name, count = f"%{count}", count + 1


def is_whole_state(value: Value) -> bool:
    """Whether a value is a state in its own shape: the same elements in the same order."""
    while value.op == "reshape":
        value = value.maker.operands[0]
    return value.op == "state"


def kind(value: Value) -> str:
    """dtype and shape, as "f32[32, 784]"."""
    return f"{value.dtype.kind}{8 * value.dtype.itemsize}[{', '.join(map(str, value.shape))}]"


def text_of(instruction: Instruction) -> str:
    """An instruction as a line."""
    made = ", ".join(f"{v.name}: {kind(v)}" for v in instruction.results)
    return f"{made} = {call_of(instruction)}"


def call_of(instruction: Instruction) -> str:
    """What an instruction computes, as "add(%3, G.0.b)"."""
    if instruction.op in GROUPS:
        return f"{instruction.op}({', '.join(v.name or '?' for v in instruction.values)})"
    operands = [_operand(x, instruction) for x in instruction.operands]
    if instruction.op == "call":
        return f"{_short(instruction.options['function'])}({', '.join(operands)})"
    options = [f"{name}={_short(x)}" for name, x in instruction.options.items()]
    return f"{instruction.op}({', '.join([*operands, *options])})"


def _operand(x: Any, reader: Instruction) -> str:
    """An operand by its name, or as a number: a loop has what is the same everywhere as that."""
    if not isinstance(x, Value):
        return _short(x)
    return _short(x.maker.options["value"]) if x.op == "full" and reader.op in ELEMENTWISE else x.name or "?"


def _short(x: Any) -> str:
    if isinstance(x, (float, np.floating)):
        return f"{x:.6g}"
    if isinstance(x, tuple):
        return f"({', '.join(map(_short, x))}{',' * (len(x) == 1)})"
    if isinstance(x, slice):
        bounds = ["" if end is None else str(end) for end in (x.start, x.stop)]
        return ":".join([*bounds, *([] if x.step is None else [str(x.step)])])
    name = getattr(x, "__qualname__", None) or getattr(x, "name", None)
    return name if isinstance(name, str) and name else repr(x) if isinstance(x, (int, str)) else str(x)
