"""Child processes: started with a log file, ready when used, ended by their own id, never left behind."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_TAIL_LINES = 12


class LocalError(Exception):
    """The local loop cannot go on. The message names the process or file, and where to look."""


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of loopback that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@dataclass
class Child:
    """One running child. `process.pid` is also the id of its process group and session. One that is not
    `lasting` may end by itself."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    lasting: bool = True

    def alive(self) -> bool:
        """Return whether it still runs."""
        return self.process.poll() is None

    def tail(self) -> str:
        """Return the last lines of its log, for an error message."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            return "(no log)"
        return "\n".join(f"    {line}" for line in lines)

    def stop(self, grace: float) -> int:
        """Ask it to end (SIGTERM), wait `grace` seconds, then kill its group. Return its exit code."""
        if self.alive():
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace)
        # Whatever it started stays in its group: a leader that ended well may have left workers.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(5.0)


class Processes:
    """All children of one run. Leaving the `with` block ends every one, newest first.

    Children live in sessions of their own, so that a Ctrl-C at the terminal reaches only us and they
    are ended in order. Should we be killed, the kernel ends them (PR_SET_PDEATHSIG).
    """

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        self._logs = logs
        self._environment = dict(os.environ if environment is None else environment)
        self._children: list[Child] = []

    def __enter__(self) -> "Processes":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C while we clean up must not leave half of them running.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for child in reversed(self._children):
                if child.alive():
                    child.process.terminate()
            while self._children:
                self._children.pop().stop(grace=3.0)
        finally:
            signal.signal(signal.SIGINT, previous)

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        lasting: bool = True,
    ) -> Child:
        """Start `command` with `environment` added. Its output goes to `<logs>/<name>.log`."""
        log = self._logs / f"{name}.log"
        parent = os.getpid()

        def bind_to_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died between fork and prctl
                os._exit(1)

        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - commands are this package's own, never a user's
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._environment, **(environment or {})},
                start_new_session=True,
                preexec_fn=bind_to_parent,
            )
        child = Child(name, process, log, lasting)
        self._children.append(child)
        return child

    def stop(self, child: Child, grace: float = 10.0) -> int:
        """End one child and forget it. Return its exit code."""
        self._children.remove(child)
        return child.stop(grace)

    def finish(self, child: Child, deadline: float) -> int:
        """Wait until a child that has an end of its own ends, and forget it. Return its exit code.

        Raises LocalError after `deadline` seconds; it is then ended.
        """
        try:
            code = child.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.stop(child, grace=1.0)
            raise LocalError(f"{child.name} did not end within {deadline:.0f} s; see {child.log}") from None
        self._children.remove(child)
        return code

    def check(self) -> None:
        """Raise LocalError when a lasting child ended that nobody stopped."""
        for child in self._children:
            if child.lasting and not child.alive():
                raise LocalError(
                    f"{child.name} ended by itself with code {child.process.returncode}; "
                    f"see {child.log}:\n{child.tail()}"
                )

    def wait_ready(self, child: Child, ready: Callable[[], bool], deadline: float = 30.0) -> float:
        """Poll `ready` until it is true. Return the seconds that took.

        Raises LocalError with the log's tail when the child ends first or `deadline` seconds pass.
        """
        start = time.monotonic()
        while not ready():
            waited = time.monotonic() - start
            if not child.alive() or waited > deadline:
                why = f"was not ready after {waited:.0f} s" if child.alive() else "ended while starting"
                raise LocalError(f"{child.name} {why}; see {child.log}:\n{child.tail()}")
            time.sleep(0.02)
        return time.monotonic() - start
