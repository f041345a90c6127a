"""The ASGI application: predict paths and pages are answered here, everything else by FastAPI.

A FastAPI route costs more than decoding, prediction and encoding together, so the hot paths never see
one. Before the model is loaded only liveness is answered; everything else is a 503.
"""

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from serinus_contracts.records import PREDICTION_ID_HEADER, REVISION_HEADER
from serinus_server.body import CLOSE, Disconnected, Receive, read_body
from serinus_server.deferred import Asgi
from serinus_server.errors import RequestError, body_of, explain
from serinus_server.metrics import ModelMetrics
from serinus_server.model import checked_id
from serinus_server.pages import Answer
from serinus_server.settings import Settings

Scope = MutableMapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_JSON = b"application/json"
_JSON_TYPE = (b"content-type", _JSON)
_BINARY = b"application/octet-stream"
_BINARY_LENGTH = b"inference-header-content-length"
_ID = PREDICTION_ID_HEADER.encode()
_LIVE = {"/": b'{"status":"alive"}', "/v2/health/live": b'{"live":true}'}
_log = logging.getLogger(__name__)


class Verb(Protocol):
    """A protocol's predict verb. `json_length` is the V2 binary header where `binary` says it is known.
    `fields` names what a body may hold, for those who misspell it.

    Returns (body, prediction id of the request, length of the JSON part of a binary body or None).
    """

    name: str
    binary: bool
    fields: str

    async def __call__(
        self, body: bytes, given_id: str | None, json_length: bytes | None, /
    ) -> tuple[bytes, str, int | None]:
        """Answer one body."""
        ...


class Application:
    """What uvicorn calls. `serve` puts a model behind it; until then it is alive and not ready."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.max_body_bytes
        self._routes: dict[str, Verb] = {}
        self._pages: dict[str, Callable[[], Answer]] = {}
        self._rest: Asgi | None = None
        self._metrics: ModelMetrics | None = None
        self._revision = (REVISION_HEADER.encode(), b"")
        self.draining = False

    def serve(
        self,
        routes: dict[str, Verb],
        pages: dict[str, Callable[[], Answer]],
        rest: Asgi,
        metrics: ModelMetrics,
        revision: str,
    ) -> None:
        """Answer `routes` (path to verb) and `pages` (path to answer) from now on, and the rest by `rest`."""
        self._routes = routes
        self._pages = pages
        self._rest = rest
        self._metrics = metrics
        self._revision = (REVISION_HEADER.encode(), revision.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        verb = self._routes.get(scope["path"])
        if verb is not None:
            await self._predict(verb, scope, receive, send)
        elif self._rest is None:
            live = _LIVE.get(scope["path"])
            body = live or body_of("the model is still being loaded")
            await _answer(send, 200 if live else 503, body, _JSON)
        elif scope["method"] == "GET" and (page := self._pages.get(scope["path"])) is not None:
            await _answer(send, *page())
        else:
            await self._rest(scope, receive, send)

    async def _predict(self, verb: Verb, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        extra = [self._revision]
        try:
            if scope["method"] != "POST":
                raise RequestError(405, "method: predict takes POST", ((b"allow", b"POST"),))
            json_length = headers.get(_BINARY_LENGTH)
            if headers.get(b"content-type") != _JSON or json_length is not None:
                _check_type(headers, verb.binary)
            if b"content-encoding" in headers:
                raise RequestError(415, "content-encoding: none is taken; send plain JSON")
            given = headers.get(_ID)
            given_id = None if given is None else checked_id(given)
            body = await read_body(receive, headers, self._limit)
            # A slow upload is the client's time, not the model's.
            started = time.perf_counter()
            answer, base, answer_json_length = await verb(body, given_id, json_length)
            status = 200
            extra.append((_ID, base.encode()))
            if answer_json_length is not None:
                extra.append((_BINARY_LENGTH, b"%d" % answer_json_length))
                extra.append((b"content-type", _BINARY))
            else:
                extra.append(_JSON_TYPE)
        except Disconnected:
            return
        except Exception as error:
            status, message, more = explain(error, verb.fields)
            if status == 500:
                _log.error("prediction failed", exc_info=error)
            answer = body_of(message)
            extra += [_JSON_TYPE, *more]
        metrics = self._metrics
        assert metrics is not None
        metrics.requests[verb.name][status] += 1
        if status < 400 or status >= 500:
            # The client's faults are quick; they would hide a slow model.
            metrics.observe(time.perf_counter() - started)
        if self.draining:
            extra.append(CLOSE)
        extra.append((b"content-length", b"%d" % len(answer)))
        await send({"type": "http.response.start", "status": status, "headers": extra})
        await send({"type": "http.response.body", "body": answer})


def _check_type(headers: dict[bytes, bytes], binary: bool) -> None:
    given = headers.get(b"content-type", b"").lower()
    kind, _, parameters = given.partition(b";")
    kind = kind.strip()
    if kind == _BINARY and binary and _BINARY_LENGTH in headers:
        return
    if kind != _JSON or parameters.strip() not in (b"", b"charset=utf-8", b'charset="utf-8"'):
        raise RequestError(415, "content-type: must be application/json, in UTF-8")
    if _BINARY_LENGTH in headers and not binary:
        raise RequestError(400, "inference-header-content-length: binary tensors are taken by V2 only")


async def _answer(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
