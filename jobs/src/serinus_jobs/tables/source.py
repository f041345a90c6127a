"""The two doors of this package: a Source is read, a Sink is written. One file an implementation; `spec.py`
finds the right one."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from serinus_jobs.errors import JobError

CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a source. `first` is the number of its first row, counted from 1 (a CSV's
    header is not counted). `frame` has a RangeIndex; its cells are as the source holds them: text from a
    CSV, typed columns from Parquet, Python objects from SQL. `broken` maps a position to what is
    wrong with the row as a whole; such a row's cells are null where they could not be told apart."""

    first: int
    frame: pd.DataFrame
    broken: dict[int, str]


class Source(Protocol):
    """A table that can be read several times."""

    name: str
    """How messages and results call it; holds no password."""

    def columns(self) -> tuple[str, ...]:
        """Return the column names in order. Raises JobError for what cannot be read as a table."""
        ...

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield all rows in order, at most `rows` at a time."""
        ...

    def fingerprint(self) -> str:
        """Return a SHA-256 in hex that stays the same as long as the content does."""
        ...


class Sink(Protocol):
    """A table that appears whole, by `publish`, or not at all."""

    name: str
    """How messages and results call it; holds no password."""

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows, out of the readers' sight. The columns are the same at each call."""
        ...

    def publish(self) -> None:
        """Make the table appear, in the place of an older one."""
        ...

    def discard(self) -> None:
        """Remove what `write` left behind. Safe to call after `publish`, and twice."""
        ...


def temporary_beside(path: Path) -> Path:
    """Return a hidden name in the folder of `path`, another one at each call: two runs never share it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def check_columns(names: tuple[str, ...], place: str) -> None:
    """Raise JobError for a header without names or with one name twice."""
    if not names:
        raise JobError(f"{place}: is empty; a header with the column names is needed")
    for name in names:
        if not name:
            raise JobError(f"{place}: column {names.index(name) + 1} has no name")
        if names.count(name) > 1:
            raise JobError(f"{place}: column {name!r} stands twice in the header")
