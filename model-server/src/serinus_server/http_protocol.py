"""uvicorn's HTTP/1.1 protocol with the bounds that it leaves to a proxy: the size of a header block, and
the time in which a client must send a whole request.

A request that arrives in one piece costs two comparisons and no timer. Depends on attributes of
uvicorn's HttpToolsProtocol (`headers`, `cycle`, `pipeline`); the contract tests send raw bytes to notice
when they change.
"""

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serinus_server.errors import body_of

_HEADER_BYTES = 64 << 10


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `request_seconds` is how long a client may take to send a whole request."""

    request_seconds = 10.0
    _in_head = True
    _received = 0
    _deadline: TimerHandle | None = None
    _deadline_of: Any = None

    def connection_made(self, transport: Any) -> None:
        """Expect the first request in time, as any other."""
        super().connection_made(transport)
        self._await_rest()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bound what is unfinished after it."""
        super().data_received(data)
        if self._unfinished():
            if self._deadline is None or self._deadline_of is not self.headers:
                self._await_rest()
            if self._in_head:
                # In the middle of a header block, which the parser would let grow for ever.
                self._received += len(data)
                if self._received > _HEADER_BYTES:
                    self._give_up(431, f"headers: larger than {_HEADER_BYTES} bytes")
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_message_begin(self) -> None:
        """Expect a header block."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Expect a body."""
        self._in_head = False
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error is answered."""
        self._give_up(400, f"request: {msg}")

    def _unfinished(self) -> bool:
        if self._in_head:
            return True
        cycle = self.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _await_rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._received = 0
        self._deadline_of = self.headers
        self._deadline = self.loop.call_later(self.request_seconds, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        if self._unfinished():
            self._give_up(408, f"request: was not sent within {self.request_seconds:g} s")

    def _give_up(self, status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if self.headers is not None and (
            cycle is None or cycle.response_complete or not cycle.response_started
        ):
            body = body_of(message)
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        # Closing wakes a handler that waits for the body, and it sees that nobody is left.
        self.transport.close()
