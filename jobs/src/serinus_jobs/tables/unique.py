"""Uniqueness over a whole input, however large: keys of accepted rows in a temporary SQLite file.

A key is 128 bits of hash, so two different keys are taken for one with a probability below 1e-20 for a
billion rows. Memory stays bounded.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from serinus_jobs.tables.digest import row_hashes


class SeenKeys:
    """Remembers which keys were accepted, and by which row."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("CREATE TABLE seen (row INTEGER PRIMARY KEY, key BLOB UNIQUE)")
        self._stored = 0

    def add_stored(self, frame: pd.DataFrame) -> None:
        """Remember the keys of rows that an earlier source brought; they have numbers below zero."""
        first = -self._stored - len(frame)
        self._insert(range(first, first + len(frame)), frame)
        self._stored += len(frame)

    def accept(
        self, frame: pd.DataFrame, numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    ) -> dict[int, str]:
        """Accept the rows whose key is new; return the reasons of the others by position.

        `numbers` are the source's row numbers, ascending, and greater than all before.
        """
        if not len(frame):
            return {}
        rows = [int(number) for number in numbers]
        keys = self._insert(rows, frame)
        query = "SELECT row FROM seen WHERE row BETWEEN ? AND ?"
        accepted = {row for (row,) in self._database.execute(query, (rows[0], rows[-1]))}
        reasons = {}
        for position, row in enumerate(rows):
            if row not in accepted:
                (earlier,) = self._database.execute(
                    "SELECT row FROM seen WHERE key = ?", (keys[position],)
                ).fetchone()
                place = f"row {earlier}" if earlier > 0 else "a row that is already stored"
                reasons[position] = f"{', '.join(self._columns)}: the same as in {place}"
        return reasons

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def _insert(self, rows: Sequence[int], frame: pd.DataFrame) -> list[bytes]:
        keys = [pair.tobytes() for pair in row_hashes(frame[self._columns])]
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", zip(rows, keys, strict=True))
        return keys
