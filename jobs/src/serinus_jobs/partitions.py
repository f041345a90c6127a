"""Day partitions of an ingested table, and the quarantine beside it.

    <events>/day=2026-01-31/part-<source>-000.parquet      `day=all` for a table without time
    <quarantine>/part-<source>.jsonl                       {"row": 3, "reasons": [...], "raw": {...}}

Everything is written in a staging folder first and renamed into its place at the end.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from serinus_jobs.errors import JobError
from serinus_jobs.project import Table
from serinus_jobs.tables.source import Chunk

ALL = "day=all"
# Open files at once; an input that jumps between more days gets several parts a day.
_OPEN_WRITERS = 200
_ARROW = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(name, _ARROW[column.type]) for name, column in table.columns.items()])


class PartitionWriter:
    """Spreads rows over the parts of one source, in `staging`."""

    def __init__(self, staging: Path, name: str, table: Table) -> None:
        self.rows = 0
        self.partitions: dict[str, int] = {}
        self._staging = staging / "events"
        self._name = name
        self._time = table.time
        self._schema = _schema(table)
        self._open: dict[str, pq.ParquetWriter] = {}
        self._staging.mkdir()

    def days(self, frame: pd.DataFrame) -> list[str]:
        """Return the partitions that the rows of `frame` belong to, each once, in order."""
        return sorted(self._partition(frame).unique()) if len(frame) else []

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows in their order."""
        for partition, rows in frame.groupby(self._partition(frame), sort=True):
            table = pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
            self._writer(str(partition)).write_table(table.replace_schema_metadata(None))
            self.rows += len(rows)

    def close(self) -> None:
        """Complete all files."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def _partition(self, frame: pd.DataFrame) -> "pd.Series[str]":
        if self._time is None:
            return pd.Series(ALL, index=frame.index)
        # Few different days, so that only those are put into words.
        codes, days = pd.factorize(frame[self._time].dt.floor("D"))
        names = np.array([f"day={day:%Y-%m-%d}" for day in days], dtype=object)
        return pd.Series(names[codes], index=frame.index, dtype=object)

    def _writer(self, partition: str) -> pq.ParquetWriter:
        if partition not in self._open:
            if len(self._open) >= _OPEN_WRITERS:
                self.close()
            number = self.partitions.get(partition, 0)
            self.partitions[partition] = number + 1
            folder = self._staging / partition
            folder.mkdir(exist_ok=True)
            self._open[partition] = pq.ParquetWriter(
                folder / f"{self._name}-{number:03d}.parquet", self._schema
            )
        return self._open[partition]


class Quarantine:
    """Writes refused rows as JSON lines, in `staging`. Without any there is no file."""

    def __init__(self, staging: Path, name: str) -> None:
        self.rows = 0
        self._path = staging / f"{name}.jsonl"
        self._file = self._path.open("w", encoding="utf-8")

    def write(self, chunk: Chunk, reasons: dict[int, list[str]]) -> None:
        """Append the rows of `chunk` that `reasons` names by position."""
        for position in sorted(reasons):
            raw = {str(k): _plain(v) for k, v in chunk.frame.iloc[position].to_dict().items()}
            line = {"row": chunk.first + position, "reasons": reasons[position], "raw": raw}
            self._file.write(json.dumps(line) + "\n")
        self.rows += len(reasons)

    def close(self) -> None:
        """Complete the file, or remove it where it is empty."""
        self._file.close()
        if not self.rows:
            self._path.unlink()


def check_stored(events: Path, name: str, table: Table) -> None:
    """Raise JobError if other sources' parts have other columns or types than `table` declares."""
    expected = _schema(table)
    for path in sorted(events.glob("day=*/part-*.parquet")):
        if not path.name.startswith(f"{name}-"):
            if not pq.read_schema(path).equals(expected):
                raise JobError(
                    f"{events}: holds rows of another declaration (see {path.name}); give one of the two "
                    "tables another name, or move the folder away and ingest its sources again"
                )
            return


def stored_keys(
    events: Path, name: str, table: Table, days: Iterable[str], *, first: bool
) -> Iterator[pd.DataFrame]:
    """Yield the key columns of rows that other sources brought and that could repeat a key.

    Where the time is part of the key, only the named `days` can; else all partitions are read, at the
    `first` call.
    """
    if table.time is not None and table.time not in table.unique:
        days = [folder.name for folder in events.glob("day=*")] if first else []
    for day in sorted(days):
        for path in sorted((events / day).glob("part-*.parquet")):
            if not path.name.startswith(f"{name}-"):
                found = pq.read_table(path, columns=list(table.unique), partitioning=None)
                yield found.to_pandas(types_mapper=_TYPES.get)


# As parsing.DTYPES, so that a key read back hashes as it did when it came.
_TYPES = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype(),
}


def publish(staging: Path, events: Path, quarantine: Path, name: str) -> Path | None:
    """Rename the staged files into their places; return the quarantine file, if there is one.

    Refused rows come first: a crash on the way never loses one silently. What an earlier run of the same
    source (with another declaration) left, and this one did not write, is removed.
    """
    refused = quarantine / f"{name}.jsonl"
    if (staging / refused.name).exists():
        quarantine.mkdir(parents=True, exist_ok=True)
        os.replace(staging / refused.name, refused)
    else:
        refused.unlink(missing_ok=True)
    staged = {path.relative_to(staging / "events") for path in (staging / "events").glob("day=*/*.parquet")}
    for relative in sorted(staged):
        (events / relative).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / "events" / relative, events / relative)
    for path in events.glob(f"day=*/{name}-*.parquet"):
        if path.relative_to(events) not in staged:
            path.unlink()
    return refused if refused.exists() else None


def _plain(value: Any) -> Any:
    if value is None or (not isinstance(value, str | bytes) and pd.isna(value)):
        return None
    if isinstance(value, bool | int | float | str):
        return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)
    item = getattr(value, "item", None)
    return _plain(item()) if callable(item) else str(value)
