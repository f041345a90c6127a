"""The server's online features against Feast's own answer, from the same real stores."""

import asyncio
import math
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import free_port

from serinus_contracts.plan import OnlinePlan
from serinus_jobs.offline.planning import online_plan
from serinus_jobs.offline.repository import online_options
from serinus_server.doors import FeatureRow, OnlineStore, StoreUnavailable
from serinus_server.online import check_entity, make_store
from serinus_server.redis_address import parse_address
from serinus_server.redis_connection import RedisConnection

NOW = datetime.now(UTC).replace(microsecond=123456)
BUDGET = 1.0
SCALARS: dict[str, tuple[Any, ...]] = {
    # name: values for the customers 1, 2, 3
    "int32": (0, -(2**31), 2**31 - 1),
    "int64": (1, -(2**63), 2**63 - 1),
    "float32": (0.1, -3.5e38, float("inf")),
    "float64": (0.1, -1.7e308, 5e-324),
    "string": ("", "Zürich 🐤", "x" * 300),
    "bytes": (b"\x00\xff", b"", b"b" * 200),
    "bool": (True, False, True),
    "moment": (NOW, datetime(1969, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)),
    "uuid": (uuid.UUID(int=1), uuid.UUID(int=2**128 - 1), uuid.UUID(int=7)),
    "decimal": (Decimal("1.10"), Decimal("-1E+30"), Decimal(0)),
    "json": ('{"a": [1, null]}', "[]", '"text"'),
}


@dataclass
class Stored:
    """A real Feast store, the plan that its planner makes, and the address for the server."""

    feast: Any
    plan: OnlinePlan
    url: str

    def answer(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        service = self.feast.get_feature_service("all")
        found = self.feast.get_online_features(features=service, entity_rows=rows).to_dict()
        names = [feature.name for view in self.plan.views for feature in view.features]
        return [{name: found[name][i] for name in names} for i in range(len(rows))]


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[Stored]:
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.repo_config import RepoConfig
    from feast.types import (
        Bool,
        Bytes,
        Float32,
        Float64,
        Int32,
        Int64,
        Json,
        String,
        UnixTimestamp,
        Uuid,
    )  # fmt: skip
    from feast.types import (
        Decimal as DecimalType,
    )

    folder = tmp_path_factory.mktemp("feast")
    url = f"sqlite://{folder / 'online.db'}" if request.param == "sqlite" else redis_url
    config = RepoConfig(
        project="shop",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=online_options(url),
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    feast = FeatureStore(config=config)
    keys = [
        Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING),
        Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64),
        Entity(name="branch", join_keys=["branch"], value_type=ValueType.INT32),
    ]
    kinds = dict(
        zip(
            SCALARS,
            [Int32, Int64, Float32, Float64, String, Bytes, Bool, UnixTimestamp, Uuid, DecimalType, Json],
            strict=True,
        )
    )
    key_fields = [Field(name="shop", dtype=String), Field(name="customer", dtype=Int64)]
    key_fields.append(Field(name="branch", dtype=Int32))
    source = FileSource(name="none", path=str(folder / "none.parquet"), timestamp_field="event_timestamp")
    fields = [Field(name=name, dtype=kind) for name, kind in kinds.items()]
    short = FeatureView(
        name="short", entities=keys, ttl=timedelta(hours=1), source=source, schema=[*key_fields, *fields]
    )
    forever = FeatureView(
        name="forever",
        entities=keys,
        ttl=timedelta(0),
        source=source,
        schema=[*key_fields, Field(name="visits", dtype=Int64), Field(name="spent", dtype=Float64)],
    )
    service = FeatureService(name="all", features=[short, forever])
    feast.apply([*keys, source, short, forever, service])
    provider = feast._get_provider()
    values = [{name: each[i] for name, each in SCALARS.items()} for i in range(3)]
    for i, row in enumerate(values):
        _write(provider, config, short, i + 1, row, NOW)
    _write(provider, config, short, 4, values[0], NOW - timedelta(hours=2))
    old = NOW - timedelta(days=400)
    for customer, visits, spent in ((1, 5, 1.5), (2, 0, float("nan")), (-5, -1, -0.0)):
        _write(provider, config, forever, customer, {"visits": visits, "spent": spent}, old)
    _write(provider, config, forever, 6, {"visits": None, "spent": 2.0}, old)
    plan = online_plan(config, service, {"short": short, "forever": forever}, {})
    yield Stored(feast, plan, url)
    shutil.rmtree(folder, ignore_errors=True)


def _write(provider: Any, config: Any, view: Any, customer: int, row: dict[str, Any], at: datetime) -> None:
    """Store one row as materialization does: values through Feast's own conversion to its messages."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.type_map import python_values_to_proto_values

    key = _key(customer)
    kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
    messages = [python_values_to_proto_values([key[name]], kinds[name])[0] for name in key]
    entity = EntityKey(join_keys=list(key), entity_values=messages)
    kinds = {field.name: field.dtype.to_value_type() for field in view.features}
    data = {name: python_values_to_proto_values([value], kinds[name])[0] for name, value in row.items()}
    provider.online_write_batch(config, view, [(entity, data, at, None)], None)


def _key(customer: int) -> dict[str, Any]:
    return {"customer": customer, "shop": "Zürich", "branch": -7}


def _read(stored: Stored, customers: list[int], budget: float = BUDGET) -> list[FeatureRow]:
    async def read() -> list[FeatureRow]:
        store = make_store(stored.url, stored.plan, budget)
        try:
            return await store.read([check_entity(stored.plan, _key(each)) for each in customers])
        finally:
            await store.close()
            await store.close()

    return asyncio.run(read())


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and math.isnan(theirs):
        return isinstance(ours, float) and math.isnan(ours)
    return type(ours) is type(theirs) and ours == theirs


def test_every_type_equals_feasts_answer(stored: Stored) -> None:
    customers = [1, 2, 3, -5, 2, 6, 99]
    theirs = stored.answer([_key(each) for each in customers])
    for row, expected in zip(_read(stored, customers), theirs, strict=True):
        assert list(row.values) == list(expected)
        for name, value in expected.items():
            assert _same(row.values[name], value), (name, row.values[name], value)
        assert row.stale == ()
    assert any(isinstance(value, uuid.UUID) for value in theirs[0].values())


def test_found_tells_unknown_keys_from_known_ones(stored: Stored) -> None:
    rows = _read(stored, [1, 3, -5, 99, 2**62])
    assert [row.found for row in rows] == [True, True, True, False, False]
    assert set(rows[3].values.values()) == {None}
    assert list(rows[3].values) == list(rows[0].values)


def test_values_beyond_ttl_are_missing_and_named_which_feast_does_not_do(stored: Stored) -> None:
    (row,) = _read(stored, [4])
    (feasts,) = stored.answer([_key(4)])
    assert feasts["int64"] == 1
    assert row.values["int64"] is None
    assert row.found
    # An empty message in the store is null, and nothing that is null is stale.
    assert set(row.stale) == {name for name in SCALARS if feasts[name] is not None}


def test_a_view_without_ttl_never_grows_old(stored: Stored) -> None:
    (row,) = _read(stored, [1])
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
        fresh, stale = _read(local, [1, 4])
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
    _write(provider, config, view, 1, row, NOW)
    _write(provider, config, view, 4, row, NOW - timedelta(hours=2))
    if not stored.url.startswith("sqlite"):
        return stored
    copy = folder / "zone.db"
    shutil.copy(stored.url.removeprefix("sqlite://"), copy)
    return replace(stored, url=f"sqlite://{copy}")


def test_no_entities_is_no_read(stored: Stored) -> None:
    assert _read(stored, []) == []


def test_a_thousand_entities_are_one_answer_in_order(stored: Stored) -> None:
    rows = _read(stored, [1, 2, 99, 3] * 250, budget=5.0)
    assert [row.values["visits"] for row in rows] == [5, 0, None, None] * 250


def test_concurrent_requests_do_not_mix(stored: Stored) -> None:
    async def read() -> None:
        store = make_store(stored.url, stored.plan, 5.0)
        orders = [[1, 99], [2], [3, 1, 2], [4, 4]] * 20
        if stored.url.startswith("sqlite"):
            orders = orders[:8]
        keys = [[check_entity(stored.plan, _key(each)) for each in order] for order in orders]
        answers = await asyncio.gather(*(store.read(each) for each in keys))
        await store.close()
        for order, rows in zip(orders, answers, strict=True):
            expected = [{1: 1, 2: -(2**63), 3: 2**63 - 1}.get(each) for each in order]
            assert [row.values["int64"] for row in rows] == expected

    asyncio.run(read())


def test_unreadable_bytes_count_as_missing(stored: Stored, redis_url: str, tmp_path: Path) -> None:
    (good,) = _read(stored, [3])
    field = next(f for f in stored.plan.views[0].features if f.name == "int64")
    broken = b"\x29\x01"  # a double of one byte
    if stored.url == redis_url:
        import redis

        from serinus_server.online.keys import key_encoder

        client = redis.Redis.from_url(redis_url)
        key = key_encoder(stored.plan)(check_entity(stored.plan, _key(3))) + b"shop"
        before = client.hget(key, bytes.fromhex(field.field))
        client.hset(key, bytes.fromhex(field.field), broken)
        (row,) = _read(stored, [3])
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
        (row,) = _read(replace(stored, url=f"sqlite://{copy}"), [3])
    assert row.values == {**good.values, "int64": None}


def test_a_missing_sqlite_file_is_unavailable_not_a_crash(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"gone\.db"):
        _read(replace(stored, url=f"sqlite://{tmp_path}/gone.db"), [1])


def test_a_locked_sqlite_file_costs_no_more_than_the_budget(stored: Stored, tmp_path: Path) -> None:
    import sqlite3

    if stored.url.startswith("redis"):
        return
    copy = tmp_path / "locked.db"
    shutil.copy(stored.url.removeprefix("sqlite://"), copy)
    writer = sqlite3.connect(copy, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    locked = replace(stored, url=f"sqlite://{copy}")

    async def read() -> None:
        store = make_store(locked.url, locked.plan, 0.05)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.read([_key(1)])
        assert loop.time() - begun < 2.0
        writer.execute("ROLLBACK")
        await _until_read(store, _key(1))
        await store.close()

    asyncio.run(read())
    writer.close()


async def _until_read(store: OnlineStore, key: dict[str, Any], seconds: float = 10.0) -> FeatureRow:
    """Read until the store answers, or fail at the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return (await store.read([key]))[0]
            except StoreUnavailable:
                await asyncio.sleep(0.01)


class _Redis:
    """A Redis of its own that a test may stop, kill and start again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


@pytest.fixture
def own_redis(tmp_path: Path, redis_url: str) -> Iterator[_Redis]:
    server = _Redis(tmp_path)
    server.start()
    yield server
    server.kill()


PLAN_KEY = {"customer": 1}


@pytest.fixture(scope="module")
def small_plan() -> OnlinePlan:
    from serinus_contracts.plan import JoinKey, PlanFeature, PlanView

    view = PlanView("v", 0, (PlanFeature("a", "INT64", "0a0b0c0d"),), "_ts:v", "p_v")
    return OnlinePlan("p", "s", (JoinKey("customer", "INT64"),), (view,))


def test_a_killed_redis_costs_nothing_and_its_return_is_noticed(
    own_redis: _Redis, small_plan: OnlinePlan
) -> None:
    async def run() -> None:
        store = make_store(f"redis://127.0.0.1:{own_redis.port}/3", small_plan, 0.05)
        assert not (await _until_read(store, PLAN_KEY)).found
        own_redis.kill()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        failures = 0
        for _ in range(2000):
            try:
                await store.read([PLAN_KEY])
            except StoreUnavailable:
                failures += 1
        # Far below 2000 budgets: the circuit is open.
        assert loop.time() - begun < 2000 * 0.05 / 20
        assert failures >= 1998
        own_redis.start()
        await _until_read(store, PLAN_KEY)
        await store.close()

    asyncio.run(run())


def test_a_hung_redis_costs_a_few_budgets_then_nothing(own_redis: _Redis, small_plan: OnlinePlan) -> None:
    import signal

    async def run() -> None:
        store = make_store(f"redis://127.0.0.1:{own_redis.port}/0", small_plan, 0.02)
        await _until_read(store, PLAN_KEY)
        own_redis.signal(signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        waits = []
        for _ in range(200):
            begun = loop.time()
            with pytest.raises(StoreUnavailable):
                await store.read([PLAN_KEY])
            waits.append(loop.time() - begun)
        # No wait beyond the budget (with room for a busy machine), and most cost nothing.
        assert max(waits) < 0.5
        assert sorted(waits)[150] < 0.005
        own_redis.signal(signal.SIGCONT)
        await _until_read(store, PLAN_KEY)
        await store.close()

    asyncio.run(run())


def test_no_redis_at_all_fails_within_the_budget_and_close_is_safe(small_plan: OnlinePlan) -> None:
    async def run() -> None:
        store = make_store(f"redis://127.0.0.1:{free_port()}/0", small_plan, 0.5)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.read([PLAN_KEY])
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.read([PLAN_KEY])

    asyncio.run(run())


def test_an_error_of_redis_is_unavailable_not_a_value(redis_url: str, small_plan: OnlinePlan) -> None:
    import redis

    from serinus_server.online.keys import key_encoder

    client = redis.Redis.from_url(redis_url)
    client.set(key_encoder(small_plan)(PLAN_KEY) + b"p", "no hash")

    async def run() -> None:
        store = make_store(redis_url, small_plan, 1.0)
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            await store.read([PLAN_KEY])
        assert not (await store.read([{"customer": 2}]))[0].found
        await store.close()

    asyncio.run(run())
    client.delete(key_encoder(small_plan)(PLAN_KEY) + b"p")


def test_a_password_and_a_database_are_used(own_redis: _Redis) -> None:
    import redis

    async def ask(url: str) -> list[Any]:
        connection = RedisConnection(parse_address(url), 2.0)
        try:
            return await connection.request([b"PING\r\n", b"CLIENT INFO\r\n"])
        finally:
            await connection.close()

    client = redis.Redis(port=own_redis.port)
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    client = redis.Redis(port=own_redis.port, retry=Retry(ConstantBackoff(0.05), 100))
    client.config_set("requirepass", "s3cret word")
    pong, info = asyncio.run(ask(f"redis://:s3cret%20word@127.0.0.1:{own_redis.port}/5"))
    assert pong == b"PONG" or pong == "PONG"
    assert b" db=5 " in bytes(info)
    with pytest.raises(Exception, match=r"down|refused|WRONGPASS"):
        asyncio.run(ask(f"redis://:wrong@127.0.0.1:{own_redis.port}/5"))


def test_what_is_no_redis_is_unavailable(small_plan: OnlinePlan) -> None:
    async def run() -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = make_store(f"redis://127.0.0.1:{port}/0", small_plan, 0.5)
        with pytest.raises(StoreUnavailable):
            await store.read([PLAN_KEY])
        await store.close()
        server.close()

    asyncio.run(run())


def test_a_slow_redis_opens_the_circuit(small_plan: OnlinePlan, own_redis: _Redis) -> None:
    """Every byte from Redis is held back 200 ms by a proxy: after the first misses, nobody waits."""

    async def run() -> None:
        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
            loop = asyncio.get_running_loop()
            while data := await reader.read(1 << 16):
                loop.call_later(delay, writer.write, data)

        delay = 0.0

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", own_redis.port)
            await asyncio.gather(
                pump(reader, downstream, 0.0), pump(upstream, writer, delay), return_exceptions=True
            )

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        delay = 0.2
        store = make_store(f"redis://127.0.0.1:{port}/0", small_plan, 0.02)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(300):
            with pytest.raises(StoreUnavailable):
                await store.read([PLAN_KEY])
        assert loop.time() - begun < 300 * 0.02 / 3
        await store.close()
        server.close()

    asyncio.run(run())
