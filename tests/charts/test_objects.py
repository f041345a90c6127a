"""What the umbrella renders, in every situation: valid, restricted, watched, fenced."""

from collections import Counter

import kubernetes_validate
import pytest
from tests.support import charts, pod_security
from tests.support.charts import Object, Pod

from serinus_airgap import versions

KUBERNETES = ".".join(versions.load()["KUBERNETES"].removeprefix("v").split(".")[:2])
# Objects of other people's definitions: the cluster checks them when it takes them.
FOREIGN = {
    "cert-manager.io",
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
    "serving.kserve.io",
    "monitoring.coreos.com",
}
LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}


@pytest.fixture(scope="session")
def pods(documents: list[Object]) -> list[Pod]:
    return charts.pods(documents)


def name(document: Object) -> str:
    return f"{document['kind']} {document['metadata'].get('namespace', '')}/{document['metadata']['name']}"


def test_each_object_is_one_of_the_pinned_kubernetes(documents: list[Object]):
    for document in documents:
        if document["apiVersion"].split("/")[0] not in FOREIGN:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_no_object_is_there_twice(documents: list[Object]):
    assert [each for each, times in Counter(map(name, documents)).items() if times > 1] == []


def test_a_template_file_holds_one_kind(rendered: str):
    kinds: dict[str, set[str]] = {}
    for source, document in charts.sources(rendered):
        kinds.setdefault(source, set()).add(document["kind"])
    assert {source: found for source, found in kinds.items() if len(found) > 1} == {}


def test_each_object_says_whose_it_is(documents: list[Object]):
    missing = {name(each): LABELS - set(each["metadata"].get("labels", {})) for each in documents}
    assert {each: labels for each, labels in missing.items() if labels} == {}


def test_each_namespaced_object_names_its_namespace(documents: list[Object]):
    everywhere = {
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterServingRuntime",
        "ClusterStorageContainer",
        "GatewayClass",
    }
    assert [
        name(each)
        for each in documents
        if each["kind"] not in everywhere and "namespace" not in each["metadata"]
    ] == []


def test_pods_meet_the_restricted_standard(pods: list[Pod]):
    assert {pod.owner: found for pod in pods if (found := pod_security.violations(pod.spec))} == {}


def test_nothing_but_volumes_can_be_written(pods: list[Pod]):
    writable = [
        f"{pod.owner}: {container['name']}"
        for pod in pods
        for container in pod.containers
        if not container["securityContext"].get("readOnlyRootFilesystem")
    ]
    assert writable == []


def test_a_token_is_for_who_has_an_account_of_his_own(pods: list[Pod]):
    holders = [
        pod.owner
        for pod in pods
        if pod.spec.get("automountServiceAccountToken") is not False
        and pod.spec.get("serviceAccountName", "default") == "default"
    ]
    assert holders == []


def test_each_container_says_what_it_needs(pods: list[Pod]):
    for pod in pods:
        for container in pod.containers:
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), f"{pod.owner}: {container['name']}"
            assert "memory" in resources["limits"], f"{pod.owner}: {container['name']}"


def test_what_runs_on_is_probed(pods: list[Pod]):
    unprobed = [
        f"{pod.owner}: {container['name']}"
        for pod in pods
        if pod.kind in ("Deployment", "StatefulSet")
        for container in pod.spec["containers"]
        if not {"readinessProbe", "livenessProbe"} <= set(container)
    ]
    assert unprobed == []


def test_no_pod_takes_or_makes_a_connection_that_nobody_allowed(documents: list[Object], pods: list[Pod]):
    policies = [each for each in documents if each["kind"] == "NetworkPolicy"]
    for pod in pods:
        if pod.namespace != charts.NAMESPACE:
            continue  # a team's namespace has its own rules
        fenced = {
            direction
            for policy in policies
            if policy["metadata"]["namespace"] == pod.namespace
            and charts.selects(policy["spec"]["podSelector"], pod.labels)
            for direction in policy["spec"]["policyTypes"]
        }
        assert fenced == {"Ingress", "Egress"}, pod.owner


def test_pods_carry_no_label_that_changes_with_the_version(pods: list[Pod]):
    changing = {"helm.sh/chart", "app.kubernetes.io/version"}
    assert [pod.owner for pod in pods if changing & set(pod.labels)] == []


def test_services_find_their_pods(documents: list[Object], pods: list[Pod]):
    for document in documents:
        if document["kind"] == "Service" and document["spec"].get("selector"):
            selector = {"matchLabels": document["spec"]["selector"]}
            assert any(charts.selects(selector, pod.labels) for pod in pods), name(document)


def test_two_pods_of_a_kind_are_not_evicted_together(documents: list[Object]):
    budgets = [each["spec"]["selector"] for each in documents if each["kind"] == "PodDisruptionBudget"]
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet") and document["spec"].get("replicas", 1) > 1:
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert any(charts.selects(each, labels) for each in budgets), name(document)


def test_jobs_end(documents: list[Object]):
    for document in documents:
        if document["kind"] in ("Job", "CronJob"):
            spec = (
                document["spec"]["jobTemplate"]["spec"] if document["kind"] == "CronJob" else document["spec"]
            )
            assert spec["activeDeadlineSeconds"] <= 3600, name(document)


def test_the_platforms_jobs_take_no_feature_away_that_a_team_declared(pods: list[Pod]):
    loading = [
        container["args"]
        for pod in pods
        for container in pod.containers
        if container.get("args", [])[:1] == ["materialize"]
    ]
    assert loading
    assert [args for args in loading if "--missing-only" not in args] == []
