"""The short way of a plain predict request: from the parser's callback to one write, without ASGI.

Plain means: HTTP/1.1, a POST to a predict path without a query, a content-length of at most 64 KiB, no
expectation, no request of the same connection before it that is still being answered. Everything else
takes uvicorn's way to the ASGI application; both ways end in the same `predicting`, and a contract test
holds their answers equal. Of a request's cost uvicorn's way would be most: a task, an event, a scope,
two regular expressions a header and two writes.

Depends on what uvicorn's HttpToolsProtocol reads of its `cycle` (see `_Exchange`).
"""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serinus_server.asgi import Application
from serinus_server.body import CLOSE
from serinus_server.http_protocol import BoundedProtocol
from serinus_server.predicting import Head, Reply, Verb


class _NoEvent:
    """Stands where uvicorn would wake a task that waits for a body: none waits here."""

    def set(self) -> None:
        """Wake nobody."""


_NO_EVENT = _NoEvent()


class _Exchange:
    """One plain request and its answer; all but `verb` and `opened` is there because uvicorn reads it.

    opened: the checked head, or the refusal of a head, given once the body has gone by.
    """

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "opened",
        "response_complete",
        "response_started",
        "verb",
    )
    message_event = _NO_EVENT

    def __init__(self, verb: Verb, opened: Head | Reply, keep_alive: bool) -> None:
        self.verb = verb
        self.opened = opened
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False


class ShortWayProtocol(BoundedProtocol):
    """One connection whose plain predict requests are answered at once. Made by `protocol`."""

    application: Application
    _turn_taken = False
    _rendered_defaults: tuple[Any, bytes] = (None, b"")
    _idle_timer: Any = None
    _idle_since = 0.0

    def data_received(self, data: bytes) -> None:
        """Feed the parser; of pipelined requests only the first may take the short way in this turn."""
        self._turn_taken = False
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Remember what the short way needs; the scope is made where it is needed."""
        self._in_head = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Take the short way where the request is plain, else uvicorn's."""
        verb = self.application.hot.get(self.url)
        headers = dict(self.headers)
        if verb is None or not self._is_plain(headers):
            self._go_the_long_way()
            return
        self._in_head = False
        self._turn_taken = True
        predicting = self.application.predicting
        assert predicting is not None
        opened: Head | Reply
        try:
            opened = predicting.open(verb, "POST", headers)
        except Exception as error:
            opened = predicting.refuse(verb, error)
        self.cycle = _Exchange(verb, opened, self.parser.should_keep_alive())  # type: ignore[assignment]

    def _go_the_long_way(self) -> None:
        self._forget_idle_timer()  # uvicorn sets its own after its answer
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers[:] = headers
        super().on_headers_complete()

    def _is_plain(self, headers: dict[bytes, bytes]) -> bool:
        parser, cycle = self.parser, self.cycle
        if (
            self._turn_taken
            or (cycle is not None and not cycle.response_complete)
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or self.expect_100_continue
            or self.flow.write_paused
            or parser.should_upgrade()
            or b"transfer-encoding" in headers
        ):
            return False
        most = self.limit_concurrency
        if most is not None and (len(self.connections) >= most or len(self.tasks) >= most):
            return False
        # The parser takes digits only, so this is a number.
        length = int(headers.get(b"content-length", b"-1"))
        return 0 <= length <= min(HIGH_WATER_LIMIT, self.application.limit)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        cycle: Any = self.cycle
        if type(cycle) is _Exchange:
            # Most bodies are one piece, which is kept as it came.
            cycle.body = cycle.body + body if cycle.body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer what is whole."""
        exchange: Any = self.cycle
        if type(exchange) is not _Exchange:
            super().on_message_complete()
            return
        exchange.more_body = False
        if isinstance(exchange.opened, Reply):
            self._finish(exchange, exchange.opened)
            return
        predicting = self.application.predicting
        assert predicting is not None
        self._go_on(exchange, predicting.answer(exchange.verb, exchange.opened, exchange.body))

    def _go_on(
        self, exchange: _Exchange, answering: Coroutine[Any, Any, Reply], _waited_for: object = None
    ) -> None:
        """Make the next step of an answer: what a task would do, at half its price.

        Nothing on the way may ask for the current task (`asyncio.timeout` does).
        """
        try:
            # What was waited for raises or returns by itself.
            waits_for = answering.send(None)
        except StopIteration as done:
            self._finish(exchange, done.value)
        else:
            if waits_for is None:
                self.loop.call_soon(self._go_on, exchange, answering)
            else:
                # The sign by which a future knows that it was awaited, not yielded.
                waits_for._asyncio_future_blocking = False
                waits_for.add_done_callback(partial(self._go_on, exchange, answering))

    def _finish(self, exchange: _Exchange, reply: Reply) -> None:
        exchange.response_started = True
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        status, headers, body = reply
        if self.application.draining or not exchange.keep_alive or (status != 200 and CLOSE in headers):
            exchange.keep_alive = False
            if CLOSE not in headers:
                headers.append(CLOSE)
        lines = [STATUS_LINE[status], self._defaults()]
        for header in headers:
            lines.append(b"%b: %b\r\n" % header)
        lines.append(b"content-length: %d\r\n\r\n" % len(body))
        lines.append(body)
        self.transport.write(b"".join(lines))
        self.server_state.total_requests += 1
        if not exchange.keep_alive:
            self.transport.close()
        elif self.pipeline:
            self.on_response_complete()
        else:
            self._idle_since = self.loop.time()
            if self._idle_timer is None:
                self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        # One timer a connection that looks back, where uvicorn sets and cancels one a request.
        self._idle_timer = None
        cycle = self.cycle
        if self.transport.is_closing() or self._deadline is not None or not cycle.response_complete:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._close_if_idle)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._forget_idle_timer()
        super().connection_lost(exc)

    def _forget_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _defaults(self) -> bytes:
        # uvicorn makes a new list every second, for the date.
        headers = self.server_state.default_headers
        known, rendered = ShortWayProtocol._rendered_defaults
        if known is not headers:
            rendered = b"".join([b"%b: %b\r\n" % header for header in headers])
            ShortWayProtocol._rendered_defaults = (headers, rendered)
        return rendered


def protocol(application: Application, request_seconds: float) -> type[ShortWayProtocol]:
    """Return the protocol class that gives clients `request_seconds` for each request."""
    members = {"application": application, "request_seconds": request_seconds}
    return type("ServerProtocol", (ShortWayProtocol,), members)
