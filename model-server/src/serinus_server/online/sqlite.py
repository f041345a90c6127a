"""Reads features from the feature store's SQLite tables: the local loop's store, not a fast one."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from serinus_contracts.plan import OnlinePlan
from serinus_server.doors import FeatureRow, StoreUnavailable
from serinus_server.online.keys import key_encoder
from serinus_server.online.rows import ViewReader

# Below SQLite's limit of bound parameters in every build.
_KEYS_A_QUERY = 500


class SqliteStore:
    """The SQLite half of the door `OnlineStore`: one query a view, in a thread of its own.

    Raises ValueError when there is no such file, or not every view's table in it.
    """

    def __init__(self, url: str, plan: OnlinePlan, budget_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.netloc or not parts.path.startswith("/") or not parts.path.strip("/"):
            raise ValueError(f"online store {url!r}: must be sqlite:///absolute/path.db")
        # Three slashes, or the four that SQLAlchemy writes: the path is absolute either way.
        self._path = Path("/" + unquote(parts.path).lstrip("/"))
        self._budget = budget_seconds
        self._encode_key = key_encoder(plan)
        self._readers = tuple(ViewReader(view) for view in plan.views)
        self._thread = ThreadPoolExecutor(1, "sqlite-features")
        self._database: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._busy = False
        self._check()

    def _check(self) -> None:
        # A server elsewhere may come up later; a file or table that is not here now was not loaded.
        cure = "; load it with `serinus-jobs materialize`, or correct SERINUS_ONLINE_STORE"
        if not os.path.isfile(self._path):  # Path.is_file raises for a folder that may not be entered
            raise ValueError(f"online store: there is no file {self._path}{cure}")
        try:
            with closing(self._connect()) as database:
                names = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master")}
        except sqlite3.Error as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return  # it is being loaded; until it can be read, rows get defaults
            raise ValueError(f"online store: {self._path} cannot be read: {error}{cure}") from None
        for reader in self._readers:
            if reader.view.table not in names:
                raise ValueError(
                    f"online store: there is no table {reader.view.table!r} in {self._path}{cure}"
                )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True, timeout=self._budget)

    async def read(self, entities: Sequence[Mapping[str, Any]]) -> list[FeatureRow]:
        """Return one row per entity; see the door."""
        if not entities:
            return []
        if self._busy:
            # The one thread still hangs in a query that missed its budget.
            raise StoreUnavailable(f"{self._path.name}: an earlier query has not come back")
        keys = [self._encode_key(entity) for entity in entities]
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._read, keys)
        await asyncio.wait({work}, timeout=self._budget)
        if not work.done():
            self._busy = True
            work.add_done_callback(self._came_back)
            raise StoreUnavailable(f"{self._path.name}: no answer within the budget")
        try:
            return work.result()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path.name}: {error}") from None

    def _came_back(self, work: "asyncio.Future[list[FeatureRow]]") -> None:
        self._busy = False
        work.exception()

    def _read(self, keys: Sequence[bytes]) -> list[FeatureRow]:
        self._follow()
        now = time.time()
        rows = [FeatureRow({}, found=False) for _ in keys]
        for reader in self._readers:
            stored = self._stored(reader.view.table, sorted(set(keys)))
            for key, row in zip(keys, rows, strict=True):
                raw, at = stored.get(key, ({}, 0.0))
                row.found = row.found or bool(raw)
                row.stale += reader.fill(row.values, [raw.get(name) for name in reader.names], at, now)
        return rows

    def _follow(self) -> None:
        """Open the file that has the name now: a connection would go on reading one that was removed."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise sqlite3.OperationalError(
                f"{error.strerror}; load it again with `serinus-jobs materialize`"
            ) from None
        file = (found.st_dev, found.st_ino)
        if self._database is not None and file != self._file:
            self._database.close()
            self._database = None
        if self._database is None:
            self._database = self._connect()
            self._file = file

    def _stored(self, table: str, keys: list[bytes]) -> dict[bytes, tuple[dict[str, bytes], float]]:
        assert self._database is not None
        quoted = '"' + table.replace('"', '""') + '"'
        found: dict[bytes, tuple[dict[str, bytes], float]] = {}
        for start in range(0, len(keys), _KEYS_A_QUERY):
            some = keys[start : start + _KEYS_A_QUERY]
            marks = ",".join("?" * len(some))
            query = (
                f"SELECT entity_key, feature_name, value, event_ts FROM {quoted} "  # noqa: S608  quoted name
                f"WHERE entity_key IN ({marks})"
            )
            for key, name, value, event_time in self._database.execute(query, some):
                values, at = found.get(key, ({}, 0.0))
                values[name] = value
                found[key] = (values, max(at, _seconds(event_time)))
        return found

    async def close(self) -> None:
        """Release the file. Safe to call twice."""
        database, self._database = self._database, None
        if database is not None:
            self._thread.submit(database.close)
        self._thread.shutdown(wait=False)


def _seconds(stored: float | str | None) -> float:
    """Return the Unix seconds of a stored event time.

    The store drops the zone (UTC) and lets Python turn the moment into a number as if it were local
    time. Undone here the same way: right wherever writer and reader share a time zone, as they do on
    one machine. As text it is UTC unless it says otherwise.
    """
    if not stored:
        return 0.0
    moment = datetime.fromisoformat(stored) if isinstance(stored, str) else datetime.fromtimestamp(stored)  # noqa: DTZ006  as the store reads it
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
