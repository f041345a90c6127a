"""Whether the online store is well, as the request path sees it: said on each change, not per request."""

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class StoreHealth:
    """Logs one warning when the store falls ill and one when it is well again.

    It is well again once it has answered for `calm_seconds` without a failure, so a store that misses
    every second budget is not two lines a request. A well store costs one comparison a read.
    """

    def __init__(self, calm_seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._calm = calm_seconds
        self._clock = clock
        self._last_failure: float | None = None
        self._failures = 0

    def failed(self, error: Exception) -> None:
        """Note a read that raised StoreUnavailable."""
        if self._last_failure is None:
            _log.warning("online store: %s; its rows get declared defaults", error)
        self._last_failure = self._clock()
        self._failures += 1

    def answered(self) -> None:
        """Note a read that was answered."""
        if self._last_failure is not None and self._clock() - self._last_failure >= self._calm:
            _log.warning("online store: well again, after %d requests that it failed", self._failures)
            self._last_failure, self._failures = None, 0
