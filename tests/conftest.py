"""Fixtures that more than one room's tests need. Servers here are real ones, on loopback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from serinus_contracts.artifact import ModelContract
from tests.support import needed
from tests.support.artifacts import build_artifact
from tests.support.ports import free_port
from tests.support.redis_process import RedisProcess

# A shell that starts us in the background makes us ignore SIGINT, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this session's own."""
    if shutil.which("redis-server") is None:
        needed.missing("redis-server is missing: apt-get install redis-server")
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL of this session's own, as SQLAlchemy names it with psycopg: an empty database."""
    from tests.support import postgres_process

    folder = postgres_process.binaries()
    if folder is None:
        needed.missing("PostgreSQL is missing: apt-get install postgresql")
    with postgres_process.running(folder) as port:
        user = f"serinus:{quote(postgres_process.PASSWORD, safe='')}"
        yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelContract]:
    """A small model artifact with numbers, a string and a bool; no feature store."""
    folder = tmp_path_factory.mktemp("artifact")
    return folder, build_artifact(folder)


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server of this session's own, with its artifact proxy. Slow to start: share it."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", "1"),
        *("--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"),
    ]
    # Eight processes for jobs that nothing here starts, otherwise.
    jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **jobs}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=folder
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 200
    try:
        while not _is_up(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"mlflow server did not come up:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield url
    finally:
        # Its workers are children in a session of their own: the group ends with it.
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(5)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
