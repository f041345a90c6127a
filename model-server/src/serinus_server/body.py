"""Reading a request's body within a size. The time is bounded below, by the connection."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from serinus_server.errors import RequestError

Receive = Callable[[], Awaitable[dict[str, Any]]]
CLOSE = (b"connection", b"close")
# A body beyond the limit is read and thrown away up to this, so that an honest client sees the 413
# instead of a broken pipe; beyond it the connection is closed.
_DISCARDED_BYTES = 16 << 20


class Disconnected(Exception):
    """The client went away in the middle of its body. Nobody is left to answer."""


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """Return the whole body, of at most `limit` bytes.

    Raises RequestError 413 or Disconnected. Memory stays within the limit and one chunk.
    """
    declared = headers.get(b"content-length")
    # The parser takes digits only, so this is a number.
    length = int(declared) if declared is not None else 0
    if length > limit and (b"expect" in headers or length > _DISCARDED_BYTES):
        raise RequestError(413, _too_large(limit), (CLOSE,))
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message["body"]
    if message["more_body"]:
        return await _rest(receive, body, limit)
    if len(body) > limit:
        raise RequestError(413, _too_large(limit))
    return body


async def _rest(receive: Receive, first: bytes, limit: int) -> bytes:
    chunks = [first]
    size = len(first)
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        size += len(message["body"])
        if size <= limit:
            chunks.append(message["body"])
        elif size > _DISCARDED_BYTES:
            raise RequestError(413, _too_large(limit), (CLOSE,))
        else:
            chunks = []
        if not message["more_body"]:
            break
    if size > limit:
        raise RequestError(413, _too_large(limit))
    return b"".join(chunks)


def _too_large(limit: int) -> str:
    return f"body: is larger than {limit} bytes; send fewer rows a request"
