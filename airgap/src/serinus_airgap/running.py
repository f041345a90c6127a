"""Running a program with a deadline, its words in a log file, its last words in the error."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST_LINES = 15


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
        done = subprocess.run(  # noqa: S603 - the words are this room's own and its descriptions'
            argv,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise BuildError(f"{what}: {argv[0]} is not on PATH; install it") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"{what}: {argv[0]} did not end within {seconds:.0f} s") from None
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode:
        words = "\n  ".join((done.stdout if log else done.stderr).strip().splitlines()[-LAST_LINES:])
        raise BuildError(
            f"{what} failed (exit {done.returncode}):\n  {words}" + (f"\n  all of it: {log}" if log else "")
        )
    return done.stdout
