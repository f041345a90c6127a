"""A real `serinus-server` process on loopback."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port


class ServerProcess:
    """`base` is its URL. `stop` ends it by SIGTERM and returns (exit code, what it logged)."""

    def __init__(self, folder: Path, log: Path, **settings: object) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = log
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "SERINUS_MODEL_DIR": str(folder),
            "SERINUS_PORT": str(self.port), "SERINUS_DRAIN_SECONDS": "0",
            **{f"SERINUS_{name.upper()}": str(value) for name, value in settings.items()},
        }  # fmt: skip
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serinus_server"], env=environment, stdout=out, stderr=out
            )

    def wait_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/ready", timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server did not get ready:\n{self.log.read_text()}") from None
                time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return code, self.log.read_text()


@contextmanager
def running(folder: Path, log: Path, **settings: object) -> Iterator[ServerProcess]:
    """A server that is ready; killed at the end if it still runs."""
    server = ServerProcess(folder, log, **settings)
    try:
        server.wait_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait(10)
