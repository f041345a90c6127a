"""A SQLite file that is gone or locked costs a request no more than its budget."""

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.typed_store import Stored, build, key_of, read, until_read

from serinus_server.doors import StoreUnavailable
from serinus_server.online import make_store


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = tmp_path_factory.mktemp("feast")
    return build(folder, f"sqlite://{folder / 'online.db'}")


def test_a_missing_sqlite_file_is_unavailable_not_a_crash(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"gone\.db"):
        read(replace(stored, url=f"sqlite://{tmp_path}/gone.db"), [1])


def test_a_locked_sqlite_file_costs_no_more_than_the_budget(stored: Stored, tmp_path: Path) -> None:
    copy = tmp_path / "locked.db"
    shutil.copy(stored.url.removeprefix("sqlite://"), copy)
    writer = sqlite3.connect(copy, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    locked = replace(stored, url=f"sqlite://{copy}")

    async def ask() -> None:
        store = make_store(locked.url, locked.plan, 0.05)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.read([key_of(1)])
        assert loop.time() - begun < 2.0
        writer.execute("ROLLBACK")
        await until_read(store, key_of(1))
        await store.close()

    asyncio.run(ask())
    writer.close()
