"""A digest of a table's content: the same rows in any order and any chunks give the same digest.

Each row is hashed to two 64-bit numbers (pandas' vectorised hash under two keys), the numbers are
added up, and the sums, the count and the columns go through SHA-256. Adding rows up is what makes the
order not matter; it finds any change that happens, not one that is crafted to stay unseen.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

_WORD = 1 << 64
_KEYS = ("serinus-row-hash", "serinus-row-mark")


def row_hashes(frame: pd.DataFrame) -> "np.ndarray[tuple[int, int], np.dtype[np.uint64]]":
    """Return [rows, 2] of uint64: 128 bits for each row's values, its index left out."""
    plain = frame.reset_index(drop=True)
    return np.column_stack(
        [pd.util.hash_pandas_object(plain, index=False, hash_key=key).to_numpy() for key in _KEYS]
    )


def row_sum(frame: pd.DataFrame) -> int:
    """Return the sum of the rows' hashes, 128 bits: the same for the same rows in any order.

    Sums of parts, added up by `added`, are the sum of the whole; a row that is lost or doubled shows.
    """
    high, low = row_hashes(frame).sum(axis=0, dtype=np.uint64).tolist()
    return int(high << 64 | low)


def added(sums: Iterable[int]) -> int:
    """Return the sum of `row_sum`s."""
    high = low = 0
    for each in sums:
        high, low = (high + (each >> 64)) % _WORD, (low + each) % _WORD
    return high << 64 | low


class TableDigest:
    """Takes a table in chunks."""

    def __init__(self) -> None:
        self.rows = 0
        self._sums = np.zeros(2, dtype=np.uint64)
        self._columns: list[str] | None = None

    def update(self, frame: pd.DataFrame) -> None:
        """Add the rows of `frame`. All chunks have the same columns and types."""
        if self._columns is None:
            self._columns = list(frame.columns)
        assert self._columns == list(frame.columns), "chunks of one table have the same columns"
        self.rows += len(frame)
        if len(frame):
            # Unsigned overflow is wanted here: the sums are modulo 2^64.
            self._sums = self._sums + row_hashes(frame).sum(axis=0, dtype=np.uint64)

    def hexdigest(self) -> str:
        """Return the SHA-256 in hex of what was added so far."""
        text = f"{self._columns}|{self.rows}|{self._sums[0]}|{self._sums[1]}"
        return hashlib.sha256(text.encode()).hexdigest()
