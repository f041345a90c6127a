"""What a predict request is told, whichever way it came in: by ASGI, or straight from the connection.

No transport here: a head and a body go in, a status, headers and a body come out.
"""

import logging
import time
from typing import NamedTuple, Protocol

from serinus_contracts.records import PREDICTION_ID_HEADER, REVISION_HEADER
from serinus_server.errors import Header, RequestError, body_of, explain
from serinus_server.metrics import ModelMetrics
from serinus_server.model import checked_id

_JSON = b"application/json"
JSON_TYPE = (b"content-type", _JSON)
_BINARY = b"application/octet-stream"
_BINARY_LENGTH = b"inference-header-content-length"
_ID = PREDICTION_ID_HEADER.encode()
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


class Head(NamedTuple):
    """What a verb takes from a request's head."""

    given_id: str | None
    json_length: bytes | None


class Reply(NamedTuple):
    """What goes back. `headers` has everything but content-length and what the transport adds."""

    status: int
    headers: list[Header]
    body: bytes


class Predicting:
    """The predict requests of one model: head, body, counters, errors."""

    def __init__(self, metrics: ModelMetrics, revision: str) -> None:
        self._metrics = metrics
        self._revision = (REVISION_HEADER.encode(), revision.encode())

    @staticmethod
    def open(verb: Verb, method: str, headers: dict[bytes, bytes]) -> Head:
        """Check a request's head, before its body is read. Raises RequestError."""
        if method != "POST":
            raise RequestError(405, "method: predict takes POST", ((b"allow", b"POST"),))
        json_length = headers.get(_BINARY_LENGTH)
        if headers.get(b"content-type") != _JSON or json_length is not None:
            _check_type(headers, verb.binary)
        if b"content-encoding" in headers:
            raise RequestError(415, "content-encoding: none is taken; send plain JSON")
        given = headers.get(_ID)
        return Head(None if given is None else checked_id(given), json_length)

    async def answer(self, verb: Verb, head: Head, body: bytes) -> Reply:
        """Return the answer or the refusal to one whole body, and count it. Never raises an Exception.

        Runs to its end without a pause unless features have to be looked up.
        """
        started = time.perf_counter()
        try:
            answer, base, json_length = await verb(body, head.given_id, head.json_length)
        except Exception as error:
            return self.refuse(verb, error, started)
        self._metrics.requests[verb.name][200] += 1
        self._metrics.observe(time.perf_counter() - started)
        if json_length is None:
            return Reply(200, [self._revision, (_ID, base.encode()), JSON_TYPE], answer)
        headers = [self._revision, (_ID, base.encode()), (b"content-type", _BINARY)]
        return Reply(200, [*headers, (_BINARY_LENGTH, b"%d" % json_length)], answer)

    def refuse(self, verb: Verb, error: Exception, started: float | None = None) -> Reply:
        """Return what `error` tells the client, and count it.

        started: `time.perf_counter()` at the whole body; None before it was there.
        """
        status, message, more = explain(error, verb.fields)
        if status == 500:
            _log.error("prediction failed", exc_info=error)
        self._metrics.requests[verb.name][status] += 1
        if started is not None and status >= 500:
            # The client's faults are quick; they would hide a slow model.
            self._metrics.observe(time.perf_counter() - started)
        return Reply(status, [self._revision, JSON_TYPE, *more], body_of(message))


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
