"""An ASGI application that is made, off the event loop, when it is first asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# As FastAPI types itself: its own messages are mappings of any kind.
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def deferred(make: Callable[[], Asgi]) -> Asgi:
    """Return an application that calls `make` in a thread for its first request, and once only."""
    made: Asgi | None = None
    making = asyncio.Lock()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal made
        if made is None:
            async with making:
                if made is None:
                    made = await asyncio.to_thread(make)
        await made(scope, receive, send)

    return application
