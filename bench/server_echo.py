"""The limit: an ASGI application that reads the body and does nothing, on our uvicorn settings.

uvicorn's own protocol class: our bounds on headers and time are a cost of ours, not of the limit.
"""

import os
from typing import Any

import uvicorn

_BODY = b'{"predictions":[true]}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Answer anything with the same bytes."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        echo,
        port=int(os.environ["SERINUS_PORT"]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
