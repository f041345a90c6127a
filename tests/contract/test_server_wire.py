"""Bytes on the wire: what a proxy, a slow client or a scanner sends, and what comes back."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bad_requests import V1
from tests.support.raw_http import Answers
from tests.support.server_process import ServerProcess, running

from serinus_contracts.artifact import ModelContract

BODY = json.dumps({"instances": [{"age": 40, "tenure_months": 3}]}).encode()
HEAD = b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n" % V1.encode()
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(scope="module")
def server(
    artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    log = tmp_path_factory.mktemp("server") / "log"
    with running(artifact[0], log, request_seconds=1) as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


@pytest.mark.parametrize(
    "sent",
    [
        [WHOLE],
        [bytes([byte]) for byte in WHOLE],
        [HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(BODY[:9], BODY[9:])],
        [HEAD + b"transfer-encoding: chunked\r\n\r\n", chunked(BODY)],
        [HEAD + b"content-length: %d\r\n\r\n" % len(BODY), BODY[:5], BODY[5:]],
    ],
    ids=["whole", "byte by byte", "chunked", "chunks later", "split body"],
)
def test_a_request_may_come_in_any_pieces_and_the_connection_stays(client: socket.socket, sent: list[bytes]):
    answers = Answers(client)
    for _ in range(2):
        for piece in sent:
            client.sendall(piece)
        status, headers, body = answers.next()
        assert status == 200
        assert len(json.loads(body)["predictions"]) == 1
        assert "connection" not in headers


def test_pipelined_requests_are_answered_in_order(client: socket.socket):
    client.sendall(
        b"".join(WHOLE.replace(b"host: a", b"host: a\r\nx-prediction-id: p%d" % i) for i in range(20))
    )
    answers = Answers(client)
    assert [answers.next()[1]["x-prediction-id"] for _ in range(20)] == [f"p{i}" for i in range(20)]


@pytest.mark.parametrize("head", [HEAD + b"connection: close\r\n", HEAD.replace(b"1.1", b"1.0")])
def test_close_and_http_1_0_close_after_the_answer(client: socket.socket, head: bytes):
    client.sendall(head + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
    answers = Answers(client)
    assert answers.next()[0] == 200
    assert answers.ended()


def test_expect_continue(client: socket.socket):
    client.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
    answers = Answers(client)
    assert answers.next()[0] == 100
    client.sendall(BODY)
    assert answers.next()[0] == 200


def test_expect_continue_for_too_much_is_refused_before_it_is_sent(client: socket.socket):
    client.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n")
    answers = Answers(client)
    assert answers.next()[0] == 413
    assert answers.ended()


@pytest.mark.parametrize(
    "sent",
    [WHOLE[:20], HEAD + b"content-length: 50\r\n\r\n{", HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{"],
    ids=["in the headers", "in the body", "in a chunk"],
)
def test_a_client_that_stops_half_way_gets_408(client: socket.socket, sent: bytes):
    client.sendall(sent)
    answers = Answers(client)
    status, _, body = answers.next()
    assert status == 408
    assert "within 1 s" in json.loads(body)["error"]
    assert answers.ended()


def test_a_client_that_stops_in_its_second_request(client: socket.socket):
    client.sendall(WHOLE + HEAD)
    answers = Answers(client)
    assert [answers.next()[0] for _ in range(2)] == [200, 408]
    assert answers.ended()


def test_a_silent_connection_is_closed(client: socket.socket):
    assert Answers(client).ended()


def test_an_idle_connection_between_requests_is_kept(client: socket.socket):
    answers = Answers(client)
    client.sendall(WHOLE)
    assert answers.next()[0] == 200
    client.settimeout(1.6)
    with pytest.raises(TimeoutError):
        client.recv(1)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nbad header\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"\x00: 1\r\n\r\n",
    ],
    ids=["no HTTP", "no header", "length and chunks", "two lengths", "negative length", "bad chunk", "NUL"],
)
def test_row_28_what_is_no_http_gets_400_and_the_end(client: socket.socket, sent: bytes):
    client.sendall(sent)
    answers = Answers(client)
    status, headers, body = answers.next()
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert "error" in json.loads(body)
    assert answers.ended()


@pytest.mark.parametrize("host", [b"a/b?c#d", b"[::1", b"a b", b"\xff\xfe", b"x" * 1000])
def test_row_28_a_garbage_host_changes_nothing(client: socket.socket, host: bytes):
    answers = Answers(client)
    for request in (WHOLE, b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"):
        client.sendall(request.replace(b"host: a", b"host: " + host))
        assert answers.next()[0] == 200


def test_row_28_a_thousand_headers_pass_and_endless_ones_do_not(client: socket.socket):
    answers = Answers(client)
    client.sendall(WHOLE.replace(b"host: a", b"host: a" + b"".join(b"\r\nx-%d: 1" % i for i in range(1000))))
    assert answers.next()[0] == 200
    try:
        for i in range(10_000):
            client.sendall(b"GET / HTTP/1.1\r\n" if i == 0 else b"x-%d: %s\r\n" % (i, b"v" * 1000))
    except (BrokenPipeError, ConnectionResetError):
        return  # hung up in the middle, which is the point
    assert answers.next()[0] == 431
