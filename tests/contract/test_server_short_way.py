"""A plain predict request is answered from the connection, all others by ASGI: the answers are the same."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.bad_requests import V1
from tests.support.raw_http import Answers
from tests.support.server_process import ServerProcess, running

from serinus_contracts import metrics
from serinus_contracts.artifact import ModelContract
from serinus_operator.adapters.prometheus_text import parse

V2 = "/v2/models/churn/infer"
ROW = {"age": 40, "tenure_months": 3}
KEEP_ALIVE_SECONDS = 1


@pytest.fixture(scope="module")
def server(
    artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    log = tmp_path_factory.mktemp("server") / "log"
    with running(artifact[0], log, keep_alive_seconds=KEEP_ALIVE_SECONDS, max_rows=3) as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def request(path: str, body: bytes, headers: str = "", *, short: bool = True) -> bytes:
    """A query sends the same request the long way."""
    target = path if short else f"{path}?long=1"
    kind = "" if "content-type" in headers else "content-type: application/json\r\n"
    head = f"POST {target} HTTP/1.1\r\nhost: a\r\n{kind}{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def instances(*rows: object) -> bytes:
    return json.dumps({"instances": rows}).encode()


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (V1, instances(ROW), "x-prediction-id: a\r\n", 200),
        (V1, instances(ROW, ROW, ROW), "x-prediction-id: a\r\n", 200),
        (V1, instances(ROW), "x-prediction-id: a\r\nconnection: close\r\n", 200),
        ("/predict", json.dumps({"features": ROW}).encode(), "x-prediction-id: a\r\n", 200),
        ("/predict/batch", json.dumps({"rows": [{"features": ROW}]}).encode(), "x-prediction-id: a\r\n", 200),
        (V1, b"", "", 400),
        (V1, b"{", "", 400),
        (V1, b"\xff", "", 400),
        (V1, instances({"age": "old"}), "", 400),
        (V2, b"{}", "", 400),
        (V1, instances(ROW), "x-prediction-id: no spaces\r\n", 400),
        (V1, instances(ROW, ROW, ROW, ROW), "", 413),
        (V1, instances(ROW), "content-type: text/plain\r\n", 415),
        (V1, instances(ROW), "content-encoding: gzip\r\n", 415),
    ],
)
def test_both_ways_give_the_same_answer(
    client: socket.socket, server: ServerProcess, path: str, body: bytes, headers: str, status: int
):
    told = []
    for short in (True, False):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            answers = Answers(connection)
            connection.sendall(request(path, body, headers, short=short))
            got, told_headers, told_body = answers.next()
            assert told_headers.pop("date")
            told.append((got, told_headers, told_body))
            if "connection: close" in headers:
                assert answers.ended()
            else:
                connection.sendall(request(V1, instances(ROW), short=short))
                assert answers.next()[0] == 200, "the connection stays usable"
    assert told[0] == told[1]
    assert told[0][0] == status


def test_requests_of_both_ways_in_one_write_are_answered_in_order(client: socket.socket):
    names = [f"p{i}" for i in range(24)]
    sent = [
        request(V1, instances(ROW), f"x-prediction-id: {name}\r\n", short=i % 3 != 0)
        for i, name in enumerate(names)
    ]
    client.sendall(b"".join(sent))
    answers = Answers(client)
    assert [answers.next()[1]["x-prediction-id"] for _ in names] == names


def test_both_ways_count(server: ServerProcess, client: socket.socket):
    def counted() -> dict[str, float]:
        found = parse(httpx.get(f"{server.base}/metrics", timeout=10).text)
        return {code: found.total(metrics.REQUESTS, protocol="v1", code=code) for code in ("200", "400")}

    before = counted()
    answers = Answers(client)
    for short in (True, False):
        for body in (instances(ROW), b"{"):
            client.sendall(request(V1, body, short=short))
            answers.next()
    assert counted() == {code: count + 2 for code, count in before.items()}


@pytest.mark.parametrize("ways", ["s", "l", "sl", "ls"])
def test_an_idle_connection_is_closed_in_its_time_and_not_before(client: socket.socket, ways: str):
    answers = Answers(client)
    for way in ways:
        time.sleep(KEEP_ALIVE_SECONDS * 0.6)
        client.sendall(request(V1, instances(ROW), short=way == "s"))
        assert answers.next()[0] == 200
    answered = time.monotonic()
    assert answers.ended()
    assert KEEP_ALIVE_SECONDS * 0.9 <= time.monotonic() - answered <= KEEP_ALIVE_SECONDS + 5


def test_a_client_that_leaves_before_its_answer_harms_nobody(server: ServerProcess):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(request(V1, instances(ROW)))
    assert httpx.post(f"{server.base}{V1}", json={"instances": [ROW]}, timeout=10).status_code == 200
    assert "Traceback" not in server.log.read_text()
