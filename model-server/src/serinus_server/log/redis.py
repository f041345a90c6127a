"""The log as a Redis stream: one entry a row, field `r`, trimmed to a bound that is counted.

Not the feature store's Redis: that one must never evict, this one is bounded by its stream.
"""

import logging
from collections.abc import Sequence

from serinus_server.redis_address import CA_OPTION, command, parse_address
from serinus_server.redis_connection import RedisConnection, RedisUnavailable

_log = logging.getLogger(__name__)
FIELD = b"r"
_MAXLEN = 1_000_000
_TRIM_EVERY_ROWS = 1024


class RedisSink:
    """Adds rows to a stream, one pipelined write a batch.

    When a write fails after it was sent, nobody knows whether Redis took it; the log then sends the
    batch again, so a row may stand twice and carries its `prediction_id` to be told by.
    `trimmed` counts the entries that this writer has cut off at the bound before they were collected.
    """

    def __init__(self, url: str, *, write_seconds: float = 5.0) -> None:
        address = parse_address(url)
        options = dict(address.options)
        unknown = sorted(set(options) - {"stream", "maxlen"})
        if unknown:
            known = f"stream, maxlen, {CA_OPTION}"
            raise ValueError(f"prediction log sink: unknown option {unknown[0]!r}; known are {known}")
        maxlen = options.get("maxlen", str(_MAXLEN))
        if not maxlen.isdecimal():
            raise ValueError(f"prediction log sink: maxlen must be a number, not {maxlen[:20]!r}")
        if not options.get("stream", "predictions"):
            raise ValueError("prediction log sink: stream must have a name")
        self.trimmed = 0
        self._connection = RedisConnection(address, write_seconds)
        self._stream = options.get("stream", "predictions").encode()
        self._maxlen = int(maxlen)
        self._since_trim = 0
        self._head = b"*5\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$%d\r\n%b\r\n$" % (
            len(self._stream),
            self._stream,
            len(FIELD),
            FIELD,
        )

    async def write(self, lines: Sequence[bytes]) -> None:
        """Add `lines` to the stream. Raises OSError when Redis is down, full or late."""
        if not lines:
            return
        head = self._head
        commands = [b"%b%d\r\n%b\r\n" % (head, len(line), line) for line in lines]
        self._since_trim += len(lines)
        trim = bool(self._maxlen) and self._since_trim >= _TRIM_EVERY_ROWS
        if trim:
            bound = str(self._maxlen).encode()
            commands.append(command(b"XTRIM", self._stream, b"MAXLEN", b"~", bound))
        try:
            replies = await self._connection.request(commands)
        except RedisUnavailable as error:
            raise OSError(str(error)) from None
        if trim:
            self._since_trim = 0
            cut = int(replies[-1])
            self.trimmed += cut
            if cut:
                _log.warning("cut %d rows off the prediction stream: it is not collected in time", cut)

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        await self._connection.close()
