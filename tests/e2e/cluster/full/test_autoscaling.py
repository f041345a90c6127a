"""Story: the load steps up, and the HPA's second pod comes.

The server needs little: the test asks for 10m of a core and lets the HPA act at half of that, so that a
bounded load is a step at all. Measured is the way through metrics, HPA and the pod, not the appetite.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cluster import GATEWAY, Namespace, NotYet, until
from tests.support.cluster_models import PREDICT, REQUEST, Model
from tests.support.figures import Row
from tests.support.gateway_load import answered, users

from serinus_local.load import Request

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

RATE = 100
REQUESTED, TARGET_PERCENT = "10m", 50
# The HPA needs a calm look before the step, and its way up: metrics each 15 s, a look each 15 s, a start.
CALM_SECONDS, UP_SECONDS = 180, 180
SCALER = ("autoscaling/v2", "HorizontalPodAutoscaler", "iris-predictor")


def test_a_second_pod_comes_after_a_load_step(
    namespace: Namespace,
    tmp_path: Path,
    record: Callable[[Row], None],
    figure: Callable[[str, str], None],
):
    def calm() -> None:
        metrics = (namespace.get(*SCALER) or {}).get("status", {}).get("currentMetrics") or [{}]
        share = metrics[0].get("resource", {}).get("current", {}).get("averageUtilization")
        if share is None or share >= TARGET_PERCENT:
            raise NotYet(f"{share} % of {REQUESTED}")

    def second() -> None:
        ready = model.deployments()["iris-predictor"].get("status", {}).get("readyReplicas", 0)
        if ready < 2:
            raise NotYet(f"{ready} ready")

    # Given a model of one pod that the HPA sees at rest
    model = Model(namespace).write_artifact()
    model.service["metadata"].pop("annotations", None)
    predictor = model.service["spec"]["predictor"]
    predictor |= {
        "minReplicas": 1,
        "maxReplicas": 2,
        "scaleMetric": "cpu",
        "scaleTarget": TARGET_PERCENT,
    }
    predictor["model"]["resources"] = {"requests": {"cpu": REQUESTED, "memory": "64Mi"}}
    model.apply()
    model.answers()
    until("the HPA sees one idle pod", calm, CALM_SECONDS, pause=1)
    requests = [Request(PREDICT, json.dumps(REQUEST).encode(), "")]
    headers = {"host": model.host, **namespace.cluster.admin}
    begun = time.monotonic()
    with users(tmp_path, GATEWAY, requests, rate=RATE, seconds=UP_SECONDS + 60, headers=headers) as load:
        # When users come, 100 a second at once
        load.wait(1)
        until("the second pod is ready", second, UP_SECONDS)
        figure("seconds from a load step to the HPA's second ready pod", f"{time.monotonic() - begun:.0f}")
        load.wait(2 * RATE)
        got = answered(load.stop())
    # Then nobody was lost on the way
    record(Row("the HPA adds a second pod", RATE, got))
    assert got.lost == 0
