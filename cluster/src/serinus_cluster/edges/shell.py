"""Commands with a deadline. A command that fails says which one it was and what it said last."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from serinus_airgap.programs import Done, Stopped, ended


class CommandFailed(RuntimeError):
    """A command ended with an error, took too long or is not there."""


def attempt(
    command: Sequence[str | Path],
    *,
    seconds: float,
    stdin: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Run a command and return how it ended, whatever its exit code.

    Raises:
        CommandFailed: it is not there, or did not end within the deadline (it is ended then, children too).
    """
    words = [str(word) for word in command]
    try:
        return ended(words, seconds=seconds, stdin=stdin, folder=cwd, environment=environment)
    except FileNotFoundError:
        raise CommandFailed(f"{words[0]} is not there; `make doctor` says how to get it") from None
    except TimeoutError:
        raise CommandFailed(f"`{' '.join(words)}` did not end within {seconds:.0f} s") from None
    except Stopped as error:
        raise CommandFailed(str(error)) from None


def run(
    command: Sequence[str | Path],
    *,
    seconds: float,
    stdin: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command that has to succeed and return what it said.

    Raises:
        CommandFailed: it ended with another code than 0, or as `attempt` says.
    """
    done = attempt(command, seconds=seconds, stdin=stdin, cwd=cwd, environment=environment)
    if not done.ok:
        raise CommandFailed(f"`{' '.join(str(word) for word in command)}` failed:\n{done.words}")
    return done.out
