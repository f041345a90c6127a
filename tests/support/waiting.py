"""Waiting for something to be so, within a deadline: the one loop of the tests."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class NotYet(Exception):
    """What was seen instead of what is waited for."""


def until(what: str, look: Callable[[], Found], seconds: float, pause: float = 0.3) -> Found:
    """Return what `look` returns once it raises NotYet no more.

    Raises AssertionError at the deadline, with what was waited for and what was seen last.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return look()
        except NotYet as seen:
            if time.monotonic() >= deadline:
                raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {seen}") from None
        time.sleep(pause)
