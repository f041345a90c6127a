"""One `up` or `down` at a time: two would undo each other's steps."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus_cluster.edges.shell import CommandFailed

DEADLINE_SECONDS = 900.0
PAUSE_SECONDS = 0.5


@contextmanager
def alone(path: Path, say: Callable[[str], None], seconds: float = DEADLINE_SECONDS) -> Iterator[None]:
    """Hold the lock while the block runs; `say` is told once whom it waits for.

    Raises:
        CommandFailed: another process held it for `seconds`; the message says which.
    """
    deadline, told = time.monotonic() + seconds, False
    with path.open("a+") as file:
        while not _taken(file.fileno()):
            file.seek(0)
            holder = f"another serinus-cluster (process {file.read().strip() or 'unknown'})"
            if time.monotonic() >= deadline:
                raise CommandFailed(f"{holder} was at work for {seconds:.0f} s; wait for it, or end it")
            if not told:
                say(f"waiting for {holder} (at most {seconds:.0f} s)")
                told = True
            time.sleep(PAUSE_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # Closing the file gives the lock back, however the block ends.
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
