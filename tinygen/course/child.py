"""The process in which a student's file runs: it gets inputs, sends answers back, and decides nothing.

Run as a script, `python -I -u child.py`, with NumPy alone, so that it works without tinygen. A line of JSON on standard
input is the request; a line of JSON on standard output answers each of its jobs. Arrays cross as bytes, never as
pickles. Before any of the student's lines run, the process gives up, where the system allows it, its user, the file
system, new files and sockets, and new processes (see `give_up_rights`).
"""

from __future__ import annotations

import base64
import ctypes
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from itertools import chain
from types import ModuleType
from typing import Any

MODULES = """
    abc collections collections.abc copy dataclasses enum fractions functools heapq itertools math numbers operator
    random re statistics string textwrap time typing warnings __future__
    numpy numpy.linalg numpy.random numpy.fft numpy.lib.stride_tricks numpy.typing
"""  # what any student's file may import; nothing else can be loaded once the file system is gone
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000


def encode(value: Any) -> Any:
    """A value as JSON: None, bool, int, float, str, lists, dicts, and arrays of numbers as their bytes."""
    import numpy as np

    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind in "biuf":
        array = np.array(value, copy=True, subok=False, order="C")
        return {"array": [array.dtype.str, array.shape, base64.b64encode(array.tobytes()).decode()]}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[str(name), encode(item)] for name, item in value.items()]}
    return {"other": type(value).__name__}


def decode(value: Any) -> Any:
    """What `encode` has encoded. Raises ValueError, TypeError or KeyError if it is anything else."""
    import numpy as np

    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        kind, shape, data = value["array"]
        dtype = np.dtype(kind)
        if dtype.kind not in "biuf":
            raise ValueError(f"an array of {dtype}")
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if "dict" in value:
        return {str(name): decode(item) for name, item in value["dict"]}
    return Other(str(value["other"]))


class Other:
    """A value of a type that does not cross: only the name of its type is known."""

    def __init__(self, name: str):
        self.name = name


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    request = json.loads(sys.stdin.readline())
    _turn_aside()
    if request["isolated"]:
        _leave_processes()
    sys.path.insert(0, request["path"])
    for name in [*MODULES.split(), *request["modules"]]:
        importlib.import_module(name)
    if request["isolated"]:
        give_up_rights(request["limits"], request["jail"], request["user"])
    sys.path.clear()
    sys.meta_path[:] = [_Refusal()]
    for answer in chain(["ready"], _answers(request)):  # without "ready", it is not the student's fault
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)  # threads and exit handlers of the student's file don't keep the process


def _answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer to each job: {"value": ...}, or {"error": its type, "line": where in the file, "text": ...}."""
    name = request["name"]
    try:
        piece = _module(name, f"{name}.py", request["source"])
        probes = _module("probes", "probes.py", request["probes"])
    except BaseException as error:
        yield from [_described(error, f"{name}.py")] * len(request["jobs"])
        return
    for job in request["jobs"]:
        try:
            inputs = {name: decode(value) for name, value in job["inputs"].items()}
            yield {"value": encode(getattr(probes, job["probe"])(piece, **inputs))}
        except BaseException as error:  # SystemExit, too
            yield _described(error, f"{name}.py")


def _module(name: str, file: str, source: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(compile(source, file, "exec"), module.__dict__)
    return module


def _described(error: BaseException, file: str) -> dict[str, Any]:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    try:
        text = str(error)[:300]
    except BaseException:  # of a class of the student's
        text = ""
    return {"error": type(error).__name__, "line": lines[-1] if lines else None, "text": text}


class _Refusal:
    """Instead of the finders of modules: says what may be imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        raise ImportError(f"import {name}: a piece may import NumPy and math, random, itertools and the like")


def _turn_aside() -> None:
    """What the student's file prints goes to standard error, not among the answers; nothing is left to read."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)


def _leave_processes() -> None:
    """Where another user can't be taken: a user and process namespace of its own, in which no other process is seen."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0:
        raise SystemExit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    if child := os.fork():  # the first process of the new namespace is a child
        os.waitpid(child, 0)
        os._exit(0)


def give_up_rights(limits: dict[str, int], jail: str, user: int) -> None:
    """No files, no sockets, no processes, another user: what remains is to compute.

    An empty root folder hides the file system. A limit of no open files leaves those that are open and forbids every
    new one: a file, a pipe, a socket. A limit of no processes forbids fork to any user but root, who is left before.
    """
    import resource

    os.chroot(jail)
    os.chdir("/")
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    else:  # root of a namespace: its rights go, too
        libc = ctypes.CDLL(None, use_errno=True)
        header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        if libc.capset(header, none) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    for name, limit in [*limits.items(), ("NOFILE", 0), ("NPROC", 0), ("FSIZE", 0), ("CORE", 0)]:
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))


if __name__ == "__main__":
    main()
