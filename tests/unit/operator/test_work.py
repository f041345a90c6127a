"""The operator's queue: each key once, news first, and a failure comes again."""

import asyncio
import time
from collections.abc import Callable

from serinus_operator.work import Key, Work

A, B = ("team", "a"), ("team", "b")


def run(work_of: Callable[[Work], None], look: Callable[[Key, list[Key]], None], count: int) -> list[Key]:
    """Run a queue until `count` keys were looked at, and return them in order."""

    async def main() -> list[Key]:
        work, seen, enough = Work(), [], asyncio.Event()
        loop = asyncio.get_running_loop()

        def one(key: Key) -> None:
            seen.append(key)
            if len(seen) == count:
                loop.call_soon_threadsafe(enough.set)
            look(key, seen)

        work_of(work)
        worker = asyncio.create_task(work.run(one))
        await asyncio.wait_for(enough.wait(), 20)
        worker.cancel()
        assert time.monotonic() - work.beat < 20
        return seen

    return asyncio.run(main())


def nothing(key: Key, seen: list[Key]) -> None:
    """Succeed."""


def test_what_waits_is_looked_at_once_and_in_order():
    def three(work: Work) -> None:
        for key in (A, B, B):
            work.add(key)

    assert run(three, nothing, 2) == [A, B]


def test_what_fails_comes_again_and_others_do_not_wait():
    def fail_once(key: Key, seen: list[Key]) -> None:
        if key == A and seen.count(A) == 1:
            raise ValueError("as told")

    def both(work: Work) -> None:
        work.add(A)
        work.add(B)

    assert run(both, fail_once, 3) == [A, B, A]


def test_what_is_deferred_waits_for_quiet():
    def deferred(work: Work) -> None:
        work.defer(A, 0.0)
        work.defer(A, 0.3)
        work.add(B)

    assert run(deferred, nothing, 2) == [B, A]
