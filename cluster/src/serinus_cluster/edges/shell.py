"""Commands with a deadline. A command that fails says which one it was and what it said last."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandFailed(RuntimeError):
    """A command ended with an error, took too long or is not there."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0

    @property
    def words(self) -> str:
        """The last lines it said, errors first."""
        said = self.err.strip() or self.out.strip()
        return "\n".join(said.splitlines()[-12:]) or f"exit {self.code}, without a word"


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
        process = subprocess.Popen(  # noqa: S603 - the words come from the plan, never from a request
            words,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise CommandFailed(f"{words[0]} is not there; `make doctor` says how to get it") from None
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        raise CommandFailed(f"`{' '.join(words)}` did not end within {seconds:.0f} s") from None
    except BaseException:
        _end(process)
        raise
    return Done(process.returncode, out, err)


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


def _end(process: "subprocess.Popen[str]") -> None:
    # kind and helm start children; all of them are in the session that was made for them.
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    except ProcessLookupError:
        process.communicate()
