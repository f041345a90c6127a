"""One `up` or `down` at a time: two would undo each other's steps."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from serinus_airgap.exclusive import one_at_a_time
from serinus_cluster.edges.shell import CommandFailed

DEADLINE_SECONDS = 900.0


def alone(
    path: Path, say: Callable[[str], None], seconds: float = DEADLINE_SECONDS
) -> AbstractContextManager[None]:
    """Hold the lock while the block runs; `say` is told once whom it waits for.

    Raises:
        CommandFailed: another process held it for `seconds`; the message says which.
    """
    return one_at_a_time(
        path,
        seconds,
        lambda holder: say(f"waiting for another serinus-cluster ({holder}) (at most {seconds:.0f} s)"),
        lambda holder: CommandFailed(
            f"another serinus-cluster ({holder}) was at work for {seconds:.0f} s; wait for it, or end it"
        ),
    )
