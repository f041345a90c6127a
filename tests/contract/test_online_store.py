"""The server's online features against Feast's own answer, from the same real stores."""

import asyncio
import math
import shutil
import time
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.typed_store import NOW, SCALARS, Stored, build, key_of, read, write

from serinus_server.online import check_entity, make_store


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Stored:
    folder = tmp_path_factory.mktemp("feast")
    return build(folder, f"sqlite://{folder / 'online.db'}" if request.param == "sqlite" else redis_url)


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and math.isnan(theirs):
        return isinstance(ours, float) and math.isnan(ours)
    return type(ours) is type(theirs) and ours == theirs


def test_every_type_equals_feasts_answer(stored: Stored) -> None:
    customers = [1, 2, 3, -5, 2, 6, 99]
    theirs = stored.answer([key_of(each) for each in customers])
    for row, expected in zip(read(stored, customers), theirs, strict=True):
        assert list(row.values) == list(expected)
        for name, value in expected.items():
            assert _same(row.values[name], value), (name, row.values[name], value)
        assert row.stale == ()
    assert any(isinstance(value, uuid.UUID) for value in theirs[0].values())


def test_found_tells_unknown_keys_from_known_ones(stored: Stored) -> None:
    rows = read(stored, [1, 3, -5, 99, 2**62])
    assert [row.found for row in rows] == [True, True, True, False, False]
    assert set(rows[3].values.values()) == {None}
    assert list(rows[3].values) == list(rows[0].values)


def test_values_beyond_ttl_are_missing_and_named_which_feast_does_not_do(stored: Stored) -> None:
    (row,) = read(stored, [4])
    (feasts,) = stored.answer([key_of(4)])
    assert feasts["int64"] == 1
    assert row.values["int64"] is None
    assert row.found
    # An empty message in the store is null, and nothing that is null is stale.
    assert set(row.stale) == {name for name in SCALARS if feasts[name] is not None}


def test_a_view_without_ttl_never_grows_old(stored: Stored) -> None:
    (row,) = read(stored, [1])
    assert row.values["visits"] == 5
    assert row.stale == ()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_age_is_right_in_any_time_zone(
    stored: Stored, zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        local = _write_short_again(stored, tmp_path)
        fresh, stale = read(local, [1, 4])
    finally:
        monkeypatch.undo()
        time.tzset()
        _write_short_again(stored, tmp_path)
    assert (fresh.stale, fresh.values["int64"]) == ((), 1)
    assert "int64" in stale.stale


def _write_short_again(stored: Stored, folder: Path) -> Stored:
    provider, config = stored.feast._get_provider(), stored.feast.config
    view = stored.feast.get_feature_view("short")
    row = {name: each[0] for name, each in SCALARS.items()}
    write(provider, config, view, 1, row, NOW)
    write(provider, config, view, 4, row, NOW - timedelta(hours=2))
    if not stored.url.startswith("sqlite"):
        return stored
    copy = folder / "zone.db"
    shutil.copy(stored.url.removeprefix("sqlite://"), copy)
    return replace(stored, url=f"sqlite://{copy}")


def test_no_entities_is_no_read(stored: Stored) -> None:
    assert read(stored, []) == []


def test_a_thousand_entities_are_one_answer_in_order(stored: Stored) -> None:
    rows = read(stored, [1, 2, 99, 3] * 250, budget=5.0)
    assert [row.values["visits"] for row in rows] == [5, 0, None, None] * 250


def test_concurrent_requests_do_not_mix(stored: Stored) -> None:
    async def ask() -> None:
        store = make_store(stored.url, stored.plan, 5.0)
        orders = [[1, 99], [2], [3, 1, 2], [4, 4]] * 20
        if stored.url.startswith("sqlite"):
            orders = orders[:8]
        keys = [[check_entity(stored.plan, key_of(each)) for each in order] for order in orders]
        answers = await asyncio.gather(*(store.read(each) for each in keys))
        await store.close()
        for order, rows in zip(orders, answers, strict=True):
            expected = [{1: 1, 2: -(2**63), 3: 2**63 - 1}.get(each) for each in order]
            assert [row.values["int64"] for row in rows] == expected

    asyncio.run(ask())


def test_unreadable_bytes_count_as_missing(stored: Stored, redis_url: str, tmp_path: Path) -> None:
    (good,) = read(stored, [3])
    field = next(f for f in stored.plan.views[0].features if f.name == "int64")
    broken = b"\x29\x01"  # a double of one byte
    if stored.url == redis_url:
        import redis

        from serinus_server.online.keys import key_encoder

        client = redis.Redis.from_url(redis_url)
        key = key_encoder(stored.plan)(check_entity(stored.plan, key_of(3))) + b"shop"
        before = client.hget(key, bytes.fromhex(field.field))
        client.hset(key, bytes.fromhex(field.field), broken)
        (row,) = read(stored, [3])
        client.hset(key, bytes.fromhex(field.field), before)
    else:
        import sqlite3

        copy = tmp_path / "broken.db"
        shutil.copy(stored.url.removeprefix("sqlite://"), copy)
        with sqlite3.connect(copy) as database:
            database.execute(
                f'UPDATE "{stored.plan.views[0].table}" SET value = ? WHERE feature_name = ?',
                (broken, "int64"),
            )
        database.close()
        (row,) = read(replace(stored, url=f"sqlite://{copy}"), [3])
    assert row.values == {**good.values, "int64": None}
