"""The ASGI application: predict paths and pages are answered here, everything else by FastAPI.

A FastAPI route costs more than decoding, prediction and encoding together, so the hot paths never see
one. A plain predict request does not even come here: `short_way` answers it from the connection,
by the same `predicting`. Before the model is loaded only liveness is answered; everything else is a 503.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serinus_server.body import CLOSE, Disconnected, Receive, read_body
from serinus_server.deferred import Asgi
from serinus_server.errors import Header, body_of
from serinus_server.pages import Answer
from serinus_server.predicting import JSON_TYPE, Predicting, Verb
from serinus_server.settings import Settings

Scope = MutableMapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_LIVE = {"/": b'{"status":"alive"}', "/v2/health/live": b'{"live":true}'}


class Application:
    """What uvicorn calls. `serve` puts a model behind it; until then it is alive and not ready.

    hot: the verbs by path as it stands on the wire, for the protocol. predicting: what answers them.
    """

    def __init__(self, settings: Settings) -> None:
        self.limit = settings.max_body_bytes
        self.hot: dict[bytes, Verb] = {}
        self.predicting: Predicting | None = None
        self.draining = False
        self._routes: dict[str, Verb] = {}
        self._pages: dict[str, Callable[[], Answer]] = {}
        self._rest: Asgi | None = None

    def serve(
        self,
        routes: dict[str, Verb],
        pages: dict[str, Callable[[], Answer]],
        rest: Asgi,
        predicting: Predicting,
    ) -> None:
        """Answer `routes` (path to verb) and `pages` (path to answer) from now on, and the rest by `rest`."""
        self.predicting = predicting
        self._routes = routes
        self._pages = pages
        self._rest = rest
        self.hot = {path.encode(): verb for path, verb in routes.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        verb = self._routes.get(scope["path"])
        if verb is not None:
            await self._predict(verb, scope, receive, send)
        elif self._rest is None:
            live = _LIVE.get(scope["path"])
            body = live or body_of("the model is still being loaded")
            await _answer(send, 200 if live else 503, [JSON_TYPE], body)
        elif scope["method"] == "GET" and (page := self._pages.get(scope["path"])) is not None:
            status, body, kind = page()
            await _answer(send, status, [(b"content-type", kind)], body)
        else:
            await self._rest(scope, receive, send)

    async def _predict(self, verb: Verb, scope: Scope, receive: Receive, send: Send) -> None:
        predicting = self.predicting
        assert predicting is not None
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            head = predicting.open(verb, scope["method"], headers)
            body = await read_body(receive, headers, self.limit)
        except Disconnected:
            return
        except Exception as error:
            reply = predicting.refuse(verb, error)
        else:
            reply = await predicting.answer(verb, head, body)
        if self.draining:
            reply.headers.append(CLOSE)
        await _answer(send, *reply)


async def _answer(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
