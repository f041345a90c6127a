"""Where the offline reads run: a DuckDB of one read's own, in memory, with limits."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from serinus_jobs.errors import JobError
from serinus_jobs.offline.sql import files


@dataclass(frozen=True)
class Limits:
    """memory: what DuckDB may hold before it spills to `scratch` (a folder; a temporary one when None).
    threads: None takes one a core."""

    memory: str
    scratch: str | None = None
    threads: int | None = None


@contextmanager
def connection(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB under `limits`, in UTC, without its network extensions; close it and its scratch."""
    with tempfile.TemporaryDirectory(prefix="serinus-duckdb-", dir=limits.scratch) as scratch:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": limits.memory,
            "temp_directory": scratch,
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
        }
        if limits.threads:
            options["threads"] = str(limits.threads)
        with duckdb.connect(":memory:", config=options) as opened:
            opened.execute("SET TimeZone = 'UTC'")
            yield opened


def column_types(opened: duckdb.DuckDBPyConnection, view: str, path: str) -> dict[str, str]:
    """Return DuckDB's type of each column of the files. Raises JobError when there are none."""
    try:
        rows = opened.execute(f"DESCRIBE SELECT * FROM {files(path)}").fetchall()  # noqa: S608  quoted
    except duckdb.IOException as error:
        raise JobError(f"feature view {view}: cannot read {path}: {_first_line(error)}") from None
    return {row[0]: row[1] for row in rows}


def table(opened: duckdb.DuckDBPyConnection, query: str, about: str) -> pa.Table:
    """Run `query` and return its rows. Raises JobError naming `about` for what the data does not allow."""
    try:
        return opened.sql(query).to_arrow_table()
    except (duckdb.ConversionException, duckdb.BinderException, duckdb.OutOfMemoryException) as error:
        raise JobError(f"{about}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
