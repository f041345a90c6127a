"""The cluster's load client: its headers arrive, it stops by itself, and it counts what users got."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.support.gateway_load import answered, in_flight, quantile, users
from tests.support.loopback import serving

from serinus_local.load import Outcome, Request

REQUESTS = [Request("/v1/models/iris:predict", b"{}", "")]


@contextmanager
def server(every: int) -> Iterator[tuple[str, list[str]]]:
    """Answer 200, each `every`th time 503; yield the URL and what was sent as host and key."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(f"{self.headers['host']} {self.headers['x-api-key']}")
            self.send_response(503 if len(seen) % every == 0 else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield url, seen


def outcome(at: float, latency: float, status: int = 200) -> Outcome:
    return Outcome("user-000000", at, latency, status, "a", "")


def test_the_client_sends_its_headers_stops_by_itself_and_counts_what_failed(tmp_path: Path):
    headers = {"host": "iris.example.com", "x-api-key": "a:b"}
    with (
        server(every=10) as (url, seen),
        users(tmp_path, url, REQUESTS, rate=100, seconds=1, headers=headers) as load,
    ):
        found = answered(load.finish(30))
    assert set(seen) == {"iris.example.com a:b"}
    assert 90 <= found.sent == len(seen) <= 100
    assert found.unanswered == {"503": len(seen) // 10}
    assert found.lost == len(seen) // 10


def test_a_server_that_is_not_there_answers_nothing(tmp_path: Path):
    with users(tmp_path, "http://127.0.0.1:9", REQUESTS, rate=50, seconds=60, headers={}) as load:
        load.wait(10)
        found = answered(load.stop())
    assert set(found.unanswered) == {"no answer"}
    assert found.lost == found.sent >= 10


@pytest.mark.parametrize(
    ("between", "count"),
    [((0.4, 0.5), 0), ((1.05, 1.05), 1), ((2.42, 2.43), 2), ((2.6, 2.7), 0), ((1.05, 2.42), 3)],
)
def test_requests_in_flight_are_those_due_before_the_end_and_answered_after_the_beginning(
    between: tuple[float, float], count: int
):
    outcomes = [outcome(1.0, 100), outcome(2.0, 500), outcome(2.4, 50, status=0), outcome(3.0, 10)]
    assert in_flight(outcomes, between) == count


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.99, 4.0), (0.25, 1.0), (0.26, 2.0)])
def test_quantiles(share: float, value: float):
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == value
