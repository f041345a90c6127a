"""Requests sent by the clock: a slow answer does not slow the next request down."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Reply:
    """One request and its answer. `seconds` counts from when it was due; `status` 0: no answer came."""

    due: float
    server: int
    customer: int
    status: int
    seconds: float
    body: dict[str, Any]

    @property
    def degraded(self) -> bool:
        return any(mark.get("degraded") for mark in self.body.get("marks", ()))

    @property
    def unknown(self) -> bool:
        return any(mark.get("found") is False for mark in self.body.get("marks", ()))


class OpenLoop:
    """Asks `urls` in turn for one customer after the other at `rate` requests a second until `stop`."""

    def __init__(self, urls: Sequence[str], customers: int, rate: float) -> None:
        self.replies: list[Reply] = []
        self._urls, self._customers, self._rate = urls, customers, rate
        self._stopped = asyncio.Event()
        self._pending: set[asyncio.Task[None]] = set()

    async def run(self, deadline_seconds: float) -> None:
        """Send until `stop` is called, then wait for every answer. Raises TimeoutError at the deadline."""
        async with asyncio.timeout(deadline_seconds), httpx.AsyncClient(timeout=10) as client:
            begun, number = time.monotonic(), 0
            while not self._stopped.is_set():
                due = begun + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                task = asyncio.create_task(self._ask(client, number, due))
                self._pending.add(task)
                task.add_done_callback(self._pending.discard)
                number += 1
            await asyncio.gather(*self._pending)

    def stop(self) -> None:
        self._stopped.set()

    async def until(self, wanted: int, *, degraded: bool, since: float, seconds: float = 30.0) -> None:
        """Wait until `wanted` requests due after `since` were answered, degraded or not, or fail."""
        async with asyncio.timeout(seconds):
            while sum(r.degraded is degraded for r in self.replies if r.due > since and r.body) < wanted:
                await asyncio.sleep(0.02)

    async def _ask(self, client: httpx.AsyncClient, number: int, due: float) -> None:
        server, customer = number % len(self._urls), number // len(self._urls) % self._customers + 1
        try:
            answer = await client.post(self._urls[server], json={"instances": [{"customer_id": customer}]})
            status, body = answer.status_code, answer.json()
        except httpx.HTTPError as error:
            status, body = 0, {"error": repr(error)}
        self.replies.append(Reply(due, server, customer, status, time.monotonic() - due, body))
