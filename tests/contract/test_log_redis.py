"""The prediction log into a real Redis stream: down, killed, full, trimmed. The account stays exact."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from tests.support.redis_process import RedisProcess

from serinus_server.log import make_sink
from serinus_server.prediction_log import PredictionLog


def _row(number: int) -> tuple[Any, ...]:
    return (f"id-{number}", 1e9, "churn", "abc", {}, {"age": 4.0}, "no", (0.9, 0.1), False, (), ())


@pytest.fixture
def own_redis(tmp_path: Path, redis_url: str) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.kill()


def _client(server: RedisProcess) -> Any:
    return redis.Redis.from_url(server.url, retry=Retry(ConstantBackoff(0.05), 200))


def _ids(client: Any, stream: str) -> list[str]:
    return [json.loads(fields[b"r"])["prediction_id"] for _, fields in client.xrange(stream)]


async def _until(true: Any, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def test_rows_arrive_in_order(redis_url: str) -> None:
    async def run() -> PredictionLog:
        log = PredictionLog(make_sink(f"{redis_url}?stream=in-order"), linger=0.02)
        await log.start()
        for number in range(1000):
            log.offer(_row(number))
        await _until(lambda: log.logged == 1000)
        log.offer(_row(1000))
        await log.close(10)
        await log.close(10)
        return log

    log = asyncio.run(run())
    assert (log.logged, log.dropped) == (1001, 0)
    assert _ids(redis.Redis.from_url(redis_url), "in-order") == [f"id-{number}" for number in range(1001)]


def test_the_stream_is_bounded_and_what_is_cut_is_counted(redis_url: str) -> None:
    sink = make_sink(f"{redis_url}?stream=bounded&maxlen=1000")

    async def run() -> PredictionLog:
        log = PredictionLog(sink)
        await log.start()
        for number in range(20_000):
            log.offer(_row(number))
        await log.close(30)
        return log

    log = asyncio.run(run())
    assert (log.logged, log.dropped) == (20_000, 0)
    left = redis.Redis.from_url(redis_url).xlen("bounded")
    assert left < 1000 + 2 * 1024
    assert log.trimmed == 20_000 - left > 0


def test_a_redis_that_is_killed_and_comes_back_loses_no_row_that_fits_the_buffer(
    own_redis: RedisProcess,
) -> None:
    async def run() -> PredictionLog:
        sink = make_sink(f"{own_redis.url}?stream=log")
        log = PredictionLog(sink, capacity=50_000, attempts=200, backoff=0.05, linger=0.01)
        await log.start()
        # The server may still be starting: the log waits for it.
        for number in range(2000):
            log.offer(_row(number))
        await _until(lambda: log.logged == 2000)
        own_redis.kill()
        loop = asyncio.get_running_loop()
        worst = 0.0
        for number in range(2000, 12_000):
            log.offer(_row(number))
            if number % 100 == 0:
                begun = loop.time()
                await asyncio.sleep(0)
                worst = max(worst, loop.time() - begun)
        assert log.logged == 2000
        # While the sink is down, a turn of the event loop stays short.
        assert worst < 0.5
        own_redis.start()
        await _until(lambda: log.logged == 12_000)
        await log.close(10)
        return log

    log = asyncio.run(run())
    assert (log.offered, log.logged, log.dropped) == (12_000, 12_000, 0)
    ids = _ids(_client(own_redis), "log")
    # What was under way when Redis died may stand twice; nothing that was logged is missing.
    assert set(ids) == {f"id-{number}" for number in range(12_000)}
    assert len(ids) <= 12_000 + 256


def test_a_redis_that_never_comes_back_ends_in_an_exact_account(own_redis: RedisProcess) -> None:
    async def run() -> PredictionLog:
        sink = make_sink(f"{own_redis.url}?stream=log")
        log = PredictionLog(sink, capacity=1000, attempts=2, backoff=0.01, linger=0.01)
        await log.start()
        own_redis.kill()
        for number in range(5000):
            log.offer(_row(number))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await log.close(1.0)
        assert loop.time() - begun < 3.0
        return log

    log = asyncio.run(run())
    assert log.logged + log.dropped == log.offered == 5000


def test_a_full_redis_refuses_rows_and_they_are_dropped_not_forgotten(own_redis: RedisProcess) -> None:
    client = _client(own_redis)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")

    async def run() -> PredictionLog:
        log = PredictionLog(make_sink(own_redis.url), attempts=2, backoff=0.01, linger=0.01)
        await log.start()
        log.offer(_row(1))
        await _until(lambda: log.dropped == 1)
        client.config_set("maxmemory", "0")
        log.offer(_row(2))
        await log.close(10)
        return log

    log = asyncio.run(run())
    assert (log.logged, log.dropped) == (1, 1)
    assert _ids(client, "predictions") == ["id-2"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://host/0?strem=x", "unknown option 'strem'"),
        ("redis://host/0?stream=x&maxlen=-1", "maxlen must be a number"),
        ("redis://host/0?stream=", "stream must have a name"),
        ("kafka://host", "must be dir:/path, redis"),
        ("dir:", "dir: needs a path"),
    ],
)
def test_addresses_that_name_no_sink_are_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_sink(url)


def test_no_sink_at_all_takes_everything() -> None:
    async def run() -> PredictionLog:
        log = PredictionLog(make_sink("none"))
        await log.start()
        log.offer(_row(1))
        await log.close(1)
        return log

    log = asyncio.run(run())
    assert (log.logged, log.dropped) == (1, 0)
