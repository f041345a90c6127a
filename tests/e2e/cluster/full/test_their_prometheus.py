"""Story: a cluster has prometheus-operator already. Its Prometheus takes our targets, rules and series."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from tests.rules.queries import asked
from tests.rules.test_rules import CHART
from tests.support.cluster import MARK, Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_models import Model
from tests.support.cluster_monitoring import ask, query, released, rules
from tests.support.cluster_pods import IDLE, python_pod, running
from tests.support.their_prometheus import SELECTED, SERVICE, installed

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

SCRAPED_SECONDS, RECORDED_SECONDS, FIRING_SECONDS = 180, 180, 240
JOBS = {"model-servers", "envoy", "pods", "theirs", "kube-state-metrics"}
# What they record of a model that is asked, of the gateway, and of whoever uses cores.
RECORDED = (
    'serinus:model_requests:rate5m{namespace="%s", model="iris"} > 0',
    'serinus:model_latency_seconds:p95_5m{namespace="%s", model="iris"}',
    'serinus:threshold{namespace="%s", model="iris", limit="latencySeconds"}',
    'serinus:pod_cost_per_hour{namespace="%s"} > 0',
    'serinus:gateway_requests:rate5m{envoy_response_code_class="2"} > 0',
)
# A part of the platform that speaks of another namespace, as the operator does.
TELLER = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Teller(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b'serinus_route_ready{namespace="elsewhere", route="told", reason="Told"} 1\\n')

HTTPServer(("", 8080), Teller).serve_forever()
"""


@pytest.fixture
def theirs(cluster: Cluster) -> Iterator[Namespace]:
    """Their namespace, with prometheus-operator and a Prometheus."""
    name = f"e2e-theirs-{secrets.token_hex(2)}"
    labels = {MARK: "theirs", "pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    found = Namespace(cluster, name)
    try:
        with installed(found):
            yield found
    finally:
        cluster.delete("v1", "Namespace", name)


@pytest.fixture
def release(namespace: Namespace, theirs: Namespace) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Return a function that installs the chart; its objects go before the definitions of their kinds."""
    assert theirs
    with released(namespace) as install:
        yield install


def asks(namespace: Namespace, name: str, program: str, port: int, labels: dict[str, str]) -> None:
    """Run a pod that asks to be scraped."""
    pod = python_pod(namespace.cluster, name, program, labels=labels)
    pod["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}
    running(namespace, pod)


def test_their_prometheus_scrapes_records_and_alerts(
    namespace: Namespace,
    theirs: Namespace,
    release: Callable[[Mapping[str, Any]], None],
    figure: Callable[[str, str], None],
):
    cluster = namespace.cluster

    def found(expression: str) -> list[Object]:
        return query(cluster, expression, theirs.name, SERVICE)

    # Given a model that predicts, a part that tells metrics, and a server that does not answer at its port
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    asks(namespace, "teller", TELLER, 8080, {"app.kubernetes.io/part-of": "serinus"})
    asks(namespace, "mute", IDLE, 9, {"serving.kserve.io/inferenceservice": "mute"})
    # When monitoring is installed for a prometheus-operator that is there
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": theirs.name}}}
    nowhere = {"name": "theirs", "address": "nowhere.invalid:6379", "secret": "no-login"}
    login = {"username": "nobody", "password": secrets.token_hex(8)}
    namespace.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "no-login"}, "stringData": login}
    )
    release(
        {
            "global": {"prometheus": {"from": [where]}},
            "prometheus": {
                "enabled": False,
                "scrape": {"seconds": 5, "podMonitors": True, "podMonitorLabels": SELECTED},
            },
            "alerts": {"prometheusRule": True, "prometheusRuleLabels": SELECTED},
            "alertmanager": {"enabled": False},
            "grafana": {"enabled": False},
            "redisExporter": {"targets": [nowhere]},
        }
    )

    # Then it reaches every kind of target
    def scraped() -> None:
        reached = {each["metric"]["job"] for each in found("max by (job) (up) == 1")}
        if missing := JOBS - reached:
            raise NotYet(f"not reached: {sorted(missing)}")
        if not found(f'up{{namespace="{namespace.name}", inferenceservice="iris"}} == 1'):
            raise NotYet("iris is not reached")

    until("their Prometheus reaches our targets", scraped, SCRAPED_SECONDS, pause=2)
    # One target a pod, however many ports its containers have; and what one tells keeps its own namespace
    pods = found(f'count by (pod) (up{{namespace="{namespace.name}"}})')
    assert {each["value"][1] for each in pods} == {"1"}
    (told,) = found('serinus_route_ready{route="told"}')
    assert told["metric"]["namespace"] == "elsewhere"

    # And it evaluates every rule of ours but those on the alerting itself, which are its owner's
    files = [path for path in (CHART / "files/rules").glob("*.yaml") if path.name != "monitoring.yaml"]
    written = [
        rule
        for path in files
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    names = {rule.get("alert") or rule["record"] for rule in written} | {"serinus:threshold"}

    def evaluated() -> None:
        loaded = {each["name"] for each in rules(cluster, theirs.name, SERVICE)}
        if missing := names - loaded:
            raise NotYet(f"not loaded: {sorted(missing)}")
        assert "SerinusWatchdog" not in loaded

    until("their Prometheus evaluates our rules", evaluated, SCRAPED_SECONDS, pause=2)

    # And what boards and alerts read is recorded
    def recorded() -> None:
        model.ask()
        for each in RECORDED:
            if not found(each.replace("%s", namespace.name)):
                raise NotYet(each)

    until("series are recorded", recorded, RECORDED_SECONDS, pause=1)
    # With no container counted twice, though their kubelets are read at two paths
    (twice,) = found(
        'max(count by (namespace, pod, container) (container_memory_working_set_bytes{container!=""}))'
    )
    assert int(twice["value"][1]) >= 2
    teller = f'namespace="{namespace.name}", pod="teller"'
    (recorded_bytes,) = found(f"serinus:pod_memory_used_bytes{{{teller}}}")
    (told_bytes,) = found(f'max(container_memory_working_set_bytes{{{teller}, container="main"}})')
    assert float(recorded_bytes["value"][1]) < 1.5 * float(told_bytes["value"][1])

    # And an alert fires
    def firing() -> None:
        alerts = ask(cluster, SERVICE, "/api/v1/alerts", theirs.name)["data"]["alerts"]
        states = {
            each["labels"]["alertname"]: each["state"]
            for each in alerts
            if each["labels"].get("pod") == "mute"
        }
        if states.get("SerinusModelServerDown") != "firing":
            raise NotYet(states)

    until("the alert fires", firing, FIRING_SECONDS, pause=2)
    queries = asked()
    shown = sum(bool(found(each.expression)) for each in queries)
    figure("queries of boards that somebody else's Prometheus answered", f"{shown} of {len(queries)}")
