"""What waits to be looked at: keys, each once, one worker, and a pause that grows while a key fails."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

Key = tuple[str, str]
_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# How often the loop shows that it lives while there is nothing to do.
BEAT_SECONDS = 5.0


class Work:
    """A queue of (namespace, name). Adding what waits already changes nothing.

    Use it in one event loop. `beat` is time.monotonic() of the worker's last sign of life.
    """

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self.beat = time.monotonic()

    def add(self, key: Key) -> None:
        """Let a key be looked at next. News end the pause of one that failed."""
        self._due[key] = time.monotonic()
        self._changed.set()

    def defer(self, key: Key, seconds: float) -> None:
        """Let a key be looked at once nobody has deferred it for so many seconds."""
        self._due[key] = time.monotonic() + seconds
        self._changed.set()

    async def run(self, look: Callable[[Key], None]) -> None:
        """Look at keys for ever, oldest first, in a thread. What fails comes again later."""
        while True:
            self.beat = time.monotonic()
            key = await self._next()
            if key is None:
                continue
            try:
                await asyncio.to_thread(look, key)
            except Exception as error:  # whatever it is, the other services' routes go on
                self._later(key, error)
            else:
                self._failures.pop(key, None)

    async def _next(self) -> Key | None:
        """Return a key that is due, None after a beat without one."""
        self._changed.clear()
        key = min(self._due, key=self._due.__getitem__, default=None)
        wait = BEAT_SECONDS if key is None else self._due[key] - time.monotonic()
        if key is not None and wait <= 0:
            del self._due[key]
            return key
        # No task of its own, as wait_for makes: at its end Kopf waits for every task that it does not know.
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait, BEAT_SECONDS)):
                await self._changed.wait()
        return None

    def _later(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
        _log.warning("%s/%s: %s: %s; again in %g s", *key, type(error).__name__, error, pause)
        # News that came meanwhile are not put off.
        self._due.setdefault(key, time.monotonic() + pause)
