"""One at a time on a machine: two builds would compile the same things twice, two `up`s undo each other."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from serinus_airgap.running import BuildError
from serinus_airgap.versions import ROOT

LOCK = ROOT / ".serinus" / "airgap" / "lock"
DEADLINE = 3600
PAUSE = 0.5


@contextmanager
def one_at_a_time(
    path: Path, seconds: float, waiting: Callable[[str], None], given_up: Callable[[str], Exception]
) -> Iterator[None]:
    """Hold the lock file while the block runs.

    Args:
        path: the lock; its folder exists.
        seconds: how long another holder is waited for.
        waiting: told once whom it waits for, as `process 12`.
        given_up: makes the exception that is raised at the deadline, from the same words.
    """
    deadline, told = time.monotonic() + seconds, False
    with path.open("a+") as file:
        while not _taken(file.fileno()):
            file.seek(0)
            holder = f"process {file.read().strip() or 'unknown'}"
            if time.monotonic() >= deadline:
                raise given_up(holder)
            if not told:
                waiting(holder)
                told = True
            time.sleep(PAUSE)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # Closing the file gives the lock back, however the block ends.
        yield


def one_build(
    waiting: Callable[[str], None], path: Path = LOCK, seconds: float = DEADLINE
) -> AbstractContextManager[None]:
    """Hold the builder's lock while the block runs; `waiting` is told once whom it waits for.

    Raises:
        BuildError: another build held it for `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return one_at_a_time(
        path,
        seconds,
        lambda holder: waiting(f"waits for another build ({holder})"),
        lambda holder: BuildError(
            f"another build ({holder}) held {path} for {seconds:.0f} s; wait for it, or end it"
        ),
    )


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
