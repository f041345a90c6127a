"""The users: an open-loop client at a fixed rate, in a process of its own, without retries.

`python -m serinus_local.load --url ... --traffic traffic.jsonl --rate 200 --outcomes outcomes.csv`

A request is sent when its time has come, however many are still open, and its latency counts from
that time: a slow answer cannot hide the requests behind it. SIGHUP reads the traffic file again,
SIGTERM stops sending, waits for what is open and ends.
"""

import argparse
import asyncio
import json
import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiohttp
import uvloop

from serinus_contracts.records import PREDICTION_ID_HEADER, REVISION_HEADER

COLUMNS = ("prediction_id", "at", "latency_ms", "status", "revision", "entity")
# What every prediction id of a user's request begins with.
USERS = "user"
_OPEN_LIMIT = 2_000
_TIMEOUT = 10.0
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    """One prepared request. `entity` is the key by which the world later tells the truth about it."""

    path: str
    body: bytes
    entity: str


@dataclass(frozen=True)
class Outcome:
    """What one request's user saw. `at` is Unix time when it was due; `status` 0 is a lost connection."""

    prediction_id: str
    at: float
    latency_ms: float
    status: int
    revision: str
    entity: str

    @property
    def failed(self) -> bool:
        """Return whether the user got no answer: a lost connection or a fault of the server's."""
        return self.status == 0 or self.status >= 500


def write_traffic(path: Path, requests: list[Request]) -> None:
    """Write the requests that the load cycles through."""
    lines = (
        json.dumps({"path": each.path, "body": each.body.decode(), "entity": each.entity})
        for each in requests
    )
    draft = path.with_suffix(".draft")
    draft.write_text("\n".join(lines) + "\n")
    draft.replace(path)


def read_traffic(path: Path) -> list[Request]:
    """Read what `write_traffic` wrote."""
    with path.open() as lines:
        found = [json.loads(line) for line in lines]
    return [Request(each["path"], each["body"].encode(), each["entity"]) for each in found]


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """Read the outcomes so far; a last line that is still being written is left out."""
    with path.open() as lines:
        next(lines, None)
        for line in lines:
            if not line.endswith("\n"):
                return
            identity, at, latency, status, revision, entity = line[:-1].split(",")
            yield Outcome(identity, float(at), float(latency), int(status), revision, entity)


class Load:
    """One run of the client."""

    def __init__(
        self,
        url: str,
        traffic: Path,
        rate: float,
        outcomes: IO[str],
        prefix: str,
        headers: Mapping[str, str] | None = None,
        seconds: float = math.inf,
    ) -> None:
        """Send to `url` with `headers`, for `seconds` at most."""
        self._url = url
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._seconds = seconds
        self._traffic = traffic
        self._rate = rate
        self._outcomes = outcomes
        self._prefix = prefix
        self._requests = read_traffic(traffic)
        self._stopping = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        outcomes.write(",".join(COLUMNS) + "\n")

    def reload(self) -> None:
        """Take the traffic file as it is now."""
        self._requests = read_traffic(self._traffic)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def run(self) -> int:
        """Send until stopped. Return how many were sent; raises RuntimeError when too many stay open."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
        async with aiohttp.ClientSession(self._url, connector=connector, timeout=timeout) as session:
            started, wall, sent = time.monotonic(), time.time(), 0
            flushed = started
            while not self._stopping.is_set() and time.monotonic() - started < self._seconds:
                now = time.monotonic()
                while started + sent / self._rate <= now:
                    due = started + sent / self._rate
                    task = asyncio.create_task(self._send(session, sent, due, wall + due - started))
                    self._open.add(task)
                    task.add_done_callback(self._open.discard)
                    sent += 1
                if len(self._open) > _OPEN_LIMIT:
                    raise RuntimeError(f"{len(self._open)} requests stay open; the rate is too high")
                if now - flushed > _FLUSH_SECONDS:
                    self._outcomes.flush()
                    flushed = now
                try:
                    pause = max(0.0, started + sent / self._rate - time.monotonic())
                    await asyncio.wait_for(self._stopping.wait(), pause)
                except TimeoutError:
                    pass
            if self._open:
                await asyncio.wait(self._open, timeout=_TIMEOUT)
        self._outcomes.flush()
        return sent

    async def _send(self, session: aiohttp.ClientSession, number: int, due: float, at: float) -> None:
        request = self._requests[number % len(self._requests)]
        identity = f"{self._prefix}-{number:06d}"
        headers = {**self._headers, PREDICTION_ID_HEADER: identity}
        status, revision = 0, ""
        try:
            async with session.post(request.path, data=request.body, headers=headers) as answer:
                await answer.read()
                status, revision = answer.status, answer.headers.get(REVISION_HEADER, "")
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # status 0 is the record of it
        latency = (time.monotonic() - due) * 1000
        self._outcomes.write(f"{identity},{at:.4f},{latency:.3f},{status},{revision},{request.entity}\n")


async def _main(arguments: argparse.Namespace) -> int:
    with arguments.outcomes.open("w") as outcomes:
        load = Load(
            arguments.url,
            arguments.traffic,
            arguments.rate,
            outcomes,
            arguments.prefix,
            dict(arguments.header),
            arguments.seconds,
        )
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, load.stop)
        loop.add_signal_handler(signal.SIGHUP, load.reload)
        return await load.run()


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name and colon):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name.strip().lower(), value.strip()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="serinus_local.load", description="open-loop load")
    parser.add_argument("--url", required=True)
    parser.add_argument("--traffic", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--prefix", default=USERS)
    parser.add_argument("--header", type=_header, action="append", default=[], help="NAME:VALUE, repeatable")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop by itself after so long")
    sent = uvloop.run(_main(parser.parse_args()))
    print(f"sent {sent} requests", file=sys.stderr)


if __name__ == "__main__":
    main()
