"""The operator against an API server: what it reads, writes and refuses to write twice."""

import copy
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client
from tests.support.api_server import ApiServer, api_server
from tests.support.routing import GATEWAY, UID, service, split

from serinus_operator.adapters.kubernetes import Cluster, ClusterError, Refused
from serinus_operator.adapters.lease import Election
from serinus_operator.gauges import Gauges
from serinus_operator.reconcile import Reconciler
from serinus_operator.routing.model import Condition

KEY = ("team", "churn")
DEADLINE = 20.0


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with api_server() as found:
        yield found


def connected(api: ApiServer) -> client.ApiClient:
    return client.ApiClient(client.Configuration(host=api.url))


@pytest.fixture
def cluster(api: ApiServer) -> Cluster:
    return Cluster(connected(api))


def endpoints(name: str, *ready: bool | None, part: str = "a") -> dict[str, Any]:
    """Return an EndpointSlice of a Service of churn's."""
    labels = {"serving.kserve.io/inferenceservice": "churn", "kubernetes.io/service-name": name}
    return {
        "metadata": {"name": f"{name}-{part}", "namespace": "team", "labels": labels},
        "endpoints": [{"conditions": {} if each is None else {"ready": each}} for each in ready] or None,
    }


def until(what: str, look: Any) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.02)
    return found


def test_ready_endpoints_are_counted_over_all_slices_of_a_service(api: ApiServer, cluster: Cluster):
    api.put("endpointslices", endpoints("churn-predictor", True, False, None))
    api.put("endpointslices", endpoints("churn-predictor", True, part="b"))
    api.put("endpointslices", endpoints("churn-next-predictor"))
    assert cluster.endpoints("team", "churn") == {"churn-predictor": 3, "churn-next-predictor": 0}


def test_a_look_writes_the_route_and_the_next_one_nothing(api: ApiServer, cluster: Cluster):
    api.put("inferenceservices", service({"next": 30}))
    api.put("endpointslices", endpoints("churn-predictor", True))
    api.put("endpointslices", endpoints("churn-next-predictor", True))
    gauges, reports = Gauges(), []
    reconciler = Reconciler(cluster, GATEWAY, gauges, reports.append)
    reconciler.look(KEY)
    route = api.held("httproutes", "churn")
    assert route is not None
    assert split(route) == [("churn-predictor", 70), ("churn-next-predictor", 30)]
    assert reports == [KEY]
    reconciler.show(KEY)
    written = api.held("inferenceservices", "churn")
    assert written is not None
    (condition,) = written["status"]["conditions"]
    assert condition.items() >= {"status": "True", "reason": "Routed", "severity": "Info"}.items()
    assert written["status"]["url"]
    (event,) = api.events
    assert event["involvedObject"]["uid"] == UID
    assert (event["type"], event["reason"], event["message"]) == (
        "Normal", "Routed", "stable 70 %, next 30 %.",
    )  # fmt: skip
    # Then all is said and done.
    before = len(api.log)
    reconciler.look(KEY)
    reconciler.show(KEY)
    assert (reports, len(api.log), len(api.events)) == ([KEY], before, 1)
    shown = gauges.registry.get_sample_value
    cluster_name = "httproute/team/churn/rule/0/backend/1"
    labels = {"namespace": "team", "route": "churn", "revision": "next"}
    assert shown("serinus_route_weight", labels) == 30
    more = {"rule": "split", "envoy_cluster_name": cluster_name}
    assert shown("serinus_route_backend_info", labels | more) == 1
    assert shown("serinus_operator_reconciles_total", {"result": "applied"}) == 1
    # And a service that goes takes its figures with it.
    api.put("inferenceservices", service(), "DELETED")
    reconciler.look(KEY)
    assert shown("serinus_route_weight", labels) is None


def test_the_time_of_a_condition_is_that_of_its_status(api: ApiServer, cluster: Cluster):
    first = api.put("inferenceservices", service())
    cluster.show(first, Condition(True, "Routed", "stable 100 %."))
    written = api.held("inferenceservices", "churn")
    assert written is not None
    old = written["status"]["conditions"][0]["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    other = {"type": "Ready", "status": "True"}
    written["status"]["conditions"].append(other)
    cluster.show(written, Condition(True, "Routed", "next 100 %."))
    conditions = api.held("inferenceservices", "churn")["status"]["conditions"]  # type: ignore[index]  # is held
    assert conditions[0] == other
    assert (conditions[1]["message"], conditions[1]["lastTransitionTime"]) == ("next 100 %.", old)
    # Somebody else has written since: ours would undo theirs.
    with pytest.raises(ClusterError, match="409 the object has been modified"):
        cluster.show(first, Condition(False, "NotReady", "late"))


def test_a_route_that_is_refused_is_told_and_counts_as_failed(api: ApiServer, cluster: Cluster):
    api.put("inferenceservices", service())
    api.put("endpointslices", endpoints("churn-predictor", True))
    gauges, reports = Gauges(), []
    reconciler = Reconciler(cluster, GATEWAY, gauges, reports.append)
    api.refusals = {"PATCH": 422}
    with pytest.raises(Refused, match="422 as told"):
        reconciler.look(KEY)
    assert reports == [KEY]
    assert gauges.registry.get_sample_value("serinus_operator_reconciles_total", {"result": "failed"}) == 1
    api.refusals = {}
    reconciler.show(KEY)
    held = api.held("inferenceservices", "churn")
    assert held is not None
    assert held["status"]["conditions"][0]["reason"] == "Refused"
    reconciler.look(KEY)
    reconciler.show(KEY)
    held = api.held("inferenceservices", "churn")
    assert held is not None
    assert held["status"]["conditions"][0]["reason"] == "Routed"


@pytest.mark.parametrize("labels", [{}, {"serinus.dev/route": "false"}])
def test_a_label_taken_away_takes_the_route_along(api: ApiServer, cluster: Cluster, labels: dict[str, str]):
    # Given a service that is routed, and told so
    api.put("inferenceservices", service())
    api.put("endpointslices", endpoints("churn-predictor", True))
    gauges, reports = Gauges(), []
    reconciler = Reconciler(cluster, GATEWAY, gauges, reports.append)
    reconciler.look(KEY)
    reconciler.show(KEY)
    # When its label goes, but its route was written since it was read, then nothing is deleted blindly
    changed = api.held("inferenceservices", "churn")
    route = api.held("httproutes", "churn")
    assert changed is not None
    assert route is not None
    changed["metadata"]["labels"] = labels
    api.put("inferenceservices", changed)
    route["metadata"]["uid"] = "of-the-route"
    route = api.put("httproutes", route)
    stale = copy.deepcopy(route)
    stale["metadata"]["resourceVersion"] = "0"
    with pytest.raises(ClusterError, match="409"):
        cluster.delete_route(stale)
    assert api.held("httproutes", "churn") is not None
    # And the next look takes it away, with its figures, and the service is told once
    reconciler.look(KEY)
    assert api.held("httproutes", "churn") is None
    figures = {"namespace": "team", "route": "churn", "reason": "Routed"}
    assert gauges.registry.get_sample_value("serinus_route_ready", figures) is None
    assert reports == [KEY, KEY]
    reconciler.show(KEY)
    told = api.held("inferenceservices", "churn")
    assert told is not None
    assert told["status"]["conditions"][0]["reason"] == "NotAsked"
    assert [each["reason"] for each in api.events] == ["Routed", "NotAsked"]
    before = len(api.log)
    reconciler.look(KEY)
    reconciler.show(KEY)
    assert (len(reports), len(api.log), len(api.events)) == (2, before, 2)


def test_a_service_without_the_label_or_going_is_left_alone(api: ApiServer, cluster: Cluster):
    reconciler = Reconciler(cluster, GATEWAY, Gauges(), [].append)
    for change in ({"labels": {}}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}):
        document = service()
        document["metadata"] |= change
        api.put("inferenceservices", document)
        reconciler.look(KEY)
        reconciler.show(KEY)
    assert not [each for each in api.requests if each[0] != "GET"]


def test_a_server_that_fails_or_is_gone_is_named(api: ApiServer, cluster: Cluster):
    api.refusals = {"GET": 403}
    with pytest.raises(ClusterError, match="inferenceservices team/churn: 403 as told"):
        cluster.service("team", "churn")
    with pytest.raises(ClusterError, match=r"list_namespaced_custom_object .*inferenceservices: 403 as told"):
        cluster.check(("team",))
    with pytest.raises(ClusterError, match=r"list_cluster_custom_object .*: 403"):
        cluster.check(())
    # A cluster without KServe.
    api.refusals = {"GET": 404}
    with pytest.raises(
        ClusterError, match=r"no inferenceservices\.serving\.kserve\.io v1beta1: install KServe"
    ):
        cluster.check(())
    nobody = client.Configuration(host="http://127.0.0.1:9", retries=0)
    gone = Cluster(client.ApiClient(nobody))
    with pytest.raises(ClusterError, match="refused"):
        gone.service("team", "churn")
    with pytest.raises(ClusterError, match="refused"):
        gone.endpoints("team", "churn")


def test_one_leads_and_hands_over(api: ApiServer):
    lost: list[str] = []

    def stand(name: str) -> Election:
        election = Election(connected(api), "lease", "team", name, lambda: lost.append(name), 4, 3, 1)
        election.start()
        return election

    first = stand("first")
    until("the first leads", first.leading.is_set)
    second = stand("second")
    lease = api.held("leases", "lease")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "first"
    assert not second.leading.is_set()
    first.release()
    until("the second leads", second.leading.is_set)
    # The first notices that it may not renew, and says so once.
    until("the first has lost", lambda: lost)
    assert lost == ["first"]
    assert not first.alive
    assert second.alive
    # A server that fails for longer than a lease lasts is a lease that is lost.
    api.refusals = {"GET": 500, "PUT": 500}
    until("the second has lost", lambda: len(lost) == 2)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_process_leads_watches_routes_and_hands_over_at_the_end(api: ApiServer, tmp_path: Path):
    # Given a labelled service that is ready
    api.put("inferenceservices", service({"next": 30}))
    api.put("endpointslices", endpoints("churn-predictor", True))
    port = free_port()
    environment = os.environ | {
        "KUBECONFIG": str(api.kubeconfig(tmp_path / "kubeconfig")),
        "POD_NAME": "one",
        "POD_NAMESPACE": "system",
        "SERINUS_WATCH_NAMESPACES": "team",
        "SERINUS_METRICS_PORT": str(port),
    }
    command = [sys.executable, "-c", "from serinus_operator.main import main; main()"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            # When the operator starts, then it writes the route and the condition
            first = until("a route", lambda: api.held("httproutes", "churn"))
            assert split(first) == [("churn-predictor", 100)]
            until("a condition", lambda: api.held("inferenceservices", "churn")["status"].get("conditions"))  # type: ignore[index]  # is held
            # When the canary gets ready, then it gets its share
            api.put("endpointslices", endpoints("churn-next-predictor", True))
            until("the split", lambda: split(api.held("httproutes", "churn"))[0][1] == 70)  # type: ignore[arg-type]  # is held
            # When somebody changes the route, then it is set right
            changed = api.held("httproutes", "churn")
            assert changed is not None
            changed["spec"]["rules"][0]["backendRefs"][0]["weight"] = 1
            api.put("httproutes", changed)
            until("the split again", lambda: split(api.held("httproutes", "churn"))[0][1] == 70)  # type: ignore[arg-type]  # is held
            # When the spec is edited, then the weights follow
            edited = service({"next": 60})
            api.put("inferenceservices", edited)
            until("the new split", lambda: split(api.held("httproutes", "churn"))[0][1] == 40)  # type: ignore[arg-type]  # is held
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as health:
                assert health.get("/healthz").text == "ok"
                assert health.get("/nothing").status_code == 404
                assert "serinus_operator_leader 1.0" in health.get("/metrics").text
        finally:
            process.send_signal(signal.SIGTERM)
    # And at the end another need not wait for the lease to run out
    assert process.returncode == 0
    lease = api.held("leases", "serinus-operator", "system")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""
