"""One `up` or `down` at a time: two would undo each other's steps."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus_cluster.edges.shell import CommandFailed


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        CommandFailed: another process holds it; the message says which.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise CommandFailed(
                f"another serinus-cluster (process {holder}) is at work; wait for it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # Closing the file gives the lock back, however the block ends.
        yield
