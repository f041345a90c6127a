"""A Redis of a test's own, which it may stop, kill and start again on the same port."""

import subprocess
from pathlib import Path

from tests.support.ports import free_port, opened


class RedisProcess:
    """`url` is its database 0. It starts empty every time. `settings` are redis-server's own;
    with `tls` among them it speaks nothing else."""

    def __init__(self, folder: Path, *settings: str, tls: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        ports = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        self._command = ["redis-server", *ports, "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), *settings]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 10.0) -> None:
        """Start it and wait until it takes connections."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        if not opened(self.port, self._process, seconds):
            self.kill()
            raise AssertionError(f"redis-server did not come up within {seconds:g} s")

    def signal(self, number: int) -> None:
        """Send it a signal; SIGSTOP makes it hang with its connections open."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
