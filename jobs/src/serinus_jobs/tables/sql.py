"""SQL tables through SQLAlchemy: `<URL>#<table>` or, to read only, `<URL>#<SELECT ...>`."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import sqlalchemy as sa

from serinus_jobs.errors import JobError
from serinus_jobs.tables.digest import TableDigest
from serinus_jobs.tables.parquet_files import ParquetSink
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk, check_columns

_QUERY = re.compile(r"(select|with)\s", re.IGNORECASE)


class SqlSource:
    """A table or a query as a Source. Rows of a table come in the order of its primary key."""

    def __init__(self, spec: str) -> None:
        self._url, self._what = _split(spec)
        self.name = f"{self._url.render_as_string(hide_password=True)}#{self._what}"
        database = self._url.database
        # SQLite would make an empty database of a name that is written wrong.
        if self._url.get_backend_name() == "sqlite" and database and not Path(database).is_file():
            raise JobError(f"{self.name}: there is no file {database}")

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the table or query."""
        with self._rows(1) as result:
            names = tuple(map(str, result.keys()))
        check_columns(names, self.name)
        return names

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield rows as Python objects, streamed by the server where it can."""
        with self._rows(rows) as result:
            names = list(result.keys())
            first = 1
            for part in result.partitions(rows):
                columns = list(zip(*part, strict=True))
                frame = pd.DataFrame(
                    {
                        name: pd.Series(column, dtype=object)
                        for name, column in zip(names, columns, strict=True)
                    }
                )
                yield Chunk(first, frame, {})
                first += len(frame)

    def fingerprint(self) -> str:
        """Return a SHA-256 over all rows, whatever their order."""
        digest = TableDigest()
        for chunk in self.chunks():
            digest.update(as_text(chunk.frame))
        return digest.hexdigest()

    @contextmanager
    def _rows(self, rows: int) -> Iterator[sa.CursorResult[Any]]:
        try:
            with engine(self._url) as database, database.connect() as connection:
                if _QUERY.match(self._what):
                    statement: Any = sa.text(self._what)
                else:
                    table = sa.Table(self._what, sa.MetaData(), autoload_with=connection)
                    statement = sa.select(table).order_by(*table.primary_key.columns)
                yield connection.execution_options(yield_per=rows).execute(statement)
        except sa.exc.NoSuchTableError:
            raise JobError(f"{self.name}: there is no table {self._what!r}") from None
        except sa.exc.SQLAlchemyError as error:
            raise JobError(f"{self.name}: {_line(error)}") from None


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as they are hashed: Python's own words for them, so that 1, 1.0 and True differ."""
    return frame.map(lambda cell: None if cell is None else repr(cell))


class SqlSink:
    """Replaces a table in one transaction.

    Rows are collected in a temporary Parquet file first, so that the transaction is short and no reader is
    shut out while predictions are made.
    """

    def __init__(self, spec: str) -> None:
        self._url, self._table = _split(spec)
        if _QUERY.match(self._table):
            raise JobError(f"{self._url.render_as_string(hide_password=True)}: a query cannot be written to")
        self.name = f"{self._url.render_as_string(hide_password=True)}#{self._table}"
        self._folder = tempfile.TemporaryDirectory(prefix="serinus-sql-")
        self._spool_path = Path(self._folder.name) / "rows.parquet"
        self._spool = ParquetSink(self._spool_path)

    def write(self, frame: pd.DataFrame) -> None:
        """Collect rows."""
        self._spool.write(frame)

    def publish(self) -> None:
        """Write a staging table and put it in the old one's place, or change nothing."""
        self._spool.publish()
        staging = f"{self._table}__staging"
        try:
            with engine(self._url) as database, database.begin() as connection:
                quote = database.dialect.identifier_preparer.quote
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(staging)}")
                for batch in pq.ParquetFile(self._spool_path).iter_batches(batch_size=CHUNK_ROWS):
                    batch.to_pandas().to_sql(staging, connection, if_exists="append", index=False)
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(self._table)}")
                connection.exec_driver_sql(f"ALTER TABLE {quote(staging)} RENAME TO {quote(self._table)}")
        except sa.exc.SQLAlchemyError as error:
            raise JobError(f"{self.name}: nothing was written: {_line(error)}") from None

    def discard(self) -> None:
        """Remove what was collected. Safe after `publish`."""
        self._spool.discard()
        self._folder.cleanup()


@contextmanager
def engine(url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine and dispose of it. SQLite's transactions then hold table definitions too."""
    try:
        database = sa.create_engine(url)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        shown = url.render_as_string(hide_password=True)
        raise JobError(
            f"{shown}: {_line(error)}; install the database's driver beside serinus-jobs"
        ) from None
    if database.dialect.name == "sqlite":
        # The driver begins a transaction only before an INSERT, so DROP and RENAME would stand outside it.
        sa.event.listen(database, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
        sa.event.listen(database, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        yield database
    finally:
        database.dispose()


def _split(spec: str) -> tuple[sa.URL, str]:
    address, _, what = spec.partition("#")
    try:
        url = sa.make_url(address)
        url.get_dialect()
    except (sa.exc.SQLAlchemyError, ValueError):
        scheme = address.split("://", 1)[0][:20]
        raise JobError(
            f"{scheme}://...: no database URL that SQLAlchemy knows, such as sqlite:///a.db"
        ) from None
    shown = url.render_as_string(hide_password=True)
    if not what.strip():
        raise JobError(f"{shown}: name the table behind it, as in {shown}#table")
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).parent.is_dir():
        raise JobError(f"{shown}: the folder {Path(url.database).parent} does not exist")
    return url, what.strip()


def _line(error: Exception) -> str:
    reason = getattr(error, "orig", None) or error
    return " ".join(str(reason).split())[:200]
