"""Ports of loopback for the servers that tests start."""

import socket
import subprocess
import time
from collections.abc import Callable

from serinus_local.processes import free_ports


def free_port() -> int:
    """Return a TCP port of loopback that was free a moment ago."""
    (port,) = free_ports(1)
    return port


def opened(port: int, process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Wait until a server of ours takes connections; False where it ended first, or at the deadline."""

    def connects() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    return is_up(connects, process, seconds)


def is_up(answers: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Wait until a server of ours answers; False where it ended first, or at the deadline."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
