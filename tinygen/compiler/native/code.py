"""Machine code for this machine from LLVM's language, kept on disk.

What is compiled depends on the text, the processor and LLVM alone: addresses and sizes are no part of it, so that one
file serves every run. A cache that can't be read or written costs time and nothing else.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from ...files import code_dir

if [int(part) for part in llvmlite.__version__.split(".")[:2]] < [0, 45]:  # pointers were of many types
    raise ImportError(
        f"compiled steps need llvmlite 0.45 or newer, as Numba 0.62 brings it, not {llvmlite.__version__}"
    )


@dataclass
class Work:
    """What has been done in this process: functions compiled, the seconds that took, functions found on disk."""

    compiled: int = 0
    seconds: float = 0.0
    found: int = 0


work = Work()
_turn = threading.RLock()
_addresses: dict[str, int] = {}


def address_of(text: str, name: str = "job") -> int:
    """The address of the function @name of a module, compiled at first use.

    Its other functions, too, have `name` in front of theirs, as job.part: names are made unique by replacing it.
    """
    with _turn:
        key = hashlib.sha256(f"{_host()[1]}\n{text}".encode()).hexdigest()[:32]
        if key not in _addresses:
            unique = f"{name}_{key}"
            machine = _host()[2]
            binary = _read(key)
            if binary is None:
                binary = _compiled(text.replace(f"@{name}", f"@{unique}"), machine)
                _write(key, binary)
            _addresses[key] = _load(unique, binary)
        return _addresses[key]


def _load(name: str, binary: bytes) -> int:
    engine = _host()[3]
    engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    return engine.get_function_address(name)


def _compiled(text: str, machine: Any) -> bytes:
    """An object file with the module's functions, optimised."""
    start = time.perf_counter()
    binary = machine.emit_object(_optimised(text, machine))
    work.compiled += 1
    work.seconds += time.perf_counter() - start
    return binary


def _optimised(text: str, machine: Any) -> Any:
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def assembly(text: str) -> str:
    """What this machine's code for a module looks like: for people."""
    machine = _host()[2]
    return machine.emit_assembly(_optimised(text, machine))


@functools.cache
def _host() -> tuple[str, str, Any, Any]:
    """This machine: its triple, all that its code depends on, LLVM's target, and the engine that holds the code."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, name = llvm.get_process_triple(), llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_triple(triple)
    made = [target.create_target_machine(name, features, opt=3, jit=True, codemodel="jitdefault") for _ in range(2)]
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), made[0])
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # a team's threads are in its code until the process ends
    return triple, f"{triple} {name} {features} {llvmlite.__version__}", made[1], engine


# The cache: a file a module, its checksum in front


def _read(key: str) -> bytes | None:
    with suppress(OSError, RuntimeError):
        content = (code_dir() / f"{key}.o").read_bytes()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            work.found += 1
            return content[32:]
    return None


def _write(key: str, binary: bytes) -> None:
    """Beside it, then renamed: another process may be reading, or writing the same."""
    with suppress(OSError, RuntimeError):
        kept = code_dir()
        kept.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=kept, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(binary).digest() + binary)
            os.replace(name, kept / f"{key}.o")
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
