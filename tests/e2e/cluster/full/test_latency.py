"""Stories: how long users wait at 100 requests a second, and at which rate they begin to wait long.

The client, the cluster and what it runs share this machine's cores: the rates are those of the whole of it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cluster import GATEWAY, Namespace
from tests.support.cluster_gateway import KEY, admin_key
from tests.support.cluster_models import PREDICT, REQUEST, Model
from tests.support.figures import Row
from tests.support.gateway_load import Answered, Overloaded, answered, users

from serinus_local.load import Request

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

STEADY_RATE, STEADY_SECONDS = 100, 60
LIMIT_MS = 100.0
STEP_SECONDS = 8
FIRST_STEP, LAST_STEP = 200, 6400
# The answer is as fine as this share of it.
FINENESS = 0.1


@pytest.fixture
def ask(namespace: Namespace, tmp_path: Path) -> Callable[[float, float], Answered | None]:
    """Return a function that asks a model of one pod at a rate, for so long; None: the client was overrun."""
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    requests = [Request(PREDICT, json.dumps(REQUEST).encode(), "")]
    headers = {"host": model.host, KEY: admin_key(namespace.cluster)}

    def run(rate: float, seconds: float) -> Answered | None:
        with users(tmp_path, GATEWAY, requests, rate=rate, seconds=seconds, headers=headers) as load:
            try:
                return answered(load.finish(seconds + 30))
            except Overloaded:
                return None

    return run


def test_users_wait_little_at_100_requests_a_second(
    ask: Callable[[float, float], Answered | None], record: Callable[[Row], None]
):
    ask(STEADY_RATE, 5)
    got = ask(STEADY_RATE, STEADY_SECONDS)
    assert got is not None
    record(Row("100 a second through the gateway, one pod", STEADY_RATE, got))
    assert got.lost == 0
    assert got.p99 < LIMIT_MS


def test_the_highest_rate_at_which_users_wait_little(
    ask: Callable[[float, float], Answered | None],
    record: Callable[[Row], None],
    figure: Callable[[str, str], None],
):
    def holds(rate: float) -> bool:
        got = ask(rate, STEP_SECONDS)
        if got is None:
            return False
        good = got.lost == 0 and got.p99 < LIMIT_MS
        record(Row(f"a step of {STEP_SECONDS} s: {'held' if good else 'not held'}", rate, got))
        return good

    # Given a rate that is held, and twice that which is not
    low = float(FIRST_STEP)
    assert holds(low), f"p99 is not under {LIMIT_MS:g} ms at {low:g}/s"
    while low < LAST_STEP and holds(2 * low):
        low *= 2
    high = 2 * low
    # Then what lies between is halved until the answer is fine enough
    while low < LAST_STEP and high - low > FINENESS * low:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    figure("highest rate with p99 under 100 ms through the gateway, one pod", f"{low:.0f}/s")
