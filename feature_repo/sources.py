"""Where features are read from: the day partitions that `serinus-jobs ingest` writes."""

import os
from pathlib import Path

from feast import FileSource
from feast.data_format import ParquetFormat


def ingested(table: str) -> FileSource:
    """Return the source of one ingested table (all its days), under SERINUS_DATA.

    event_timestamp says when a row was true, created_timestamp when it became known: a training set as
    of some moment holds neither what happened nor what arrived after it.
    """
    data = Path(os.environ.get("SERINUS_DATA", ".serinus/data")).absolute()
    return FileSource(
        name=table,
        path=str(data / "events" / table / "day=*" / "part-*.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )


customers = ingested("customers")
