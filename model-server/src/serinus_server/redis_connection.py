"""One pipelined Redis connection over asyncio: all requests of one event-loop turn leave in one write.

A request never waits longer than the time budget. A connection that does not answer is cut and
replaced in the background, with back-off; until the new one has answered a PING within the budget,
requests fail at once (the circuit is open), so a dead or hung Redis costs nothing per request.
"""

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis

from serinus_server.redis_address import CA_OPTION, RedisAddress

_log = logging.getLogger(__name__)
_CONNECT_SECONDS = 1.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.05, 1.0
# The circuit opens after this many answers in a row came too late, or after a silence this long.
_LATE_IN_A_ROW = 32
_SILENT_BUDGETS = 3.0
# After an event-loop stall, timers run before the socket is read: answers may already lie there.
_GRACE_SECONDS = 0.001


class RedisUnavailable(Exception):
    """Redis did not answer within the budget, is down, or refused the command."""


class _Waiter:
    __slots__ = ("deadline", "future", "missing", "replies", "sent")

    def __init__(self, future: asyncio.Future[list[Any]], missing: int, sent: float, deadline: float) -> None:
        self.future = future
        self.missing = missing
        self.sent = sent
        self.deadline = deadline
        self.replies: list[Any] = []


class _Wire(asyncio.Protocol):
    """One TCP connection: writes in batches, hands replies to the waiters in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Any) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0
        self._heard = loop.time()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP and TLS give a Transport
        self._heard = self._loop.time()

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(f"connection lost: {error or 'closed by Redis'}")

    def request(self, commands: Sequence[bytes], budget: float) -> asyncio.Future[list[Any]]:
        """Send `commands` at the end of this turn; the future has their replies, in order."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        now = self._loop.time()
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.extend(commands)
        self._waiters.append(_Waiter(future, len(commands), now, now + budget))
        if self._timer is None:
            self._timer = self._loop.call_later(budget, self._expire_after_grace)
        return future

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and not self.closed:
            self._transport.write(b"".join(outgoing))

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        reader, waiters = self._reader, self._waiters
        try:
            reader.feed(data)
            while waiters:
                waiter = waiters[0]
                replies = waiter.replies
                while waiter.missing:
                    reply = reader.gets()
                    if reply is False:
                        return
                    replies.append(reply)
                    waiter.missing -= 1
                waiters.popleft()
                if not waiter.future.done():
                    self._late = 0
                    waiter.future.set_result(replies)
        except hiredis.ProtocolError as error:
            self.fail(f"what answered is no Redis: {error}")

    def _expire_after_grace(self) -> None:
        self._timer = self._loop.call_later(_GRACE_SECONDS, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        silent_since = max(self._heard, self._waiters[0].sent) if self._waiters else now
        for waiter in self._waiters:
            if waiter.deadline > now:
                self._timer = self._loop.call_later(waiter.deadline - now, self._expire_after_grace)
                break
            if not waiter.future.done():
                self._late += 1
                waiter.future.set_exception(RedisUnavailable("no answer within the budget"))
                if now - silent_since > _SILENT_BUDGETS * (waiter.deadline - waiter.sent):
                    self.fail("it does not answer")
                    return
        if self._late >= _LATE_IN_A_ROW:
            self.fail(f"{self._late} answers in a row came too late")

    def fail(self, reason: str) -> None:
        """Cut the connection and fail every request that waits. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.future.done():
                waiter.future.set_exception(RedisUnavailable(reason))
        self._on_lost(reason)


class RedisConnection:
    """A connection that mends itself. `budget` is the longest wait of one request, in seconds."""

    def __init__(self, address: RedisAddress, budget: float) -> None:
        self._address = address
        self._budget = budget
        self._wire: _Wire | None = None
        self._mending: asyncio.Task[None] | None = None
        self._first_try: asyncio.Future[None] | None = None
        self._closed = False

    async def request(self, commands: Sequence[bytes]) -> list[Any]:
        """Return one reply per command. Raises RedisUnavailable, within the budget, always.

        A reply that is an error of Redis fails the whole request.
        """
        wire = self._wire
        if wire is None:
            wire = await self._first_connection()
        replies = await wire.request(commands, self._budget)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise RedisUnavailable(f"{self._address} refused: {reply}")
        return replies

    async def _first_connection(self) -> _Wire:
        # Only requests before the first try has ended wait for a connection, within their budget.
        if self._closed:
            raise RedisUnavailable("closed")
        if self._first_try is None:
            self._first_try = asyncio.get_running_loop().create_future()
            self._mend()
        if not self._first_try.done():
            # Not asyncio.timeout, which wants a task: the first step of a request is made outside of one.
            await asyncio.wait({self._first_try}, timeout=self._budget)
            if not self._first_try.done():
                raise RedisUnavailable(f"{self._address}: not connected within the budget")
        if self._wire is None:
            raise RedisUnavailable(f"{self._address} is down")
        return self._wire

    def _mend(self) -> None:
        if not self._closed and self._mending is None:
            self._mending = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        backoff = _FIRST_BACKOFF
        said = ""
        while not self._closed:
            try:
                self._wire = await self._connect()
            except (OSError, RedisUnavailable, TimeoutError) as error:
                reason = _reason(error)
                if reason != said:
                    _log.warning("%s: %s; trying again", self._address, reason)
                    said = reason
            if self._first_try is not None and not self._first_try.done():
                self._first_try.set_result(None)
            if self._wire is not None:
                break
            # Half of the wait is random, so that a fleet does not come back as one.
            await asyncio.sleep(backoff * (0.5 + random.random() / 2))  # noqa: S311  no secret
            backoff = min(_LONGEST_BACKOFF, backoff * 2)
        self._mending = None
        if said:
            _log.warning("%s: answers again", self._address)

    async def _connect(self) -> _Wire:
        loop = asyncio.get_running_loop()
        wire: _Wire = _Wire(loop, lambda reason: self._lost(wire, reason))
        async with asyncio.timeout(_CONNECT_SECONDS):
            await loop.create_connection(
                lambda: wire, self._address.host, self._address.port, ssl=self._address.tls
            )
        try:
            # The budget is the bound here too: a Redis that is slower is as good as dead to requests.
            for reply in await wire.request(self._address.greeting, self._budget):
                if isinstance(reply, hiredis.ReplyError):
                    raise RedisUnavailable(str(reply))
        except BaseException:
            wire.fail("the greeting failed")
            raise
        return wire

    def _lost(self, wire: _Wire, reason: str) -> None:
        if self._wire is wire:
            self._wire = None
            if not self._closed:
                _log.warning("%s: %s; rows get defaults until it answers again", self._address, reason)
                self._mend()

    async def close(self) -> None:
        """Cut the connection and stop mending. Safe to call twice."""
        self._closed = True
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
            self._mending = None
        if self._wire is not None:
            self._wire.fail("closed")
            self._wire = None


def _reason(error: Exception) -> str:
    """Return in words why a connection was not made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}; {CA_OPTION} in the address names the CAs"
    return f"{type(error).__name__}: {error}"
