"""Story: users name customers 50 times a second while the Redis that holds their features is restarted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cluster import GATEWAY, Cluster, NotYet, until
from tests.support.cluster_churn import HOST, PREDICT, served, trained
from tests.support.cluster_gateway import RELEASE_NAMESPACE
from tests.support.faults import is_ready
from tests.support.figures import Row
from tests.support.gateway_load import answered, users

from serinus_local.load import Request

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

RATE = 50
LONGEST_SECONDS = 300
READY_SECONDS = 120
REDIS = "serinus-redis-0"


def test_redis_is_restarted(cluster: Cluster, tmp_path: Path, record: Callable[[Row], None]):
    # Given churn, which looks its features up
    trained(cluster)
    served(cluster)
    requests = [
        Request(PREDICT, json.dumps({"instances": [{"customer_id": each}]}).encode(), str(each))
        for each in range(1, 501)
    ]
    headers = {"host": HOST, **cluster.admin}
    before = cluster.get("v1", "Pod", REDIS, RELEASE_NAMESPACE)
    assert before is not None

    def again() -> None:
        now = cluster.get("v1", "Pod", REDIS, RELEASE_NAMESPACE)
        if now is None or now["metadata"]["uid"] == before["metadata"]["uid"] or not is_ready(now):
            raise NotYet("not yet")

    with users(tmp_path, GATEWAY, requests, rate=RATE, seconds=LONGEST_SECONDS, headers=headers) as load:
        load.wait(2 * RATE)
        # When its pod goes and comes back
        cluster.delete("v1", "Pod", REDIS, RELEASE_NAMESPACE)
        until("Redis is back", again, READY_SECONDS)
        load.wait(4 * RATE)
        outcomes = load.stop()
    # Then every user got an answer
    got = answered(outcomes)
    record(Row("Redis restarts", RATE, got))
    assert got.lost == 0
