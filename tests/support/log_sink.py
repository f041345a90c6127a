"""A sink of the prediction log whose behaviour a test decides."""

import asyncio
from collections.abc import Sequence
from typing import Any


class Sink:
    """Takes lines, or fails as `behave` says: called with the virtual time, it may raise or wait."""

    def __init__(self, behave: Any = None) -> None:
        self.lines: list[bytes] = []
        self.ticks = 0
        self.closed = 0
        self._behave = behave

    async def write(self, lines: Sequence[bytes]) -> None:
        if self._behave is not None:
            await self._behave(asyncio.get_running_loop().time())
        self.lines += lines
        self.ticks += not lines

    async def close(self) -> None:
        self.closed += 1
