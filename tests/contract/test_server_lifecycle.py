"""From start to SIGTERM: what the process says, in which order, and what it never loses."""

import http.client
import json
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact
from tests.support.bad_requests import V1
from tests.support.server_process import ServerProcess, running

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract
from serinus_contracts.records import PredictionRecord

GOOD = json.dumps({"instances": [{"age": 40, "tenure_months": 3}] * 3})
JSON = {"content-type": "application/json"}


def post(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", V1, GOOD, JSON)
    status = connection.getresponse().status
    connection.close()
    return status


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_sigterm_drains_and_every_row_is_in_the_log(artifact: tuple[Path, ModelContract], tmp_path: Path):
    with running(artifact[0], tmp_path / "log", log_sink=f"dir:{tmp_path}/rows", drain_seconds=1) as server:
        answered = []
        refused = threading.Event()

        def load() -> None:
            while True:
                try:
                    answered.append(post(server.port))
                except OSError:
                    refused.set()
                    return

        client = threading.Thread(target=load)
        client.start()
        while len(answered) < 50:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while status_of(server.port, "/v2/health/ready") != 503 and time.monotonic() < deadline:
            time.sleep(0.01)
        at_503 = len(answered)
        assert status_of(server.port, "/v2/health/live") == 200
        for path in ("/ready", "/health", "/v1/models/churn", "/v2/models/churn/ready"):
            assert status_of(server.port, path) == 503
        code, logged = server.stop(signal.SIGTERM)
        client.join(10)
    assert code == 0
    assert refused.is_set()
    assert set(answered) == {200}
    assert len(answered) > at_503, "requests are taken while routers look away"
    lines = [line for path in (tmp_path / "rows").iterdir() for line in path.read_bytes().splitlines()]
    records = [PredictionRecord(**json.loads(line)) for line in lines]
    ended = re.search(r"ended model=churn revision=(\w+) rows=(\d+) logged=(\d+) dropped=0", logged)
    assert ended, logged
    assert ended[1] == artifact[1].revision
    # A request that was cut off by the end may have been predicted and not read.
    assert 0 <= int(ended[2]) - 3 * len(answered) <= 3
    assert int(ended[2]) == int(ended[3]) == len(records) == len({record.prediction_id for record in records})


def test_a_request_under_way_is_answered_after_sigterm(artifact: tuple[Path, ModelContract], tmp_path: Path):
    with running(artifact[0], tmp_path / "log") as server:
        body = GOOD.encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            head = f"POST {V1} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            client.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
            assert status_of(server.port, "/ready") == 200
            server.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
                except OSError:
                    break  # it listens no more
                time.sleep(0.02)
            client.sendall(body[10:])
            answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        assert server.stop()[0] == 0


def test_sigint_ends_without_the_pause(artifact: tuple[Path, ModelContract], tmp_path: Path):
    with running(artifact[0], tmp_path / "log", drain_seconds=600) as server:
        assert server.stop(signal.SIGINT)[0] == 0


def test_answers_close_connections_while_draining(artifact: tuple[Path, ModelContract], tmp_path: Path):
    with running(artifact[0], tmp_path / "log", drain_seconds=600) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", V1, GOOD, JSON)
        assert connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while status_of(server.port, "/ready") != 503 and time.monotonic() < deadline:
            time.sleep(0.01)
        connection.request("POST", V1, GOOD, JSON)
        response = connection.getresponse()
        assert (response.status, response.headers["connection"]) == (200, "close")
        connection.close()
        assert server.stop(signal.SIGTERM)[0] == 0, "asked twice, it ends at once"


def ended_badly(folder: Path, tmp_path: Path, **settings: object) -> tuple[int, str]:
    server = ServerProcess(folder, tmp_path / "log", **settings)
    code = server.process.wait(30)
    return code, (tmp_path / "log").read_text()


def change_model(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:-1])


def remove_contract(folder: Path) -> None:
    (folder / CONTRACT_FILE).unlink()


@pytest.mark.parametrize(("spoil", "word"), [(change_model, MODEL_FILE), (remove_contract, CONTRACT_FILE)])
def test_an_artifact_that_is_not_whole_is_not_served(tmp_path: Path, spoil, word: str):
    folder = tmp_path / "artifact"
    build_artifact(folder)
    spoil(folder)
    code, said = ended_badly(folder, tmp_path)
    assert code == 2
    assert word in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "code", "word"),
    [
        ({"port": "http"}, 2, "SERINUS_PORT"),
        ({"max_rows": "0"}, 2, "SERINUS_MAX_ROWS"),
        ({"log_sink": "kafka://x"}, 2, "sink"),
        ({"host": "256.1.1.1"}, 1, "256.1.1.1"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    artifact: tuple[Path, ModelContract], tmp_path: Path, settings: dict[str, str], code: int, word: str
):
    ended, said = ended_badly(artifact[0], tmp_path, **settings)
    assert ended == code, said
    assert word in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("opened", "before"), [("early", {"503"}), ("ready", set())])
def test_what_a_server_answers_before_its_model_is_loaded(
    artifact: tuple[Path, ModelContract], tmp_path: Path, opened: str, before: set[str]
):
    server = ServerProcess(artifact[0], tmp_path / "log", open_port=opened)
    seen: list[str] = []
    deadline = time.monotonic() + 30
    while "200" not in seen and time.monotonic() < deadline:
        try:
            seen.append(str(post(server.port)))
        except ConnectionRefusedError:
            seen.append("refused")
    assert server.stop()[0] == 0
    assert set(seen) - {"refused", "200"} == before, seen
    assert seen[-1] == "200"


def test_a_taken_port_is_named(artifact: tuple[Path, ModelContract], tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = ended_badly(artifact[0], tmp_path, port=taken.getsockname()[1])
    assert code == 1
    assert "Address already in use" in said
    assert "Traceback" not in said
