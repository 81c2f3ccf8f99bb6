"""What a run measured, as rows of numbers by name: a list of dicts in a tenth of the memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np


class Rows(Sequence[dict[str, Any]]):
    """Dicts with a "step" and numbers under any other names, as metrics.jsonl holds them.

    Rows with the same names share a table of float64, so that a long run takes 8 bytes a number and the values of a
    name are available as an array. A row with anything but floats and ints below 2**53 is kept as it is.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()):
        self._table_of: dict[tuple[tuple[str, type], ...], int] = {}  # which table has columns of these names and types
        self._tables: list[tuple[tuple[tuple[str, type], ...], array[float]]] = []
        self._odd: list[dict[str, Any]] = []
        self._table, self._place = array("i"), array("q")  # where each row is; its table is -1 if it is odd
        for row in rows:
            self.append(row)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        table, kept = -1, self._odd
        if all(type(x) is float or (type(x) is int and abs(x) < 2**53) for x in row.values()):
            columns = tuple((name, type(x)) for name, x in row.items())
            table = self._table_of.setdefault(columns, len(self._tables))
            if table == len(self._tables):
                self._tables.append((columns, array("d")))
            values = self._tables[table][1]
            self._place.append(len(values))
            values.extend(row.values())
        else:
            self._place.append(len(kept))
            kept.append(dict(row))
        self._table.append(table)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """Rows as they are, or made from an iterable of dicts."""
        return rows if isinstance(rows, Rows) else cls(rows)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: Any) -> Any:
        where = range(len(self))[index]
        return [self._row(i) for i in where] if isinstance(where, range) else self._row(where)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return repr(list(self))

    def names(self) -> list[str]:
        """The names that have a number in some row."""
        tables = (name for columns, _ in self._tables for name, _ in columns)
        odd = (name for row in self._odd for name, x in row.items() if isinstance(x, (int, float)))
        return list(dict.fromkeys([*tables, *odd]))

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The number under a name in each row, NaN where there is none, and which rows have one.

        float64 and bool, one element per row.
        """
        table = np.array(self._table, np.int32)
        values, present = np.full(len(self), np.nan), np.zeros(len(self), bool)
        for i, (columns, flat) in enumerate(self._tables):
            names = [column for column, _ in columns]
            if name in names:
                rows = table == i
                values[rows], present[rows] = np.array(flat).reshape(-1, len(names))[:, names.index(name)], True
        for row in np.flatnonzero(table == -1).tolist():
            x = self._row(row).get(name)
            if isinstance(x, (int, float)):
                values[row], present[row] = x, True
        return values, present

    def _row(self, i: int) -> dict[str, Any]:
        table, place = self._table[i], self._place[i]
        if table == -1:
            return dict(self._odd[place])
        columns, values = self._tables[table]
        return {name: kind(values[place + i]) for i, (name, kind) in enumerate(columns)}


def outline(values: np.ndarray, most: int) -> np.ndarray:
    """The indices, in order, of at most so many values that keep the shape of their curve; all if there are no more.

    They are the first, the last, and of each of equal stretches the lowest, the highest and, if it has one, a value
    that is not finite: so every spike is kept.
    """
    if len(values) <= most:
        return np.arange(len(values))
    size = -(-len(values) // max((most - 2) // 3, 1))
    stretches = np.pad(values, (0, -len(values) % size), "edge").reshape(-1, size)
    finite = np.isfinite(stretches)
    found = [np.argmin(np.where(finite, stretches, np.inf), 1), np.argmax(np.where(finite, stretches, -np.inf), 1)]
    indices = np.concatenate([np.arange(len(stretches)) * size + i for i in (*found, np.argmin(finite, 1))])
    return np.unique(np.concatenate([[0, len(values) - 1], indices.clip(max=len(values) - 1)]))
