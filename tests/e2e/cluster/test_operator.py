"""Story: the operator comes and goes, and traffic does not notice."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, until
from tests.support.cluster_models import READY_SECONDS
from tests.support.cluster_routes import Operator, RoutedModel

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
    # When the leader is killed on the spot, without a word to the lease
    start = time.monotonic()
    operator.cluster.core.delete_namespaced_pod(first, operator.namespace, grace_period_seconds=0)
    assert model.split(100) == {"stable": 100}

    def another() -> float:
        if operator.leader() == first:
            raise NotYet(first)
        return time.monotonic() - start

    # Then another leads before long, and traffic moves again
    figure(
        "seconds until another operator leads, the first one killed",
        f"{until('another leads', another, TAKE_OVER_SECONDS):.1f}",
    )
    model.edit("trafficPercent: 0", "trafficPercent: 50")
    model.weighs((STABLE, 50), (NEXT, 50))
    # When a leader is asked to go, then it hands over at once
    second = operator.leader()
    start = time.monotonic()
    operator.cluster.core.delete_namespaced_pod(second, operator.namespace)

    def handed() -> float:
        if operator.leader() == second:
            raise NotYet(second)
        return time.monotonic() - start

    figure(
        "seconds until another operator leads, the first one asked to go",
        f"{until('another leads', handed, TAKE_OVER_SECONDS):.1f}",
    )


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
    ("watch", "discovery.k8s.io/endpointslices"),
    ("create", "/events"),
]
REFUSED = [
    # A spec is the team's, and routes go with their services.
    ("patch", "serving.kserve.io/inferenceservices"),
    ("update", "serving.kserve.io/inferenceservices"),
    ("delete", "gateway.networking.k8s.io/httproutes"),
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
