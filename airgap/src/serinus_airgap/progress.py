"""What a person sees of long work: a live table on a terminal, one plain line for each end elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Reporter:
    """Says what is under way; used from several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    @contextmanager
    def shown(self) -> Iterator["Reporter"]:
        """Show the live table while the block runs, where the console is a terminal."""
        if not self._console.is_terminal:
            yield self
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as self._live:
            yield self
        self._live = None

    def now(self, name: str, what: str) -> None:
        """Say what happens to a thing; elsewhere than on a terminal it is a line."""
        with self._lock:
            if self._live is None:
                self._console.print(f"{name}: {what}", highlight=False, soft_wrap=True)
            elif name in self._tasks:
                self._live.update(self._tasks[name], description=f"{name}: {what}")
            else:
                self._tasks[name] = self._live.add_task(f"{name}: {what}", total=None)

    def telling(self, name: str, what: str) -> Callable[[], None]:
        """Return a call that says it."""
        return lambda: self.now(name, what)

    def forget(self, name: str) -> None:
        """Take a thing off the live table."""
        with self._lock:
            if self._live and name in self._tasks:
                self._live.remove_task(self._tasks.pop(name))

    def done(self, name: str, what: str) -> None:
        """Say how a thing ended: a line that stays."""
        self.forget(name)
        with self._lock:
            self._console.print(f"{name}: {what}", highlight=False, soft_wrap=True)
