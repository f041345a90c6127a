"""One build at a time on a machine: two would compile the same things twice and share a context."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus_airgap.running import BuildError
from serinus_airgap.versions import ROOT

LOCK = ROOT / ".serinus" / "airgap" / "lock"
DEADLINE = 3600
PAUSE = 0.5


@contextmanager
def one_build(waiting: Callable[[str], None], path: Path = LOCK, seconds: float = DEADLINE) -> Iterator[None]:
    """Hold the lock while the block runs; `waiting` is told once whom it waits for.

    Raises:
        BuildError: another build held it for `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    told = False
    with path.open("a+") as file:
        while not _taken(file.fileno()):
            file.seek(0)
            holder = f"another build (process {file.read().strip() or 'unknown'})"
            if time.monotonic() > deadline:
                raise BuildError(f"{holder} held {path} for {seconds:.0f} s; wait for it, or end it")
            if not told:
                waiting(f"waits for {holder}")
                told = True
            time.sleep(PAUSE)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # Closing the file gives the lock back, whatever ends the block.
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
