"""The one mapping from what goes wrong to what a client is told.

Every error is `{"error": "<what and where>"}`, at most 1 KiB, in the shape that KServe's clients read.
"""

import msgspec

from serinus_contracts.errors import ContractError

Header = tuple[bytes, bytes]

_LONGEST = 480  # characters; escaped to at most six bytes each it would still be cut below
_MOST_BYTES = 1024


class RequestError(Exception):
    """A request that is refused. `status` is the HTTP status, the message goes to the client."""

    def __init__(self, status: int, message: str, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def too_many_rows(place: str, rows: int, limit: int) -> RequestError:
    """Return the refusal of a request whose `place` has more rows than one may have."""
    return RequestError(413, f"{place}: has {rows} rows, the limit is {limit}")


class InvalidOutput(Exception):
    """The graph's output for `rows` rows is no probability vector. The model is at fault: 500."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"the model gave no probabilities for {rows} of the rows; nothing was predicted")
        self.rows = rows


def explain(error: Exception, fields: str) -> tuple[int, str, tuple[Header, ...]]:
    """Return (status, message, extra headers) for what a handler raised; `fields` are the body's.

    Anything unknown is a 500 without detail: the traceback belongs in the server's own log.
    """
    if isinstance(error, RequestError):
        return error.status, str(error), error.headers
    if isinstance(error, ContractError):
        return 400, str(error), ()
    if isinstance(error, msgspec.ValidationError):
        message = str(error)
        return 400, f"{message}; known are {fields}" if "unknown field" in message else message, ()
    if isinstance(error, msgspec.DecodeError):
        return 400, f"body: {error}", ()
    if isinstance(error, UnicodeDecodeError):
        return 400, "body: is not UTF-8", ()
    if isinstance(error, RecursionError):
        return 400, "body: is nested too deeply", ()
    if isinstance(error, InvalidOutput):
        return 500, str(error), ()
    return 500, "internal error; the server's log has the reason", ()


def body_of(message: str) -> bytes:
    """Return the JSON body for an error message, never above 1 KiB."""
    text = message if len(message) <= _LONGEST else message[:_LONGEST] + "..."
    body = msgspec.json.encode({"error": text})
    if len(body) > _MOST_BYTES:
        body = msgspec.json.encode({"error": text[: _LONGEST // 4] + "..."})
    return body
