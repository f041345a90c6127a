"""A window of the collected prediction log, read from its Parquet files.

Layout and columns: serinus_contracts.records. Days are UTC, so only the window's days are opened.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serinus_contracts.records import LOG_COLUMNS
from serinus_jobs.errors import JobError

_TYPES = {
    "string": pa.string(),
    "json": pa.string(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "list<double>": pa.list_(pa.float64()),
    "list<string>": pa.list_(pa.string()),
}
LOG_SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in LOG_COLUMNS])
_LONGEST = 3700 * 86400.0
_LATEST = 1e11


def read_window(
    log: Path, start: float, end: float, columns: Sequence[str], revision: str | None = None
) -> pd.DataFrame:
    """Return the log's rows with `start <= at < end` (Unix seconds), `columns` only, by `at`.

    A prediction id that one revision logged twice (a retried request) counts once, the later. Raises
    JobError for an empty window and for a file that cannot be read.
    """
    if not start < end:
        raise JobError(f"the window is empty: start {start:.0f} is not before end {end:.0f} (Unix seconds)")
    if start < 0 or end > _LATEST or end - start > _LONGEST:
        raise JobError(f"the window {start:.0f} to {end:.0f} is too long or out of range; write Unix seconds")
    wanted = list(dict.fromkeys([*columns, "at", "revision", "prediction_id"]))
    parts = [LOG_SCHEMA.empty_table().select(wanted)]
    for path in _files(log, start, end, revision):
        table = _read(path, wanted)
        inside = pc.and_(pc.greater_equal(table.column("at"), start), pc.less(table.column("at"), end))
        parts.append(table.filter(inside))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    frame = frame.sort_values(["at", "prediction_id"], kind="stable")
    return frame.drop_duplicates(["revision", "prediction_id"], keep="last").reset_index(drop=True)


def _files(log: Path, start: float, end: float, revision: str | None) -> Iterator[Path]:
    first, last = datetime.fromtimestamp(start, UTC).date(), datetime.fromtimestamp(end, UTC).date()
    for offset in range((last - first).days + 1):
        day = log / f"day={first + timedelta(days=offset)}"
        yield from sorted(day.glob(f"revision={revision or '*'}/*.parquet"))


def _read(path: Path, columns: list[str]) -> pa.Table:
    schema = pa.schema([LOG_SCHEMA.field(name) for name in columns])
    try:
        # One file, not a dataset: the folder names would come back as columns.
        return pq.ParquetFile(path).read(columns=columns).select(columns).cast(schema)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise JobError(f"{path}: is no prediction log: {error}; collect the log again") from None
