"""Parquet: one file, or a folder of files read in the order of their names."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from serinus_jobs.errors import JobError
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk, check_columns, temporary_beside

# pandas' own integers and booleans have no null, and would turn into floats and objects where one stands.
NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class ParquetSource:
    """A Parquet file or folder as a Source."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._files = _files(path)

    def columns(self) -> tuple[str, ...]:
        """Return the columns, the same in every file."""
        found = [tuple(_open(path).schema_arrow.names) for path in self._files]
        for path, names in zip(self._files, found, strict=True):
            if names != found[0]:
                raise JobError(f"{path}: has columns {', '.join(names)}; {self._files[0]} has others")
        check_columns(found[0], self.name)
        return found[0]

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield rows with the files' own types (integers and booleans nullable)."""
        first = 1
        for path in self._files:
            try:
                for batch in _open(path).iter_batches(batch_size=rows):
                    frame = batch.to_pandas(types_mapper=NULLABLE.get)
                    frame.index = pd.RangeIndex(len(frame))
                    yield Chunk(first, frame, {})
                    first += len(frame)
            except (pa.ArrowException, OSError) as error:
                raise JobError(f"{path}: damaged after row {first - 1}: {_line(error)}") from None

    def fingerprint(self) -> str:
        """Return a SHA-256 over the files' names and bytes."""
        digest = hashlib.sha256()
        for path in self._files:
            with path.open("rb") as file:
                digest.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    root = path.resolve()
    files = sorted(found for found in path.rglob("*.parquet") if not found.name.startswith("."))
    if not files:
        raise JobError(f"{path}: holds no .parquet file")
    for file in files:
        if not file.resolve().is_relative_to(root):
            raise JobError(f"{file}: leads out of {path}; copy the file instead of linking it")
    return files


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise JobError(f"{path}: not a readable Parquet file ({_line(error)}); write it again") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


class ParquetSink:
    """Writes a Parquet file beside its place and renames it there on `publish`.

    The columns' types are those of the first chunk.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._temporary = temporary_beside(path)
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Append one row group."""
        if self._writer is None:
            schema = pa.Schema.from_pandas(frame, preserve_index=False).remove_metadata()
            # A column of nulls alone has no type of its own; text can hold whatever comes later.
            fields = [f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in schema]
            self._writer = pq.ParquetWriter(self._temporary, pa.schema(fields))
        try:
            table = pa.Table.from_pandas(frame, schema=self._writer.schema, preserve_index=False, safe=True)
        except (pa.ArrowException, TypeError) as error:
            raise JobError(f"{self._path}: a column changes its type between rows: {_line(error)}") from None
        self._writer.write_table(table)

    def publish(self) -> None:
        """Make the file appear under its name, complete."""
        if self._writer is None:
            raise JobError(f"{self._path}: nothing was written")
        self._writer.close()
        self._temporary.replace(self._path)

    def discard(self) -> None:
        """Remove what was written. Safe after `publish`."""
        if self._writer is not None:
            self._writer.close()
        self._temporary.unlink(missing_ok=True)
