"""What can befall a file: of its bytes, of the JSON or the tensors in it, and of what stands in its place."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygen.train import checkpoint

Rng = np.random.Generator
Damage = Callable[[Rng, Path], None]


def pick(rng: Rng, choices: Any) -> Any:
    """One of a list."""
    return choices[rng.integers(len(choices))]


def on_bytes(change: Callable[[Rng, bytearray], bytes]) -> Damage:
    def damage(rng: Rng, path: Path) -> None:
        path.write_bytes(change(rng, bytearray(path.read_bytes())))

    return damage


# Bytes


def flipped(rng: Rng, data: bytearray) -> bytes:
    for i in rng.integers(0, len(data), rng.integers(1, 9)):
        data[i] ^= 1 << rng.integers(8)
    return data


def span(rng: Rng, data: bytes) -> slice:
    a, b = sorted(rng.integers(0, len(data) + 1, 2))
    return slice(a, b)


def zeroed(rng: Rng, data: bytearray) -> bytes:
    where = span(rng, data)
    data[where] = bytes(where.stop - where.start)
    return data


def doubled(rng: Rng, data: bytearray) -> bytes:
    where = span(rng, data)
    return data[: where.stop] + data[where] + data[where.stop :]


def without(rng: Rng, data: bytearray) -> bytes:
    del data[span(rng, data)]
    return data


def noisy(rng: Rng, data: bytearray) -> bytes:
    where = span(rng, data)
    data[where] = rng.bytes(where.stop - where.start)
    return data


BYTES = {
    "bits flipped": on_bytes(flipped),
    "truncated": on_bytes(lambda rng, data: data[: rng.integers(len(data))]),
    "zeros in it": on_bytes(zeroed),
    "a part twice": on_bytes(doubled),
    "a part missing": on_bytes(without),
    "noise in it": on_bytes(noisy),
    "noise after it": on_bytes(lambda rng, data: data + rng.bytes(rng.integers(1, 99))),
    "empty": on_bytes(lambda rng, data: b""),
    "not UTF-8": on_bytes(lambda rng, data: data.replace(b"a", b"\xff", 1)),
    "a byte-order mark": on_bytes(lambda rng, data: b"\xef\xbb\xbf" + data),
    "UTF-16": on_bytes(lambda rng, data: data.decode("latin-1").encode("utf-16")),
}


# What stands in its place


def in_its_place(make: Callable[[Path], Any]) -> Damage:
    def damage(rng: Rng, path: Path) -> None:
        path.unlink()
        make(path)

    return damage


PLACES = {
    "missing": in_its_place(lambda path: None),
    "a directory": in_its_place(Path.mkdir),
    "a pipe": in_its_place(os.mkfifo),
    "a link to itself": in_its_place(lambda path: path.symlink_to(path.name)),
    "a link to nothing": in_its_place(lambda path: path.symlink_to("nothing")),
    "a device": in_its_place(lambda path: path.symlink_to("/dev/zero")),
    "unreadable": lambda rng, path: path.chmod(0),
}


# JSON

OTHERS = [
    *(None, True, -1, 0, 1.5, 10**400, float("inf"), float("nan"), "", "text", "4", [], {}, [[]]),
    *({"step": 1}, [1, 2, 3], "\ud800", "\0", "x" * 100_000, [0] * 10_000, -(2**63), 2**64, "../../etc", {"": None}),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, key) of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pair for key, v in items for pair in ((value, key), *places(v))]


def another_value(rng: Rng, value: Any) -> Any:
    container, key = pick(rng, places(value))
    container[key] = pick(rng, OTHERS)
    return value


def without_a_key(rng: Rng, value: Any) -> Any:
    container, key = pick(rng, places(value))
    del container[key]
    return value


def with_more(rng: Rng, value: Any) -> Any:
    container, _ = pick(rng, places(value))
    container.update(unknown=1) if isinstance(container, dict) else container.append(pick(rng, OTHERS))
    return value


def deeper(rng: Rng, value: Any) -> Any:
    container, key = pick(rng, places(value))
    container[key] = "DEEP"
    return value


CHANGES = {
    "another value": another_value,
    "a key missing": without_a_key,
    "one key more": with_more,
    "nested deep": deeper,
    "another kind": lambda rng, value: pick(rng, OTHERS),
    "a list around it": lambda rng, value: [value],
}


def text_of(value: Any) -> bytes:
    return json.dumps(value).replace('"DEEP"', "[" * 50_000 + "]" * 50_000).encode()


def on_json(change: Callable[[Rng, Any], Any]) -> Damage:
    def damage(rng: Rng, path: Path) -> None:
        path.write_bytes(text_of(change(rng, json.loads(path.read_bytes()))))

    return damage


def on_a_row(change: Callable[[Rng, Any], Any]) -> Damage:
    def damage(rng: Rng, path: Path) -> None:
        lines = path.read_bytes().splitlines()
        i = rng.integers(len(lines))
        lines[i] = text_of(change(rng, json.loads(lines[i])))
        path.write_bytes(b"\n".join(lines) + b"\n")

    return damage


JSON = {name: on_json(change) for name, change in CHANGES.items()}
ROWS = {name: on_a_row(change) for name, change in CHANGES.items()}


# safetensors: the length of a header, the header, which is JSON, and the tensors


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    n = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def with_header(header: Any, tensors: bytes, length: int | None = None) -> bytes:
    text = text_of(header)
    return struct.pack("<Q", len(text) if length is None else length) + text + tensors


def on_header(change: Callable[[Rng, Any], Any]) -> Damage:
    def damage(rng: Rng, path: Path) -> None:
        header, tensors = header_of(path.read_bytes())
        path.write_bytes(with_header(change(rng, header), tensors))

    return damage


def of_a_tensor(key: str, choices: Any) -> Damage:
    def change(rng: Rng, header: Any) -> Any:
        header[pick(rng, [name for name in header if name != "__metadata__"])][key] = pick(rng, choices)
        return header

    return on_header(change)


def long_header(rng: Rng, data: bytearray) -> bytes:
    return struct.pack("<Q", pick(rng, [0, 1, 2**20, 2**31, 2**63, 2**64 - 1])) + data[8:]


def on_content(change: Callable[[Rng, dict[str, Any], dict[str, Any]], Any]) -> Damage:
    """Of the tensors and facts of a checkpoint, whose checksum is then made right again."""

    def damage(rng: Rng, path: Path) -> None:
        tensors, facts = checkpoint.load(path)
        change(rng, tensors, facts)
        checkpoint.save(path, tensors, facts)

    return damage


def on_tensor(change: Callable[[Rng, np.ndarray], np.ndarray]) -> Damage:
    def one(rng: Rng, tensors: dict[str, Any], facts: dict[str, Any]) -> None:
        name = pick(rng, sorted(tensors))
        tensors[name] = change(rng, tensors[name])

    return on_content(one)


def on_fact(change: Callable[[Rng, Any], Any]) -> Damage:
    return on_content(lambda rng, tensors, facts: change(rng, facts))


SAFETENSORS = {
    "another header": on_header(another_value),
    "a key of the header missing": on_header(without_a_key),
    "a header that is no object": on_header(lambda rng, header: pick(rng, OTHERS)),
    "another dtype": of_a_tensor("dtype", ["F64", "I8", "BF16", "F8_E5M2", "X", "", None]),
    "another shape": of_a_tensor("shape", [[], [0], [2**40, 2**40], [-1], "4", [1.5], None]),
    "offsets that overlap": of_a_tensor("data_offsets", [[0, 0], [0, 8], [8, 0], [-8, 0], [0, 2**63], []]),
    "a header of another length": on_bytes(long_header),
    "a tensor missing": on_content(lambda rng, tensors, facts: tensors.pop(pick(rng, sorted(tensors)))),
    "a tensor more": on_content(lambda rng, tensors, facts: tensors.update(more=np.zeros(3))),
    "a tensor of another size": on_tensor(lambda rng, x: np.zeros((*x.shape, 2), x.dtype)),
    "a tensor without elements": on_tensor(lambda rng, x: x[..., :0] if x.ndim else x.reshape(1)[:0]),
    "a tensor of another dtype": on_tensor(lambda rng, x: x.astype(pick(rng, ["f8", "i4", "u1", "bool", "f2"]))),
    "a tensor of NaN": on_tensor(lambda rng, x: np.full(x.shape, np.nan, np.float32)),
    "a tensor of huge numbers": on_tensor(lambda rng, x: np.full(x.shape, 3e38, np.float32)),
    "another fact": on_fact(another_value),
    "a fact missing": on_fact(without_a_key),
}
