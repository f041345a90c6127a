"""The log as append-only JSON-lines segments in one folder.

The segment being written ends in `.jsonl.open` and is locked (flock) by its writer; a finished one is
flushed to disk (fsync) and renamed to `.jsonl`, so a collector never reads half a line. Each batch is
handed to the operating system at once: a killed process loses nothing that was logged, a machine that
loses power loses at most the open segment.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

OPEN_SUFFIX = ".jsonl.open"
SUFFIX = ".jsonl"


class DirectorySink:
    """Writes segments of at most about `segment_bytes` bytes or `segment_seconds` seconds."""

    def __init__(self, folder: Path, *, segment_bytes: int = 16 << 20, segment_seconds: float = 5.0) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._path: Path | None = None
        self._file = -1
        self._size = 0
        self._opened = 0.0
        self._count = 0

    async def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`; an empty batch only finishes a segment that has grown old. Raises OSError."""
        # A disk may hang: the event loop must not.
        await asyncio.to_thread(self._write, lines)

    async def close(self) -> None:
        """Finish the open segment. Safe to call twice."""
        await asyncio.to_thread(self._finish)

    def _write(self, lines: Sequence[bytes]) -> None:
        if lines:
            if self._path is None:
                self._open()
            data = b"\n".join(lines) + b"\n"
            try:
                self._append(data)
            except OSError:
                # Cut off what a full disk took of the batch: the retry writes it whole.
                os.ftruncate(self._file, self._size)
                raise
            self._size += len(data)
        old = time.monotonic() - self._opened >= self._segment_seconds
        if self._path is not None and (old or self._size >= self._segment_bytes):
            self._finish()

    def _append(self, data: bytes) -> None:
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[os.write(self._file, remaining) :]

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{self._count:06d}{OPEN_SUFFIX}"
        path = self._folder / name
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path, self._file, self._size, self._opened = path, file, 0, time.monotonic()

    def _finish(self) -> None:
        if self._path is None:
            return
        os.fsync(self._file)
        self._path.rename(self._path.with_name(self._path.name.removesuffix(OPEN_SUFFIX) + SUFFIX))
        os.close(self._file)
        self._path, self._file = None, -1
