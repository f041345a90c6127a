"""Story: the operator comes and goes, and traffic does not notice."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, until
from tests.support.cluster_models import READY_SECONDS
from tests.support.cluster_routes import Operator, RoutedModel
from tests.support.faults import frozen, kill, restarts

pytestmark = pytest.mark.cluster

STABLE, NEXT = "iris-predictor", "iris-next-predictor"
# A lease of 15 s that is looked at every 2 s, and a busy machine.
TAKE_OVER_SECONDS = 40


@pytest.fixture
def operator(cluster: Cluster) -> Iterator[Operator]:
    """The platform's operator, left as one pod whatever a story did."""
    found = Operator(cluster)
    yield found
    found.scale(1)


def test_routes_stay_without_the_operator_and_another_pod_takes_over(
    namespace: Namespace, operator: Operator, figure: Callable[[str, str], None]
):
    # Given a model with a canary at 30 %
    model = RoutedModel(namespace).start()
    model.canary(30)
    model.weighs((STABLE, 70), (NEXT, 30))
    # When the operator goes
    operator.scale(0)
    # Then the split stays in force
    both = model.split(200)
    assert set(both) == {"stable", "next"}
    # And what is asked meanwhile waits
    model.edit("trafficPercent: 30", "trafficPercent: 0")
    assert model.weights() == [(STABLE, 70), (NEXT, 30)]
    # When two pods of it come, then one of them leads and catches up
    operator.scale(2)
    first = until("a pod leads", operator.leader, TAKE_OVER_SECONDS)
    model.weighs((STABLE, 100), (NEXT, 0))
    # When the leader hangs, so that it can neither act nor give its lease up
    pod = operator.pod(first)
    start = time.monotonic()
    with frozen(pod, "operator"):
        model.edit("trafficPercent: 0", "trafficPercent: 50")
        # Then another leads once the lease has run out, and traffic moves
        until("another leads", lambda: operator.leads_instead_of(first), TAKE_OVER_SECONDS)
        figure("seconds until another operator leads, the first one hanging", _since(start))
        model.weighs((STABLE, 50), (NEXT, 50))
    second = operator.leader()

    # And the first ends itself as soon as it comes to, and does not lead
    def ended() -> None:
        if restarts(operator.pod(first)) <= restarts(pod):
            raise NotYet("it runs")

    until("the first one has ended", ended, TAKE_OVER_SECONDS)
    assert operator.leader() == second
    # When the leader's process is killed, then what is asked right after is done all the same
    start = time.monotonic()
    kill(operator.pod(second), "operator")
    model.edit("trafficPercent: 50", "trafficPercent: 20")
    model.weighs((STABLE, 80), (NEXT, 20))
    figure("seconds until an edit is done, the operator's leader killed right before", _since(start))
    # When a leader is asked to go, then it hands over at once
    third = until("a pod leads", operator.leader, TAKE_OVER_SECONDS)
    start = time.monotonic()
    operator.cluster.core.delete_namespaced_pod(third, operator.namespace)
    until("another leads", lambda: operator.leads_instead_of(third), TAKE_OVER_SECONDS)
    figure("seconds until another operator leads, the first one asked to go", _since(start))


def _since(start: float) -> str:
    return f"{time.monotonic() - start:.1f}"


@pytest.mark.full
def test_a_team_can_go_while_the_operator_is_away(namespace: Namespace, operator: Operator):
    # Given a routed model, and no operator
    model = RoutedModel(namespace).start()
    operator.scale(0)
    # When the whole namespace is deleted
    namespace.cluster.delete("v1", "Namespace", namespace.name)

    # Then nothing waits for the operator
    def gone() -> None:
        if namespace.cluster.get("v1", "Namespace", namespace.name) is not None:
            raise NotYet(f"{namespace.name} is there, {len(model.namespace.pods())} pods")

    until("the namespace is gone", gone, READY_SECONDS)


ALLOWED = [
    ("get", "serving.kserve.io/inferenceservices"),
    ("patch", "serving.kserve.io/inferenceservices/status"),
    ("create", "gateway.networking.k8s.io/httproutes"),
    ("patch", "gateway.networking.k8s.io/httproutes"),
    # Of a service that lost the label.
    ("delete", "gateway.networking.k8s.io/httproutes"),
    ("watch", "discovery.k8s.io/endpointslices"),
    ("create", "/events"),
]
REFUSED = [
    # A spec is the team's.
    ("patch", "serving.kserve.io/inferenceservices"),
    ("update", "serving.kserve.io/inferenceservices"),
    ("delete", "serving.kserve.io/inferenceservices"),
    ("get", "/secrets"),
    ("list", "/secrets"),
    ("list", "/pods"),
    ("create", "/pods"),
    ("list", "/namespaces"),
    ("patch", "apps/deployments"),
    ("create", "coordination.k8s.io/leases"),
    ("create", "rbac.authorization.k8s.io/rolebindings"),
    ("impersonate", "/serviceaccounts"),
]


def test_the_operator_may_do_what_it_does_and_no_more(cluster: Cluster):
    operator = Operator(cluster)
    team = "serinus-models"
    assert [each for each in ALLOWED if not operator.may(*each, team)] == []
    assert [each for each in REFUSED if operator.may(*each, team)] == []
    # Of its own namespace it has one lease.
    assert operator.may("create", "coordination.k8s.io/leases", operator.namespace)
    assert not operator.may("list", "/secrets", operator.namespace)
    assert not operator.may("get", "/secrets", operator.namespace)
    assert not operator.may("list", "apps/deployments")
