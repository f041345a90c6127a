"""What the operator may do, and where: one ClusterRole for all namespaces, or a Role in each."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import charts

WRITES = {
    ("serving.kserve.io", "inferenceservices/status"): {"patch"},
    ("gateway.networking.k8s.io", "httproutes"): {"create", "patch", "delete"},
    ("", "events"): {"create"},
}
READS = {"get", "list", "watch"}


def rendered(helm: Path, **given: Any) -> list[charts.Object]:
    return charts.objects(charts.template(helm, "operator", given))


def kinds(documents: list[charts.Object], kind: str) -> list[charts.Object]:
    return [each for each in documents if each["kind"] == kind]


def rights(rules: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """Return the verbs of rules, by group and resource."""
    return {
        (group, resource): set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def no_more_than_needed(role: charts.Object) -> None:
    for place, verbs in rights(role["rules"]).items():
        assert verbs <= READS | WRITES.get(place, set()), f"{place}: {verbs}"
        assert "*" not in (*place, *verbs)


def test_without_a_word_it_serves_all_namespaces(helm: Path):
    documents = rendered(helm)
    (role,) = kinds(documents, "ClusterRole")
    no_more_than_needed(role)
    (lease,) = kinds(documents, "Role")
    assert rights(lease["rules"][1:]) == {("coordination.k8s.io", "leases"): {"get", "update"}}
    assert lease["rules"][1]["resourceNames"] == ["serinus-operator"]
    assert not kinds(documents, "PodDisruptionBudget")


def test_named_namespaces_get_a_role_each_and_nothing_for_the_cluster(helm: Path):
    documents = rendered(helm, namespaces=["team-a", "team-b"], replicas=2)
    assert not kinds(documents, "ClusterRole")
    assert not kinds(documents, "ClusterRoleBinding")
    served = [each for each in kinds(documents, "Role") if not each["metadata"]["name"].endswith("-lease")]
    assert [each["metadata"]["namespace"] for each in served] == ["team-a", "team-b"]
    for role in served:
        no_more_than_needed(role)
    for binding in kinds(documents, "RoleBinding"):
        assert binding["subjects"][0]["namespace"] == charts.NAMESPACE
    (budget,) = kinds(documents, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert environment(documents)["SERINUS_WATCH_NAMESPACES"] == "team-a,team-b"


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({}, "serinus-system/serinus"),
        ({"name": "edge", "namespace": "infra"}, "infra/edge"),
        ({"name": "edge"}, "serinus-system/edge"),
    ],
)
def test_routes_hang_on_the_releases_gateway_or_the_one_named(
    helm: Path, gateway: dict[str, str], expected: str
):
    assert environment(rendered(helm, gateway=gateway))["SERINUS_GATEWAY"] == expected


def environment(documents: list[charts.Object]) -> dict[str, str]:
    (deployment,) = kinds(documents, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}
