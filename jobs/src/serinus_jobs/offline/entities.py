"""Label rows (Feast's entity frame) of any accepted form, as Arrow with one time column in UTC."""

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from serinus_jobs.errors import JobError
from serinus_jobs.offline.engine import table
from serinus_jobs.offline.sql import AT, ROW

TIME = "event_timestamp"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_sql(query: str, opened: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rows of a query, for example over read_parquet(...), as `as_arrow` would."""
    return as_arrow(table(opened, query, "the SQL of the label rows"))


def as_arrow(rows: pd.DataFrame | pa.Table) -> pa.Table:
    """Return the label rows as Arrow. Times without a zone are taken as UTC."""
    if isinstance(rows, pd.DataFrame):
        rows = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz != "UTC":
            zoned = pa.timestamp(field.type.unit, tz="UTC")
            rows = rows.set_column(i, field.name, rows.column(i).cast(zoned))
    return rows


def time_column(rows: pa.Table) -> str:
    """Return the label rows' time column: `event_timestamp`, else the only one of that type."""
    times: list[str] = [field.name for field in rows.schema if pa.types.is_timestamp(field.type)]
    if TIME in times:
        return TIME
    if len(times) == 1:
        return times[0]
    raise JobError(
        f"label rows: need a timestamp column {TIME!r}, or just one timestamp column; found "
        + (", ".join(times) or "none")
    )


def keyed(rows: pa.Table, keys: list[str], time: str) -> pa.Table:
    """Return what a join needs of the label rows: keys, running number, time in nanoseconds."""
    missing = [key for key in keys if key not in rows.column_names]
    if missing:
        raise JobError(
            f"label rows: no column {missing[0]!r} to join by; there are {', '.join(rows.column_names)}"
        )
    narrow = rows.select(keys)
    narrow = narrow.append_column(ROW, pa.array(np.arange(rows.num_rows)))
    return narrow.append_column(AT, _nanoseconds(rows, time))


def span(rows: pa.Table, time: str) -> tuple[datetime, datetime]:
    """Return bounds of the label times, widened to whole microseconds. Raises JobError when there are
    no rows, or rows without a time."""
    if rows.num_rows == 0:
        raise JobError("label rows: there are none, so there is nothing to join")
    missing = rows.column(time).null_count
    if missing:
        raise JobError(f"label rows: {missing} have no {time!r}; drop or fill them")
    bounds = pc.min_max(_nanoseconds(rows, time)).as_py()
    low, high = bounds["min"] // 1000, -(-bounds["max"] // 1000)
    return _EPOCH + timedelta(microseconds=low), _EPOCH + timedelta(microseconds=high)


def _nanoseconds(rows: pa.Table, time: str) -> pa.ChunkedArray:
    return rows.column(time).cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64())
