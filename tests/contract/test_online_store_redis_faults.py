"""A Redis that is killed, hung, slow, wrong or absent costs little, and its return is noticed."""

import asyncio
import signal
from typing import Any

import pytest
from tests.support.ports import free_port
from tests.support.redis_process import RedisProcess
from tests.support.typed_store import until_read

from serinus_contracts.plan import JoinKey, OnlinePlan, PlanFeature, PlanView
from serinus_server.doors import StoreUnavailable
from serinus_server.online import make_store
from serinus_server.redis_address import parse_address
from serinus_server.redis_connection import RedisConnection

PLAN_KEY = {"customer": 1}


@pytest.fixture(scope="module")
def small_plan() -> OnlinePlan:
    view = PlanView("v", 0, (PlanFeature("a", "INT64", "0a0b0c0d"),), "_ts:v", "p_v")
    return OnlinePlan("p", "s", (JoinKey("customer", "INT64"),), (view,))


def test_a_killed_redis_costs_nothing_and_its_return_is_noticed(
    own_redis: RedisProcess, small_plan: OnlinePlan
) -> None:
    async def run() -> None:
        store = make_store(f"redis://127.0.0.1:{own_redis.port}/3", small_plan, 0.05)
        assert not (await until_read(store, PLAN_KEY)).found
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
        await until_read(store, PLAN_KEY)
        await store.close()

    asyncio.run(run())


def test_a_hung_redis_costs_a_few_budgets_then_nothing(
    own_redis: RedisProcess, small_plan: OnlinePlan
) -> None:
    async def run() -> None:
        store = make_store(f"redis://127.0.0.1:{own_redis.port}/0", small_plan, 0.02)
        await until_read(store, PLAN_KEY)
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
        await until_read(store, PLAN_KEY)
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


def test_a_password_and_a_database_are_used(own_redis: RedisProcess) -> None:
    import redis

    async def ask(url: str) -> list[Any]:
        connection = RedisConnection(parse_address(url), 2.0)
        try:
            return await connection.request([b"PING\r\n", b"CLIENT INFO\r\n"])
        finally:
            await connection.close()

    client = redis.Redis(port=own_redis.port)
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


def test_a_slow_redis_opens_the_circuit(small_plan: OnlinePlan, own_redis: RedisProcess) -> None:
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
