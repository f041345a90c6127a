"""Where the servers' prediction log lies: a folder of segments, or a Redis stream.

A source gives batches under names that stay the same until they are acknowledged, so whoever writes one
file a batch and acknowledges it afterwards can be killed anywhere and doubles nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import redis

from serinus_jobs.errors import JobError
from serinus_jobs.redis_url import CA_OPTION, answering, authorities

GROUP = "serinus-collect"
BATCH_ROWS = 20_000
_SECONDS = 10.0
_CURE = "start Redis or correct --source, then run it again: nothing is lost"


@dataclass(frozen=True)
class Batch:
    """Encoded records, one a line. `lost` entries were trimmed from the stream before they were read."""

    name: str
    lines: list[bytes]
    keys: tuple[bytes, ...] = ()
    lost: int = 0


class LogSource(Protocol):
    """Gives what the log holds now, in batches, and forgets a batch once it is acknowledged."""

    def batches(self) -> Iterator[Batch]:
        """Yield batches. The one before must be acknowledged first."""
        ...

    def acknowledge(self, batch: Batch) -> None:
        """Forget `batch`: it is safe elsewhere."""
        ...


def open_source(source: str) -> LogSource:
    """Return the source at a folder (`dir:/path` or a path) or `redis[s]://host:port/db?stream=name`."""
    if source.startswith(("redis://", "rediss://")):
        return StreamSource(source)
    return DirectorySource(Path(unquote(source.removeprefix("dir:").removeprefix("//"))))


class DirectorySource:
    """A folder of segments as the server's directory sink writes them; acknowledged ones are deleted."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise JobError(f"{folder}: is no folder; is it where SERINUS_LOG_SINK=dir:… writes?")
        self._folder = folder

    def batches(self) -> Iterator[Batch]:
        """Yield finished segments, oldest first, those of killed writers among them."""
        for path in self._folder.glob("*.jsonl.open"):
            _finish_abandoned(path)
        for path in sorted(self._folder.glob("*.jsonl")):
            yield Batch(path.stem, path.read_bytes().splitlines())

    def acknowledge(self, batch: Batch) -> None:
        """Delete the segment."""
        (self._folder / f"{batch.name}.jsonl").unlink(missing_ok=True)


def _finish_abandoned(path: Path) -> None:
    """Finish an open segment that no living writer holds: cut the half line, if any, and rename it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # its writer finished it just now
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            data = path.read_bytes()
            os.ftruncate(file, data.rfind(b"\n") + 1)
            path.rename(path.with_suffix(""))
    except BlockingIOError:
        pass  # it is being written
    finally:
        os.close(file)


class StreamSource:
    """A Redis stream as the server's sink writes it. The position is a consumer group's in Redis;
    acknowledged entries are deleted, so what the stream holds is what is not collected yet."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._stream = options.get("stream", ["predictions"])[-1]
        self._shown = f"{parts.hostname}:{parts.port or 6379}{parts.path} stream {self._stream}"
        bare = parts._replace(query="").geturl()
        tls = {CA_OPTION: path} if (path := authorities("--source", url)) else {}
        self._client = redis.Redis.from_url(
            bare, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, **tls
        )

    def batches(self) -> Iterator[Batch]:
        """Yield what an earlier run left unacknowledged, then what is new, up to the stream's end now."""
        with answering(self._shown, _CURE):
            try:
                info: Any = self._client.xinfo_stream(self._stream)
            except redis.ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return  # no server has written yet; a stream of ours would hide a misspelt name
            try:
                self._client.xgroup_create(self._stream, GROUP, id="0")
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            end = _position(info["last-generated-id"])
            for start in ("0", ">"):
                while batch := self._next(start):
                    yield batch
                    if start == ">" and _position(batch.keys[-1]) >= end:
                        return

    def _next(self, start: str) -> Batch | None:
        found: Any = self._client.xreadgroup(GROUP, GROUP, {self._stream: start}, count=BATCH_ROWS)
        entries = found[0][1] if found else []
        if not entries:
            return None
        keys = tuple(key for key, _ in entries)
        lines = [fields.get(b"r", b"") for _, fields in entries if fields]
        name = f"stream-{keys[0].decode()}-{keys[-1].decode()}"
        return Batch(name, lines, keys, lost=len(keys) - len(lines))

    def acknowledge(self, batch: Batch) -> None:
        """Acknowledge and delete the batch's entries, both or neither."""
        with answering(self._shown, _CURE), self._client.pipeline(transaction=True) as pipe:
            pipe.xack(self._stream, GROUP, *batch.keys)
            pipe.xdel(self._stream, *batch.keys)
            pipe.execute()


def _position(key: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = key.partition(b"-")
    return int(milliseconds), int(sequence)
