"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of loopback."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.ports import free_port, is_up

PASSWORD = "p@ss:w%rd/7"  # what a URL must quote


def binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`, or None; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = (
        [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextmanager
def running(folder: Path, seconds: float = 30.0) -> Iterator[int]:
    """Yield the port of a server whose binaries are in `folder`; user `serinus`."""
    # It refuses to be root, and nobody but root can enter pytest's own folders.
    user = "postgres" if os.geteuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="serinus-postgres-"))
    port = free_port()
    try:
        (home / "password").write_text(PASSWORD)
        if user:
            for path in (home, home / "password"):
                shutil.chown(path, user, user)
        initdb = [folder / "initdb", "--pgdata", home / "data", "--username", "serinus", "--no-sync"]
        initdb += ["--auth", "scram-sha-256", "--pwfile", home / "password", "--locale", "C.UTF-8"]
        subprocess.run(initdb, check=True, user=user, cwd=home, capture_output=True, timeout=60)
        server = [folder / "postgres", "-D", home / "data", "-p", str(port), "-c", "fsync=off"]
        server += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(server, user=user, cwd=home, stdout=log, stderr=log)
        try:
            up = is_up(lambda: _lets_in(port), process, seconds)
            assert up, f"PostgreSQL did not come up:\n{(home / 'log').read_text()[-2000:]}"
            yield port
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for clients to leave
            process.wait(20)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _lets_in(port: int) -> bool:
    """Say whether the user gets in: it takes connections a moment before it lets anybody in."""
    try:
        psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="serinus",
            password=PASSWORD,
            dbname="postgres",
            connect_timeout=5,
        ).close()
    except psycopg.OperationalError:
        return False
    return True
