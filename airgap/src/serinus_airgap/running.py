"""One step of a build: a program with a deadline, its words in a log file, its last words in the error."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from serinus_airgap.programs import Stopped, ended


class BuildError(RuntimeError):
    """A step of a build failed; the message says which and what its program said."""


def run(
    argv: Sequence[str],
    what: str,
    *,
    seconds: float,
    folder: Path | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return what it printed.

    Args:
        argv: the program and its arguments.
        what: the step's name for errors.
        seconds: the deadline.
        folder: where it runs.
        log: a file that gets everything it prints, on both streams; None returns standard output alone.
        environment: variables beside those of this process.

    Raises:
        BuildError: it could not be started, failed, or took too long.
    """
    try:
        done = ended(argv, seconds=seconds, folder=folder, environment=environment, joined=log is not None)
    except FileNotFoundError:
        raise BuildError(f"{what}: {argv[0]} is not on PATH; install it") from None
    except (TimeoutError, Stopped) as error:
        raise BuildError(f"{what}: {error}") from None
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.out)
    if not done.ok:
        words = done.words.replace("\n", "\n  ")
        raise BuildError(
            f"{what} failed (exit {done.code}):\n  {words}" + (f"\n  all of it: {log}" if log else "")
        )
    return done.out
