"""Progress of long steps: a spinner on a terminal, nothing elsewhere, and the seconds of each step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """Names the step under way on standard error, if that is a terminal, and keeps its seconds."""

    def __init__(self, verb: str, console: Console | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._verb = verb
        self._console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run one step. A name used twice adds up."""
        begun = time.perf_counter()
        try:
            if self._console.is_terminal:
                with self._console.status(f"{self._verb}: {name}"):
                    yield
                self._console.print(f"{self._verb}: {name}  {time.perf_counter() - begun:.1f} s")
            else:
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
