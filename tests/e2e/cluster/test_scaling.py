"""Story: a busy model gets more pods, and an idle one gives them back."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.support.cluster import GATEWAY, Namespace, NotYet, until
from tests.support.cluster_models import PREDICT, REQUEST, Model

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(480)]

# Well above half of the 20m that the runtime requests; a fraction of a core for cluster and client together.
REQUESTS_PER_SECOND = 250
TARGET_PERCENT = 50
WORKERS = 4
# Metrics come each 15 s, the HPA looks each 15 s.
UP_SECONDS = 120
# And the test cluster's window is 30 s instead of 300 s.
DOWN_SECONDS = 150


@contextmanager
def load(headers: dict[str, str], seconds: float) -> Iterator[Counter[str]]:
    """Keep the gateway busy at a bounded rate, for `seconds` at most; the answers are counted."""
    seen: Counter[str] = Counter()
    stop, end = threading.Event(), time.monotonic() + seconds

    def work() -> None:
        with httpx.Client(base_url=GATEWAY, headers=headers, timeout=10, trust_env=False) as client:
            while not stop.wait(WORKERS / REQUESTS_PER_SECOND) and time.monotonic() < end:
                try:
                    seen[str(client.post(PREDICT, json=REQUEST).status_code)] += 1
                except httpx.HTTPError as error:
                    seen[type(error).__name__] += 1

    workers = [threading.Thread(target=work, daemon=True) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        stop.set()
        for worker in workers:
            worker.join(15)


def test_a_busy_pod_is_scaled_up_and_down_again(namespace: Namespace, figure: Callable[[str, str], None]):
    def ready_pods() -> int:
        deployment = model.deployments()["iris-predictor"]
        return int(deployment.get("status", {}).get("readyReplicas", 0))

    def current() -> str:
        scaler = namespace.get("autoscaling/v2", "HorizontalPodAutoscaler", "iris-predictor")
        return "no HPA" if scaler is None else str(scaler.get("status"))

    def at(count: int) -> None:
        if ready_pods() != count:
            raise NotYet(f"{ready_pods()} ready pods, HPA {current()}")

    def calm() -> None:
        scaler = namespace.get("autoscaling/v2", "HorizontalPodAutoscaler", "iris-predictor")
        metrics = (scaler or {}).get("status", {}).get("currentMetrics") or [{}]
        share = metrics[0].get("resource", {}).get("current", {}).get("averageUtilization")
        if share is None or share >= TARGET_PERCENT:
            raise NotYet(current())
        at(1)

    # Given a model that KServe may scale from one pod to two, at half of the CPU it asked for
    model = Model(namespace).write_artifact()
    del model.service["metadata"]["annotations"]
    limits = {"minReplicas": 1, "maxReplicas": 2, "scaleMetric": "cpu", "scaleTarget": TARGET_PERCENT}
    model.service["spec"]["predictor"] |= limits
    model.apply()
    model.answers()
    # And the HPA has seen it idle, so that what follows is not its start
    until("the HPA sees one idle pod", calm, UP_SECONDS, pause=1)
    # When clients keep it busy
    begun = time.monotonic()
    with load({"host": model.host, **namespace.cluster.admin}, UP_SECONDS) as seen:
        # Then it gets a second pod
        until("the busy model has two ready pods", lambda: at(2), UP_SECONDS, pause=1)
        figure("seconds from load to a second ready pod", f"{time.monotonic() - begun:.0f}")
    # And no request was lost meanwhile
    assert set(seen) == {"200"}, seen
    # And when the clients go, so does the second pod
    begun = time.monotonic()
    until("the idle model has one pod", lambda: at(1), DOWN_SECONDS, pause=1)
    figure("seconds from the load's end to one pod", f"{time.monotonic() - begun:.0f}")
