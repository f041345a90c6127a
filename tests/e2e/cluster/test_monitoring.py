"""Story: whoever asks is scraped, every panel of every board has something to show, and alerts are told."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from tests.rules.queries import Asked, asked
from tests.rules.test_rules import ALERTS
from tests.support.cluster import Cluster, Namespace, NotYet, until
from tests.support.cluster_churn import HOST, PREDICT, served, trained
from tests.support.cluster_gateway import KEY, ask, key_of
from tests.support.cluster_models import MODELS
from tests.support.cluster_monitoring import ALERTMANAGER, query, released, rules
from tests.support.cluster_monitoring import ask as get
from tests.support.cluster_pods import python_pod, running

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

# What the platform alone brings; kind's values leave Grafana out where its image cannot be had.
JOBS = {
    *("prometheus", "alertmanager", "kube-state-metrics", "nodes", "volumes"),
    *("model-servers", "envoy", "pods", "redis", "log-redis"),
}
SCRAPED_SECONDS = 120
# Half a minute between samples of the slow targets, two samples for a rate, and rules are evaluated after.
SHOWN_SECONDS = 180
TOLD_SECONDS = 240
RECEIVER_PORT = 9095
RECEIVER = f"""
from http.server import BaseHTTPRequestHandler, HTTPServer

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("", {RECEIVER_PORT}), Receiver).serve_forever()
"""


def test_whoever_asks_is_scraped(cluster: Cluster):
    # Given the platform of make up
    # When Prometheus has looked around
    def look() -> None:
        reached = {each["metric"]["job"] for each in query(cluster, "max by (job) (up) == 1")}
        if missing := JOBS - reached:
            raise NotYet(f"not reached: {sorted(missing)}")
        down = query(cluster, 'up{namespace=~"serinus-system|"} == 0')
        if down:
            raise NotYet(f"down: {[each['metric'] for each in down]}")

    # Then every part of the platform is reached, and none that asks is not
    until("Prometheus reaches the platform's parts", look, SCRAPED_SECONDS, pause=2)


def test_every_rule_is_evaluated_and_the_watchdog_arrives(cluster: Cluster):
    def evaluated() -> None:
        # Then the cluster's Prometheus knows every alert of the chart
        assert {each["name"] for each in rules(cluster) if each["type"] == "alerting"} == set(ALERTS)

    until("every rule has been evaluated without an error", evaluated, SCRAPED_SECONDS, pause=2)

    def arrived() -> dict[str, Any]:
        alerts = get(cluster, ALERTMANAGER, "/api/v2/alerts")
        for each in alerts:
            if each["labels"]["alertname"] == "SerinusWatchdog":
                return dict(each)
        raise NotYet(sorted(each["labels"]["alertname"] for each in alerts))

    # And Alertmanager has got the one that always fires, with its runbook
    watchdog = until("Alertmanager has the watchdog", arrived, SCRAPED_SECONDS, pause=2)
    assert watchdog["annotations"]["runbook_url"] == "docs/runbooks/SerinusWatchdog.md"
    assert watchdog["labels"]["cluster"]


@pytest.fixture(scope="module")
def traffic(cluster: Cluster) -> Callable[[], None]:
    """Return a function that has churn predict for customers known and unknown, and refuse once."""
    trained(cluster)
    served(cluster)
    key = {KEY: key_of(cluster, MODELS)}
    chance = random.Random(7)

    def send() -> None:
        rows = [{"customer_id": chance.randint(1, 1000)} for _ in range(3)] + [{"customer_id": 10**9}]
        for body in ({"instances": rows}, {"instances": "none"}):
            try:
                ask(HOST, PREDICT, headers=key, json=body)
            except httpx.HTTPError:
                # Whether it answers is other stories'; here it is enough that most do.
                continue

    return send


def test_every_panel_of_every_board_shows_something(
    cluster: Cluster, traffic: Callable[[], None], figure: Callable[[str, str], None]
):
    # Given a model that is served, with its route, its autoscaler, its features in Redis and its Jobs
    waiting: list[Asked] = asked()
    total = len(waiting)

    # When it predicts, and someone looks at the boards
    def look() -> None:
        traffic()
        for each in tuple(waiting):
            if query(cluster, each.expression):
                waiting.remove(each)
        if waiting:
            raise NotYet([str(each) for each in waiting])

    # Then every query of every panel gives a series
    until("every panel has something to show", look, SHOWN_SECONDS, pause=0.5)
    figure("queries of boards that the live Prometheus answered with data", f"{total} of {total}")


@pytest.fixture
def release(namespace: Namespace) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Return a function that installs the chart with values into the story's namespace."""
    with released(namespace) as install:
        yield install


@pytest.mark.full
def test_an_alert_is_told_to_whoever_listens(
    namespace: Namespace, release: Callable[[Mapping[str, Any]], None], figure: Callable[[str, str], None]
):
    # Given somebody who listens, and a model server that does not answer Prometheus: nothing is at its port
    listener = python_pod(
        namespace.cluster,
        "listener",
        RECEIVER,
        labels={"serving.kserve.io/inferenceservice": "mute"},
    )
    listener["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": "9"}
    address = running(namespace, listener)["status"]["podIP"]
    # When the platform's monitoring is told to tell them
    small = {"size": "64Mi"}
    release(
        {
            "prometheus": {
                "scrape": {"seconds": 5},
                "storage": small,
                "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            },
            "alertmanager": {
                "webhookUrl": f"http://{address}:{RECEIVER_PORT}/",
                "egress": [{"ports": [{"protocol": "TCP", "port": RECEIVER_PORT}]}],
                "storage": small,
            },
            "kubeStateMetrics": {"enabled": False},
            "grafana": {"enabled": False},
        }
    )

    def told() -> dict[str, Any]:
        for line in namespace.logs("listener").splitlines():
            for alert in json.loads(line)["alerts"]:
                if alert["labels"].get("pod") == "listener":
                    return dict(alert)
        raise NotYet(namespace.logs("listener")[-300:])

    # Then they are told of it, with what it means and where to read on
    alert = until("the alert has arrived", told, TOLD_SECONDS, pause=1)
    assert alert["status"] == "firing"
    assert alert["labels"]["alertname"] == "SerinusModelServerDown"
    assert alert["labels"]["namespace"] == namespace.name
    assert alert["annotations"]["summary"] == "A server of mute does not tell its metrics"
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/SerinusModelServerDown.md"
    figure("alert that a listener got", alert["annotations"]["summary"])
