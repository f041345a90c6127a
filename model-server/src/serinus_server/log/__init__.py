"""Sinks of the prediction log: where batches of encoded records go.

Holds: one file per sink (directory, redis) and the choice between them by URL.
Must not: block the event loop, or keep a batch whose `write` has raised; the log retries.
Who may call it: `prediction_log.PredictionLog`, through the door `PredictionSink`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from serinus_server.doors import PredictionSink


class NoSink:
    """Takes every batch and forgets it: for servers whose predictions nobody wants to keep."""

    async def write(self, lines: Sequence[bytes]) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def make_sink(url: str) -> PredictionSink:
    """Return the sink at `url`: `dir:/path`, `redis[s]://host:port/db?stream=name[&maxlen=n]` or `none`.

    `maxlen` bounds the stream (about; 1,000,000 by default, 0 for no bound). A folder is made and tried.
    Raises ValueError naming what is wrong.
    """
    if url in ("", "none"):
        return NoSink()
    if url.startswith("dir:"):
        from serinus_server.log.directory import DirectorySink

        path = unquote(url.removeprefix("dir:").removeprefix("//"))
        if not path:
            raise ValueError("prediction log sink dir: needs a path, as in dir:/var/log/serinus")
        _check_writable(Path(path))
        return DirectorySink(Path(path))
    if url.startswith(("redis://", "rediss://")):
        from serinus_server.log.redis import RedisSink

        return RedisSink(url)
    raise ValueError(f"prediction log sink {url[:20]!r}: must be dir:/path, redis://…?stream=name or none")


def _check_writable(folder: Path) -> None:
    # Found out later, it would be rows dropped one by one.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"prediction log sink: {folder} cannot be written: {error.strerror}; name a folder of this user"
        ) from None
