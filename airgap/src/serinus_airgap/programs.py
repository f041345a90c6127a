"""Programs with a deadline. At it, or where this process is asked to stop, all that they started ends too."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 5.0
LAST_LINES = 12
_running: set["subprocess.Popen[str]"] = set()
_stopped = threading.Event()
# What is being begun while others are ended would be missed.
_beginning = threading.Lock()


class Stopped(RuntimeError):
    """A program was not begun, because this process is about to end."""


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0

    @property
    def words(self) -> str:
        """The last lines it said, errors before output."""
        said = self.err.strip() or self.out.strip()
        return "\n".join(said.splitlines()[-LAST_LINES:]) or f"exit {self.code}, without a word"


def ended(
    words: Sequence[str],
    *,
    seconds: float,
    stdin: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    joined: bool = False,
) -> Done:
    """Run a program to its end, whatever its exit code.

    Args:
        words: the program and its arguments.
        seconds: the deadline.
        stdin: what it reads; nothing where None.
        folder: where it runs.
        environment: variables beside those of this process.
        joined: both its streams are `out`, in the order of its words.

    Raises:
        FileNotFoundError: there is no such program.
        TimeoutError: it did not end within the deadline.
        Stopped: see `stopped`.
    """
    with _beginning:
        if _stopped.is_set():
            raise Stopped(f"{words[0]} was not begun")
        process = subprocess.Popen(  # noqa: S603 - the words are the rooms' own, never a request's
            words,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if joined else subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # Compilers, kind and helm start children: all of them are in this session.
            start_new_session=True,
        )
        _running.add(process)
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        raise TimeoutError(f"{words[0]} did not end within {seconds:.0f} s") from None
    except BaseException:
        _end(process)
        raise
    finally:
        _running.discard(process)
    return Done(process.returncode, out, err or "")


@contextmanager
def stopped() -> Iterator[None]:
    """End what other threads run, and let nothing begin while the block lasts.

    A signal reaches the main thread alone, and programs in sessions of their own not at all.
    """
    with _beginning:
        _stopped.set()
    try:
        for process in list(_running):
            _signal(process, signal.SIGTERM)
        yield
    finally:
        _stopped.clear()


def _end(process: "subprocess.Popen[str]") -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.communicate()


def _signal(process: "subprocess.Popen[str]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
