"""Asking again until something is so, within a deadline: the one loop of this room."""

import time
from collections.abc import Callable
from typing import TypeVar

from serinus_cluster.edges.shell import CommandFailed

Found = TypeVar("Found")


class NotYet(Exception):
    """What was seen instead of what is waited for."""


class InVain(RuntimeError):
    """It did not come; the message says what was waited for, how long, and what was seen last."""


def until(
    what: str,
    look: Callable[[], Found],
    seconds: float,
    *,
    pause: float = 0.5,
    waiting: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """Return what `look` returns once it raises neither NotYet nor CommandFailed.

    Args:
        what: a clause for errors, as in "waited in vain until the node is Ready".
        look: one short attempt.
        seconds: the deadline; one attempt is made in any case.
        pause: between attempts.
        waiting: called once, after the first attempt that failed.
        clock: monotonic seconds.
        sleep: passes the time of `clock`.

    Raises:
        InVain: the deadline passed.
    """
    deadline, told = clock() + seconds, False
    while True:
        try:
            return look()
        except (NotYet, CommandFailed) as seen:
            if clock() >= deadline:
                raise InVain(f"waited {seconds:.0f} s in vain until {what}\nlast: {seen}") from seen
        if not told:
            waiting()
            told = True
        sleep(pause)
