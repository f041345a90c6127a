"""Prometheus and Alertmanager on the cluster, asked through the API server, which policies let in."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from tests.support.charts import CHARTS
from tests.support.cluster import Cluster, Namespace, NotYet
from tests.support.cluster_release import Release
from tests.support.programs import program

NAMESPACE = "serinus-system"
PROMETHEUS, ALERTMANAGER = "serinus-prometheus:9090", "serinus-alertmanager:9093"
SECONDS = 20


def ask(cluster: Cluster, service: str, path: str, namespace: str = NAMESPACE, **query: str) -> Any:
    """Return the JSON answer of a Service to a GET; raises NotYet where it does not answer with one.

    Args:
        cluster: where.
        service: `name:port`.
        path: with a leading slash.
        namespace: the Service's.
        query: parameters.
    """
    api = cluster.core.api_client
    url = f"{api.configuration.host}/api/v1/namespaces/{namespace}/services/{service}/proxy{path}"
    try:
        answer = api.rest_client.request("GET", f"{url}?{urlencode(query)}", _request_timeout=SECONDS)
        return json.loads(answer.read() or "null")
    except (ApiException, HTTPError, ValueError) as error:
        raise NotYet(f"{service}{path}: {type(error).__name__}: {str(error)[:200]}") from None


@contextmanager
def released(namespace: Namespace) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that installs charts/monitoring with values into a namespace, under its name."""
    release = Release(program("helm"), namespace, namespace.name)
    command = ("upgrade", "--install", release.name, str(CHARTS / "monitoring"))

    def install(values: Mapping[str, Any]) -> None:
        release.run(*command, values=values)

    yield install
    # Its ClusterRoles are not the namespace's.
    release.run("uninstall", release.name)


def rules(cluster: Cluster, namespace: str = NAMESPACE, service: str = PROMETHEUS) -> list[dict[str, Any]]:
    """Return every rule that a Prometheus evaluates; raises NotYet while one was not yet, or failed."""
    groups = ask(cluster, service, "/api/v1/rules", namespace)["data"]["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    if bad := {
        each["name"]: each.get("lastError", each["health"]) for each in found if each["health"] != "ok"
    }:
        raise NotYet(bad)
    return found


def query(
    cluster: Cluster, expression: str, namespace: str = NAMESPACE, service: str = PROMETHEUS
) -> list[dict[str, Any]]:
    """Return the series that an expression gives now; raises NotYet where Prometheus does not answer."""
    answer = ask(cluster, service, "/api/v1/query", namespace, query=expression)
    assert answer["status"] == "success", answer
    assert answer["data"]["resultType"] == "vector", answer
    return list(answer["data"]["result"])
