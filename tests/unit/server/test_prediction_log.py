"""Every row that is offered is logged or dropped, exactly once, whatever the sink does."""

import asyncio
import json
import random
from itertools import pairwise
from typing import Any

import pytest
from tests.support.log_sink import Sink
from tests.support.virtual_time import run_virtually

from serinus_contracts.records import PredictionRecord
from serinus_server.prediction_log import PredictionLog, encode_record


def _row(number: int) -> tuple[Any, ...]:
    return (
        f"id-{number}",
        1.5,
        "churn",
        "abc",
        {"id": number},
        {"age": 4.0},
        "no",
        (0.9, 0.1),
        False,
        (),
        (),
    )


def _ids(sink: Sink) -> list[str]:
    return [json.loads(line)["prediction_id"] for line in sink.lines]


async def _hang(_: float) -> None:
    await asyncio.sleep(3600)


async def _refuse(_: float) -> None:
    raise ConnectionRefusedError("the sink is down")


def test_a_tuple_and_a_record_are_the_same_line() -> None:
    row = _row(1)
    line = encode_record(row)
    assert line == encode_record(PredictionRecord(*row))
    assert json.loads(line) == {
        "prediction_id": "id-1", "at": 1.5, "model": "churn", "revision": "abc", "entity": {"id": 1},
        "features": {"age": 4.0}, "prediction": "no", "probabilities": [0.9, 0.1], "degraded": False,
        "defaulted": [], "stale": [],
    }  # fmt: skip
    assert b"\n" not in encode_record((*row[:4], {"id": "a\nb"}, *row[5:]))


def test_rows_reach_the_sink_in_order_and_soon() -> None:
    sink = Sink()

    async def main() -> None:
        log = PredictionLog(sink, linger=0.2)
        await log.start()
        await log.start()
        for number in range(600):
            assert log.offer(_row(number))
        await asyncio.sleep(0.3)
        assert (log.logged, log.dropped, log.offered) == (600, 0, 600)
        assert log.offer(_row(600))
        await asyncio.sleep(0.25)
        assert log.logged == 601
        await log.close(1.0)
        await log.close(1.0)

    run_virtually(main())
    assert _ids(sink) == [f"id-{number}" for number in range(601)]
    assert sink.closed == 2


def test_a_full_buffer_drops_the_newest_and_counts_it() -> None:
    async def main() -> None:
        log = PredictionLog(Sink(_hang), capacity=10)
        taken = [log.offer(_row(number)) for number in range(15)]
        assert taken == [True] * 10 + [False] * 5
        assert (log.dropped, log.offered) == (5, 15)
        await log.close(0.0)
        assert (log.logged, log.dropped) == (0, 15)

    run_virtually(main())


def test_a_sink_that_is_down_sixty_seconds_loses_only_what_the_buffer_could_not_hold() -> None:
    async def outage(now: float) -> None:
        if 10 <= now < 70:
            raise ConnectionResetError("down")

    sink = Sink(outage)

    async def main() -> PredictionLog:
        log = PredictionLog(sink, capacity=20_000, attempts=30)
        await log.start()
        for number in range(90_000):
            log.offer(_row(number))
            if number % 100 == 99:
                await asyncio.sleep(0.1)
        await log.close(30.0)
        return log

    log = run_virtually(main())
    assert log.logged + log.dropped == log.offered == 90_000
    # 60 s at 1,000 rows/s are offered during the outage, 20,000 of them fit.
    assert 38_000 <= log.dropped <= 46_000
    assert len(sink.lines) == log.logged
    assert len(set(_ids(sink))) == log.logged


def test_offering_never_waits_for_a_sink_that_hangs() -> None:
    async def main() -> None:
        log = PredictionLog(Sink(_hang), capacity=1000, attempts=2, write_seconds=5.0)
        await log.start()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.01)
        begun = loop.time()
        for number in range(5000):
            log.offer(_row(number))
        assert loop.time() == begun
        await asyncio.sleep(11)
        # The first batch was tried twice for five seconds, then dropped.
        assert log.dropped >= 4000 + 256
        await log.close(3.0)
        assert loop.time() - begun <= 11 + 3 + 1.2
        assert (log.logged, log.dropped) == (0, 5000)

    run_virtually(main())


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_batch_is_dropped_after_its_attempts(attempts: int) -> None:
    tries: list[float] = []

    async def refuse(now: float) -> None:
        tries.append(now)
        raise OSError("no")

    async def main() -> None:
        log = PredictionLog(Sink(refuse), attempts=attempts, backoff=0.1)
        await log.start()
        log.offer(_row(1))
        await asyncio.sleep(0.75)
        assert (log.logged, log.dropped, len(tries)) == (0, 1, attempts)
        await log.close(1.0)

    run_virtually(main())
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(tries)]
    assert gaps == [0.1, 0.2][: attempts - 1]


def test_close_writes_what_is_left_and_then_takes_nothing() -> None:
    sink = Sink()

    async def main() -> None:
        log = PredictionLog(sink, linger=100.0)
        await log.start()
        for number in range(1000):
            log.offer(_row(number))
        await log.close(5.0)
        assert (log.logged, log.dropped) == (1000, 0)
        assert not log.offer(_row(1))
        assert (log.logged, log.dropped, log.offered) == (1000, 1, 1001)

    run_virtually(main())
    assert len(sink.lines) == 1000


def test_close_ends_at_its_deadline_and_counts_the_rest() -> None:
    async def main() -> None:
        log = PredictionLog(Sink(_refuse), attempts=1000)
        await log.start()
        for number in range(1000):
            log.offer(_row(number))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await log.close(2.0)
        assert loop.time() - begun <= 2.2
        assert (log.logged, log.dropped, log.offered) == (0, 1000, 1000)

    run_virtually(main())


def test_a_row_that_cannot_be_encoded_is_dropped_alone() -> None:
    sink = Sink()

    async def main() -> None:
        log = PredictionLog(sink)
        await log.start()
        log.offer(_row(1))
        log.offer(("too", "short"))
        log.offer(object())
        log.offer(_row(2))
        await log.close(1.0)
        assert (log.logged, log.dropped, log.offered) == (2, 2, 4)

    run_virtually(main())
    assert _ids(sink) == ["id-1", "id-2"]


def test_an_idle_log_ticks_its_sink_so_that_segments_finish() -> None:
    sink = Sink()

    async def main() -> None:
        log = PredictionLog(sink)
        await log.start()
        await asyncio.sleep(5.5)
        await log.close(1.0)

    run_virtually(main())
    assert 4 <= sink.ticks <= 6


def test_an_idle_tick_may_fail() -> None:
    async def main() -> None:
        log = PredictionLog(Sink(_refuse), attempts=1)
        await log.start()
        await asyncio.sleep(3)
        log.offer(_row(1))
        await log.close(1.0)
        assert (log.logged, log.dropped) == (0, 1)

    run_virtually(main())


@pytest.mark.parametrize("seed", range(20))
def test_the_account_is_exact_for_any_mixture_of_faults(seed: int) -> None:
    chance = random.Random(seed)

    async def moody(_: float) -> None:
        mood = chance.random()
        if mood < 0.3:
            raise OSError("no")
        if mood < 0.5:
            await asyncio.sleep(chance.random() * 3)

    sink = Sink(moody)

    async def main() -> PredictionLog:
        log = PredictionLog(sink, capacity=500, attempts=2, write_seconds=1.0)
        await log.start()
        for number in range(5000):
            log.offer(_row(number) if chance.random() < 0.99 else None)
            if chance.random() < 0.02:
                await asyncio.sleep(chance.random())
        assert log.offered == 5000
        await log.close(chance.choice([0.0, 0.5, 60.0]))
        return log

    log = run_virtually(main())
    assert log.logged + log.dropped == log.offered == 5000
    assert len(sink.lines) == log.logged


@pytest.mark.parametrize("wrong", [{"capacity": 0}, {"attempts": 0}])
def test_a_log_without_room_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="room"):
        PredictionLog(Sink(), **wrong)


def test_requests_of_many_rows_do_not_leave_the_log_behind() -> None:
    async def turn_of_a_disk(_: float) -> None:
        # A write comes back a turn of the event loop later, as from a thread.
        await asyncio.sleep(0)

    async def flood() -> tuple[PredictionLog, Sink]:
        sink = Sink(turn_of_a_disk)
        log = PredictionLog(sink, 10_000)
        await log.start()
        for turn in range(40):
            for i in range(1200):
                log.offer(_row(1200 * turn + i))
            await asyncio.sleep(0)
        await log.close(5.0)
        return log, sink

    log, sink = run_virtually(flood())
    assert (log.logged, log.dropped) == (48_000, 0)
    assert _ids(sink) == [f"id-{i}" for i in range(48_000)]
