"""Stories: a team makes a mistake, and finds place and cure where it looks first."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.dynamic.exceptions import DynamicApiError
from tests.support.charts import CHARTS
from tests.support.cluster import Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_models import ISVC, MODELS
from tests.support.cluster_release import Release
from tests.support.programs import program

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TOLD_SECONDS = 120
# What the InferenceService says, by what stands in its storageUri.
UNFETCHED = {
    "mlflow://churn": "must be mlflow://<model>/<version or @alias>",
    "mlflow://churn/v1": "the version must be a number, or @ and an alias",
    "mlflow://nobodys/1": "USERNAME and PASSWORD, and that the model is registered",
}


def canary(percent: int, name: str = "next", **predictor: Any) -> Object:
    model = {"modelFormat": {"name": "serinus"}, "runtime": "serinus", "storageUri": "mlflow://nobodys/2"}
    return {"trafficPercent": percent, "predictor": {"name": name, "model": model, **predictor}}


# What is said to a split that cannot be.
SPLITS = {
    "more than all": ([canary(101)], "trafficPercent"),
    "more than all together": ([canary(60), canary(60, "other")], "sum of canary trafficPercent values"),
    "two of one name": ([canary(10), canary(10)], "is duplicated"),
    "the stable one's name": ([canary(10, "first")], "conflicts with stable predictor name"),
    "an autoscaler": ([canary(10, maxReplicas=2)], "must not set maxReplicas"),
    "more pods at least than the stable one": ([canary(10, minReplicas=2)], "must not exceed"),
}


def service(name: str, uri: str) -> Object:
    """Return an InferenceService of our server that nobody routes."""
    model = {"modelFormat": {"name": "serinus"}, "runtime": "serinus", "storageUri": uri}
    predictor = {"name": "first", "automountServiceAccountToken": False, "minReplicas": 1, "model": model}
    return {
        "apiVersion": ISVC[0],
        "kind": ISVC[1],
        "metadata": {"name": name, "namespace": MODELS},
        "spec": {"predictor": predictor},
    }


@pytest.fixture
def services(cluster: Cluster) -> Iterator[list[Object]]:
    """InferenceServices that the story applies in the teams' namespace. They go with it."""
    made: list[Object] = []
    yield made
    for each in made:
        cluster.delete(*ISVC, each["metadata"]["name"], MODELS)


def test_an_address_that_names_no_model_is_told_by_the_service(cluster: Cluster, services: list[Object]):
    # Given addresses that are none, or of a model that nobody registered
    mark = secrets.token_hex(2)
    named = {f"e2e-{mark}-{number}": uri for number, uri in enumerate(UNFETCHED)}
    # When a team deploys them
    for name, uri in named.items():
        services.append(service(name, uri))
        cluster.apply(services[-1])
    # Then each service says what is wrong, in the words of who fetches
    for name, uri in named.items():

        def look(name: str = name, uri: str = uri) -> None:
            status = (cluster.get(*ISVC, name, MODELS) or {}).get("status", {})
            said = status.get("modelStatus", {}).get("lastFailureInfo", {}).get("message", "")
            if UNFETCHED[uri] not in said:
                raise NotYet(f"{uri}: {status.get('modelStatus')}")

        until(f"{uri} is told", look, TOLD_SECONDS)


def test_a_split_that_cannot_be_is_refused_and_changes_nothing(cluster: Cluster, services: list[Object]):
    # Given a service
    name = f"e2e-{secrets.token_hex(2)}"
    services.append(service(name, "mlflow://nobodys/1"))
    cluster.apply(services[-1])
    for why, (split, words) in SPLITS.items():
        # When somebody edits such a split into it, then the edit is refused with the reason
        with pytest.raises(DynamicApiError) as refusal:
            cluster.patch(*ISVC, name, {"spec": {"canary": split}}, MODELS)
        assert words in str(refusal.value.body), why
    # And the service is as it was
    assert "canary" not in (cluster.get(*ISVC, name, MODELS) or {})["spec"]


def test_a_team_whose_namespace_is_not_there_is_named_before_anything_is_written(namespace: Namespace):
    # Given values with a namespace that nobody made
    release = Release(program("helm"), namespace, "early")
    values = {"global": {"models": {"namespaces": [f"{namespace.name}-not-made"]}}}
    # When somebody installs them, then the namespace is named
    with pytest.raises(
        AssertionError, match=f"there is no namespace {namespace.name}-not-made; make it first"
    ):
        release.run("install", "early", str(CHARTS / "platform"), values=values)
    # And nothing was written
    assert namespace.find("v1", "Secret") == []
