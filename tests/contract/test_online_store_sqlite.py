"""A SQLite store that cannot be one is refused at start; one that is locked or goes costs no more than the
budget."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
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


@pytest.mark.parametrize("slashes", ["///", "////"])
def test_three_slashes_and_sqlalchemys_four_name_the_same_file(stored: Stored, slashes: str) -> None:
    path = stored.url.removeprefix("sqlite:///")
    (row,) = read(replace(stored, url=f"sqlite:{slashes}{path}"), [1])
    assert row.values == read(stored, [1])[0].values
    assert row.values["visits"] == 5


def _nothing(path: Path) -> None:
    pass


def _text(path: Path) -> None:
    path.write_text("no database at all, and long enough to tell" * 10)


def _without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE shop_short (entity_key, feature_name, value, event_ts)")
    database.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nothing, r"there is no file /.*/odd\.db"),
        (Path.mkdir, r"there is no file /.*/odd\.db"),
        (Path.touch, r"there is no table 'shop_short' in /.*/odd\.db"),
        (_text, r"/.*/odd\.db cannot be read: file is not a database"),
        (_without_a_table, r"there is no table 'shop_forever' in /.*/odd\.db"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_store_is_refused_at_start(
    stored: Stored, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "odd.db")
    with pytest.raises(ValueError, match=f"{message}.*serinus-jobs materialize"):
        make_store(f"sqlite://{tmp_path}/odd.db", stored.plan, 0.05)
    assert (tmp_path / "odd.db").exists() == (make is not _nothing), "looking creates nothing"


def test_a_table_that_goes_under_a_running_server_is_unavailable_not_a_crash(
    stored: Stored, tmp_path: Path
) -> None:
    copy = tmp_path / "emptied.db"
    shutil.copy(stored.url.removeprefix("sqlite://"), copy)
    store = make_store(f"sqlite://{copy}", stored.plan, 1.0)
    with sqlite3.connect(copy) as database:
        database.execute("DROP TABLE shop_short")
    database.close()

    async def ask() -> None:
        with pytest.raises(StoreUnavailable, match=r"emptied\.db: no such table: shop_short"):
            await store.read([key_of(1)])
        await store.close()

    asyncio.run(ask())


def test_a_file_that_goes_is_noticed_and_its_successor_is_read(stored: Stored, tmp_path: Path) -> None:
    original = stored.url.removeprefix("sqlite://")
    copy = tmp_path / "moved.db"
    shutil.copy(original, copy)

    async def ask() -> None:
        store = make_store(f"sqlite://{copy}", stored.plan, 1.0)
        (before,) = await store.read([key_of(1)])
        assert before.values["visits"] == 5
        copy.unlink()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=r"moved\.db: No such file.*serinus-jobs materialize"):
                await store.read([key_of(1)])
        shutil.copy(original, tmp_path / "next.db")
        with sqlite3.connect(tmp_path / "next.db") as database:
            for view in stored.plan.views:
                database.execute(f'DELETE FROM "{view.table}"')
        database.close()
        (tmp_path / "next.db").rename(copy)
        (after,) = await store.read([key_of(1)])
        assert not after.found
        await store.close()

    asyncio.run(ask())


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
