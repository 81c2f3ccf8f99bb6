"""LLVM's language, written with Python's operators: functions that return nothing, from top to bottom.

Loops and conditions are blocks of Python. What changes is a Variable; all else is a Value, written once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .values import BOOL, INT, Value, type_of


class Variable:
    """A number that changes. LLVM keeps it in a register."""

    def __init__(self, code: Code, first: Value):
        self.code, self.dtype, self.place = code, first.dtype, code.room(first.type)
        self.set(first)

    def get(self) -> Value:
        return self.code.emit(self.dtype, f"load {type_of(self.dtype)}, ptr {self.place}")

    def set(self, value: Value) -> None:
        self.code.write(f"store {value.type} {value.text}, ptr {self.place}")


class Module:
    """Functions that are compiled together."""

    def __init__(self) -> None:
        self.functions: list[Code] = []
        self.declarations: dict[str, str] = {}
        self.metadata: list[str] = []

    def function(self, name: str, *parameters: str) -> Code:
        """Begin a function of int64 parameters; their Values are its `parameters`."""
        self.functions.append(Code(self, name, parameters))
        return self.functions[-1]

    def part(self, name: str, *parameters: str) -> Code | None:
        """Begin a function that others call, by call_part; None if there is one of this name."""
        return None if any(f.name == name for f in self.functions) else self.function(name, *parameters)

    def note(self, text: str) -> str:
        """Write a line of metadata, in which {} is the line's own name. Returns the name."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text.format(name)}")
        return name

    def __str__(self) -> str:
        return "\n".join([*map(str, self.functions), *self.declarations.values(), *self.metadata, ""])


class Code:
    """One function of a module while it is written."""

    def __init__(self, module: Module, name: str, parameters: tuple[str, ...]):
        self.module, self.name = module, name
        self.parameters = [Value(self, INT, f"%{p}") for p in parameters]
        self._lines: list[str] = []
        self._rooms: list[str] = []
        self._count = 0
        self._group = ""  # what marks loads and stores in a parallel loop

    def __str__(self) -> str:
        head = f"define void @{self.name}({', '.join(f'i64 {p.text}' for p in self.parameters)}) nounwind {{"
        return "\n".join([head, *self._rooms, *self._lines, "  ret void", "}"])

    # Instructions

    def write(self, text: str) -> None:
        self._lines.append(f"  {text}")

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def emit(self, dtype: Any, text: str) -> Value:
        """Write an instruction that gives a number."""
        name = f"%{self._name()}"
        self.write(f"{name} = {text}")
        return Value(self, np.dtype(dtype), name)

    def constant(self, number: Any, dtype: Any) -> Value:
        dtype = np.dtype(dtype)
        if dtype.kind == "f":  # LLVM writes the bits of a float64, for a float32 too
            bits = struct.unpack("<Q", struct.pack("<d", float(dtype.type(number))))[0]
            return Value(self, dtype, f"0x{bits:016X}")
        if dtype.kind == "b":
            return Value(self, dtype, str(bool(number)).lower())
        type_of(dtype)  # raises ValueError if it has none
        return Value(self, dtype, str(int(number)))

    def _pair(self, a: Any, b: Any) -> tuple[Value, Value]:
        a = a if isinstance(a, Value) else self.constant(a, b.dtype)
        return a, b if isinstance(b, Value) else self.constant(b, a.dtype)

    def binary(self, verb: str, a: Any, b: Any, flags: str = "contract") -> Value:
        a, b = self._pair(a, b)
        if a.dtype.kind == "f":
            verb = f"f{verb} {flags}" if verb in ("add", "sub", "mul") else f"f{verb}"
        elif verb == "div":
            verb = "sdiv" if a.dtype.kind == "i" else "udiv"
        return self.emit(a.dtype, f"{verb} {a.type} {a.text}, {b.text}")

    def compare(self, condition: str, a: Any, b: Any) -> Value:
        a, b = self._pair(a, b)
        if a.dtype.kind == "f":
            verb = f"fcmp {'u' if condition == 'ne' else 'o'}{condition}"
        else:
            sign = "" if condition in ("eq", "ne") else "s" if a.dtype.kind == "i" else "u"
            verb = f"icmp {sign}{condition}"
        return self.emit(BOOL, f"{verb} {a.type} {a.text}, {b.text}")

    def choose(self, condition: Value, a: Any, b: Any) -> Value:
        a, b = self._pair(a, b)
        return self.emit(a.dtype, f"select i1 {condition.text}, {a.type} {a.text}, {b.type} {b.text}")

    def least(self, a: Any, b: Any) -> Value:
        a, b = self._pair(a, b)
        return self.choose(a < b, a, b)

    def call(self, name: str, *values: Value, dtype: Any = None) -> Value:
        """Call a function without effects, such as llvm.sqrt or libm's expm1; its result is of `dtype`."""
        result, how = np.dtype(dtype or values[0].dtype), ""
        if name.startswith("llvm."):
            overloaded = [result] if dtype is None else [result, *(v.dtype for v in values)]
            name += "".join(f".{'f' if d.kind == 'f' else 'i'}{8 * d.itemsize}" for d in overloaded)
        else:
            name, how = name + "f" * (result.itemsize == 4), " nounwind willreturn memory(none)"
        self.module.declarations[name] = f"declare {type_of(result)} @{name}({', '.join(v.type for v in values)}){how}"
        arguments = ", ".join(f"{v.type} {v.text}" for v in values)
        flags = "contract " if result.kind == "f" else ""
        return self.emit(result, f"call {flags}{type_of(result)} @{name}({arguments})")

    def call_at(self, function: Value, *values: Value) -> None:
        """Call a function of int64s by its address."""
        self.write(f"call void {self.pointer(function)}({', '.join(f'i64 {v.text}' for v in values)})")

    def call_part(self, name: str, *values: Value) -> None:
        self.write(f"call void @{name}({', '.join(f'i64 {v.text}' for v in values)}) noinline")

    # Memory

    def pointer(self, address: Value) -> str:
        return self.emit(INT, f"inttoptr i64 {address.text} to ptr").text

    def room(self, type: str, count: int = 1) -> str:
        """Room on the stack for numbers of an LLVM type; its name."""
        name = f"%{self._name()}"
        self._rooms.append(f"  {name} = alloca {type}, i64 {count}, align 64")
        return name

    def array(self, dtype: Any, count: int) -> Value:
        """The address of room on the stack."""
        return self.emit(INT, f"ptrtoint ptr {self.room(type_of(np.dtype(dtype)), count)} to i64")

    def variable(self, first: Any, dtype: Any = INT) -> Variable:
        return Variable(self, first if isinstance(first, Value) else self.constant(first, dtype))

    def _place(self, dtype: np.dtype[Any], address: Value, index: Any) -> tuple[str, str]:
        """The pointer to number `index` from an address on, and its type: a bool takes a byte."""
        type = "i8" if dtype.kind == "b" else type_of(dtype)
        pointer = self.pointer(address)
        if not (isinstance(index, int) and index == 0):
            where = index.text if isinstance(index, Value) else index
            pointer = self.emit(INT, f"getelementptr inbounds {type}, ptr {pointer}, i64 {where}").text
        return pointer, type

    def load(self, dtype: Any, address: Value, index: Any = 0) -> Value:
        dtype = np.dtype(dtype)
        pointer, type = self._place(dtype, address, index)
        value = self.emit(dtype, f"load {type}, ptr {pointer}, align {dtype.itemsize}{self._group}")
        return self.emit(BOOL, f"icmp ne i8 {value.text}, 0") if dtype.kind == "b" else value

    def store(self, value: Value, address: Value, index: Any = 0) -> None:
        pointer, type = self._place(value.dtype, address, index)
        text = self.emit(np.uint8, f"zext i1 {value.text} to i8").text if value.dtype.kind == "b" else value.text
        self.write(f"store {type} {text}, ptr {pointer}, align {value.dtype.itemsize}{self._group}")

    def clear(self, address: Value, size: Value) -> None:
        """Fill some bytes with 0."""
        self.module.declarations["clear"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
        self.write(f"call void @llvm.memset.p0.i64(ptr {self.pointer(address)}, i8 0, i64 {size.text}, i1 false)")

    def arrive(self, address: Value) -> Value:
        """Add 1 to an int64 that several threads count in; gives what was there."""
        return self.emit(INT, f"atomicrmw add ptr {self.pointer(address)}, i64 1 seq_cst")

    # Control

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")

    def jump(self, name: str, note: str = "") -> None:
        self.write(f"br label %{name}{note}")

    def branch(self, condition: Value, then: str, otherwise: str) -> None:
        self.write(f"br i1 {condition.text}, label %{then}, label %{otherwise}")

    @contextmanager
    def loop(self, start: Any, end: Value, step: int = 1, parallel: bool = False, vectors: int = 0) -> Iterator[Value]:
        """Do the block for index = start, start + step, ... before `end`.

        parallel: no turn reads what another writes, so that LLVM may do several at once, in vectors.
        vectors: how many of these at once, if LLVM shall not choose.
        """
        head, body, after = self._name(), self._name(), self._name()
        index = self.variable(start)
        self.jump(head)
        self.label(head)
        i = index.get()
        self.branch(i < end, body, after)
        self.label(body)
        note, before = "", self._group
        if parallel:
            group = self.module.note("distinct !{{}}")
            self._group = f", !llvm.access.group {group}"
            line = self.module.note(f'!{{{{!"llvm.loop.parallel_accesses", {group}}}}}')
            if vectors:
                line += ", " + self.module.note(f'!{{{{!"llvm.loop.interleave.count", i32 {vectors}}}}}')
            note = f", !llvm.loop {self.module.note(f'distinct !{{{{{{}}, {line}}}}}')}"
        yield i
        self._group = before
        index.set(self.emit(INT, f"add nsw nuw i64 {i.text}, {step}"))
        self.jump(head, note)
        self.label(after)

    @contextmanager
    def repeat(self) -> Iterator[Callable[[Value], None]]:
        """Do the block again and again. It is given leave(condition), which ends that."""
        again, after = self._name(), self._name()

        def leave(condition: Value) -> None:
            on = self._name()
            self.branch(condition, after, on)
            self.label(on)

        self.jump(again)
        self.label(again)
        yield leave
        self.jump(again)
        self.label(after)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do the block if the condition holds."""
        then, after = self._name(), self._name()
        self.branch(condition, then, after)
        self.label(then)
        yield
        self.jump(after)
        self.label(after)
