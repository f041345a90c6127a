"""What users saw, grouped; what was answered, compared with what was logged."""

import pytest

from serinus_local.accounts import account
from serinus_local.load import Outcome, Request, read_outcomes, read_traffic, write_traffic
from serinus_local.timeline import Expected, Timeline, by_second


def outcome(
    at: float, status: int = 200, revision: str = "a", latency: float = 1.0, number: int = 0
) -> Outcome:
    return Outcome(f"user-{number:06d}", at, latency, status, revision, "7")


def test_each_second_counts_answers_by_revision_and_what_was_lost_or_refused():
    seen = [
        outcome(1000.1, latency=1.0),
        outcome(1000.2, revision="b", latency=3.0),
        outcome(1000.3, status=503, latency=9.0),
        outcome(1000.4, status=0, revision="", latency=5.0),
        outcome(1002.0, status=422),
    ]
    first, third = by_second(reversed(seen), 1000.0)
    assert (first.t, first.sent, first.lost, first.refused) == (0.0, {"a": 1, "b": 1}, 2, 0)
    assert (first.p50, first.p99) == (5.0, 9.0)
    assert (third.t, third.sent, third.lost, third.refused) == (2.0, {"a": 1}, 0, 1)


def test_no_users_are_no_seconds():
    assert by_second([], 0.0) == ()


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        (["user-000001", "user-000002"], (0, 0, 0)),
        (["user-000001", "user-000002", "probe-1"], (0, 0, 0)),
        (["user-000001"], (1, 0, 0)),
        (["user-000001", "user-000002", "user-000003"], (0, 1, 0)),
        (["user-000001", "user-000002", "user-000002"], (0, 0, 1)),
    ],
    ids=["exact", "probes do not count", "a row is missing", "a row too many", "twice"],
)
def test_answers_and_log_rows_are_compared_both_ways(logged, expected):
    answered = [outcome(1.0, number=1), outcome(2.0, number=2), outcome(3.0, status=503, number=3)]
    assert account(answered, logged) == expected


def test_outcomes_are_read_while_they_are_written(tmp_path):
    path = tmp_path / "outcomes.csv"
    path.write_text("header\nuser-000001,10.5,2.25,200,a,7\nuser-000002,10.6,")
    assert list(read_outcomes(path)) == [Outcome("user-000001", 10.5, 2.25, 200, "a", "7")]


def test_traffic_survives_its_file(tmp_path):
    requests = [Request("/v1/models/churn:predict", b'{"instances": [{"customer_id": 7}]}', "7")]
    write_traffic(tmp_path / "traffic.jsonl", requests)
    assert read_traffic(tmp_path / "traffic.jsonl") == requests


def test_a_run_without_expectations_has_not_passed():
    empty = Timeline(7, 200.0, "", 1.0, {}, (), (), (), (), (), ())
    assert not empty.passed
    good, bad = Expected("a", "", True), Expected("b", "", False)
    assert Timeline(7, 200.0, "", 1.0, {}, (), (), (), (), (), (good,)).passed
    assert not Timeline(7, 200.0, "", 1.0, {}, (), (), (), (), (), (good, bad)).passed
