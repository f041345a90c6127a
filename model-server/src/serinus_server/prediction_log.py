"""The prediction log: off the request path, bounded, and with an exact account.

A row that is offered ends in exactly one of two counters: `logged`, when the sink has taken it, or
`dropped`, when the buffer was full, the row could not be encoded, the sink failed too often, or time
ran out at the end. After `close`, `offered == logged + dropped`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from serinus_contracts.records import PredictionRecord
from serinus_server.doors import PredictionSink

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()
_BATCH_ROWS = 256
# What a log that is behind takes at once, or requests of many rows would leave it behind for good.
_MOST_ROWS = 4096
# Rows that are encoded in one turn of the event loop: some 0.1 ms, for which requests may have to wait.
_TURN_ROWS = 32
_IDLE_TICK_SECONDS = 1.0

# A row as it is offered: the record, or its fields as a plain tuple in the record's order.
Offered = PredictionRecord | tuple[Any, ...]


def encode_record(record: Offered) -> bytes:
    """Return the row's JSON object on one line, without the line's end."""
    return _encoder.encode(PredictionRecord(*record) if type(record) is tuple else record)


class PredictionLog:
    """Buffers offered rows and hands them to a sink in batches, from one background task.

    capacity: rows that the buffer holds; more are dropped, never waited for.
    encode: turns an offered row into its line; runs in the background task, so the request path may
        offer whatever is cheapest to make.
    linger: seconds that rows may wait for company. A whole batch does not wait.
    attempts, backoff, write_seconds: how often a failing batch is tried, the first pause between tries
        (it doubles, up to 5 s), and how long one write may take.
    """

    def __init__(
        self,
        sink: PredictionSink,
        capacity: int = 60_000,
        *,
        encode: Callable[[Any], bytes] = encode_record,
        linger: float = 0.2,
        attempts: int = 8,
        backoff: float = 0.1,
        write_seconds: float = 10.0,
    ) -> None:
        if capacity < 1 or attempts < 1:
            raise ValueError("the prediction log needs room for a row and one attempt")
        self.logged = 0
        self.dropped = 0
        self._sink = sink
        self._capacity = capacity
        self._encode = encode
        self._linger = linger
        self._attempts = attempts
        self._backoff = backoff
        self._write_seconds = write_seconds
        self._buffer: deque[Any] = deque()
        self._in_flight = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._next_tick = 0.0

    @property
    def offered(self) -> int:
        """Rows offered so far. Equal to `logged + dropped` after `close`."""
        return self.logged + self.dropped + len(self._buffer) + self._in_flight

    @property
    def trimmed(self) -> int:
        """Logged rows that the sink has cut off its bound again; 0 for a sink without one."""
        return int(getattr(self._sink, "trimmed", 0))

    def offer(self, record: Offered | Any) -> bool:
        """Take one row, or drop and count it. Never blocks, never raises; returns whether it was taken."""
        buffer = self._buffer
        if len(buffer) >= self._capacity or self._closing:
            self.dropped += 1
            return False
        buffer.append(record)
        if len(buffer) == _BATCH_ROWS:
            self._wake.set()
        return True

    async def start(self) -> None:
        """Start the background task. Call once, inside the event loop."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._next_tick = loop.time() + _IDLE_TICK_SECONDS
            self._task = loop.create_task(self._run())

    async def close(self, deadline_seconds: float) -> None:
        """Write what is left, for at most `deadline_seconds`, and count the rest as dropped.

        Rows offered from now on are dropped. Safe to call twice.
        """
        self._closing = True
        self._wake.set()
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_seconds
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=deadline_seconds)
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=1.0)
        self.dropped += len(self._buffer) + self._in_flight
        self._buffer.clear()
        self._in_flight = 0
        try:
            async with asyncio.timeout(max(0.1, end - loop.time())):
                await self._sink.close()
        except (OSError, TimeoutError) as error:
            _log.warning("the prediction log's sink did not close cleanly: %s", error)

    async def _run(self) -> None:
        while True:
            if len(self._buffer) < _BATCH_ROWS and not self._closing:
                await self._rest()
            lines = await self._take()
            if lines:
                await self._deliver(lines)
                # Requests go first: one batch, then one turn of the event loop.
                await asyncio.sleep(0)
            elif self._closing and not self._buffer:
                return

    async def _rest(self) -> None:
        # One row does not wake the task: at low rates rows leave every `linger` seconds.
        self._wake.clear()
        try:
            async with asyncio.timeout(self._linger):
                await self._wake.wait()
        except TimeoutError:
            now = asyncio.get_running_loop().time()
            if not self._buffer and now >= self._next_tick:
                self._next_tick = now + _IDLE_TICK_SECONDS
                await self._tick()

    async def _tick(self) -> None:
        # An empty write lets a sink finish what has grown old while nothing came.
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._sink.write(())
        except (OSError, TimeoutError) as error:
            _log.debug("idle tick of the sink: %s", error)

    async def _take(self) -> list[bytes]:
        buffer = self._buffer
        lines: list[bytes] = []
        behind = len(buffer) > 2 * _BATCH_ROWS
        for i in range(min(_MOST_ROWS if behind else _BATCH_ROWS, len(buffer))):
            if i and i % _TURN_ROWS == 0 and not behind:
                await asyncio.sleep(0)
            record = buffer.popleft()
            try:
                lines.append(self._encode(record))
            except Exception as error:  # a row that cannot be encoded must not end the log
                self.dropped += 1
                _log.warning("a prediction could not be logged: %s", error)
            # Kept exact row by row: the task may be cancelled between two turns.
            self._in_flight = len(lines)
        return lines

    async def _deliver(self, lines: list[bytes]) -> None:
        pause = self._backoff
        for attempt in range(1, self._attempts + 1):
            try:
                async with asyncio.timeout(self._write_seconds):
                    await self._sink.write(lines)
            except (OSError, TimeoutError) as error:
                if attempt == 1:
                    _log.warning("the prediction log's sink fails: %s", error)
            else:
                self.logged += len(lines)
                self._in_flight = 0
                return
            if attempt < self._attempts:
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)
        self.dropped += len(lines)
        self._in_flight = 0
        _log.warning("dropped %d logged predictions after %d attempts", len(lines), self._attempts)
