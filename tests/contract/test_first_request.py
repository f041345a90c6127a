"""`make up`'s last look at a gateway on loopback: what counts as a prediction, and what is said instead."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from tests.support.loopback import serving
from tests.support.ports import free_port

from serinus_cluster.acts.machine import _answers
from serinus_cluster.acts.model import _ask
from serinus_cluster.waiting import NotYet


@contextmanager
def gateway(status: int, body: bytes) -> Iterator[str]:
    """A server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


def test_predictions_come_with_the_time_they_took():
    with gateway(200, json.dumps({"predictions": ["setosa"]}).encode()) as url:
        predictions, seconds = _ask(url, {}, b"{}")
    assert predictions == ["setosa"]
    assert 0 < seconds < 10


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"no healthy upstream", "HTTP 503 no healthy upstream"),
        (200, b'{"predictions": []}', 'no predictions: {"predictions": []}'),
        (200, b'{"error": "x"}', 'no predictions: {"error": "x"}'),
    ],
)
def test_anything_else_is_told(status: int, body: bytes, said: str):
    with gateway(status, body) as url, pytest.raises(NotYet) as seen:
        _ask(url, {}, b"{}")
    assert str(seen.value) == said


def test_a_gateway_that_is_not_there_is_told():
    with pytest.raises(NotYet, match="ConnectError: "):
        _ask(f"http://127.0.0.1:{free_port()}", {}, b"{}")


def test_a_registry_serves_or_says_what_it_answers():
    with gateway(200, b"{}") as url:
        _answers(int(url.rpartition(":")[2]))
    with gateway(500, b"{}") as url, pytest.raises(NotYet, match="HTTP 500"):
        _answers(int(url.rpartition(":")[2]))
    with pytest.raises(NotYet, match="ConnectError: "):
        _answers(free_port())
