"""An open-loop client: requests leave by the clock, and latency counts from when each was due.

python -m bench.open_loop PORT RATE SECONDS < body     prints one JSON object of milliseconds
"""

import asyncio
import json
import sys
from collections import deque
from typing import Any

import uvloop

CONNECTIONS = 32


class Connection(asyncio.Protocol):
    """Sends requests one behind the other; `waiting` are the due times of what is not answered yet."""

    def __init__(self, latencies: list[float]) -> None:
        self.waiting: deque[float] = deque()
        self._latencies = latencies
        self._buffer = b""
        self.failed = 0

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Cut whole responses off the buffer by their content-length."""
        now = asyncio.get_running_loop().time()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self.failed += not head.startswith(b"http/1.1 200")
            self._latencies.append(now - self.waiting.popleft())


async def run(port: int, rate: float, seconds: float, body: bytes) -> dict[str, float]:
    """Return p50, p99, p999 in milliseconds, and the counts."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    connections = [
        (await loop.create_connection(lambda: Connection(latencies), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    request = (
        b"POST /v1/models/bench:predict HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
    total = int(rate * seconds)
    start = loop.time() + 0.1
    for i in range(total):
        due = start + i / rate
        while (wait := due - loop.time()) > 0:
            # The loop's timers have a resolution of 1 ms; the last of it is spent turning.
            await asyncio.sleep(wait - 0.001 if wait > 0.002 else 0)
        free = min(connections, key=lambda each: len(each.waiting))
        free.waiting.append(due)
        free.transport.write(request)
    end = loop.time() + 10
    while len(latencies) < total and loop.time() < end:
        await asyncio.sleep(0.01)
    if len(latencies) < total or any(each.failed for each in connections):
        raise SystemExit(f"{total - len(latencies)} unanswered, {sum(c.failed for c in connections)} failed")
    latencies.sort()
    places = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {name: latencies[int(share * (total - 1))] * 1000 for name, share in places.items()}


if __name__ == "__main__":
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(uvloop.run(run(port, rate, seconds, sys.stdin.buffer.read()))))
