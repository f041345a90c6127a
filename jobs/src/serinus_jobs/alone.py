"""One process at a time in a folder, by a file that it locks."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus_jobs.errors import JobError

_PAUSE_SECONDS = 0.2


@contextmanager
def alone(lock: Path, other: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold `lock`, a file of a folder that is there. The kernel takes it back from a process that is killed.

    `other` says who else may hold it, as "another collect". Raises JobError, exit code 1, where it still does
    after `seconds`.
    """
    deadline = time.monotonic() + seconds
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    waited = f" and was waited for {seconds:.0f} s" if seconds else ""
                    message = f"{lock.parent}: {other} is running{waited}; run this again when it is done"
                    raise JobError(message, exit_code=1) from None
            time.sleep(_PAUSE_SECONDS)
        yield
