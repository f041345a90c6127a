"""Story: only those who need it connect to the platform's stores, and MLflow wants a login of all."""

import secrets
from collections.abc import Iterator

import pytest
from tests.support.cluster import SYSTEM, Cluster, Namespace, NotYet, until
from tests.support.cluster_pods import IDLE, connections, python_pod, running

pytestmark = pytest.mark.cluster

PARTS = {
    "postgresql": 5432,
    "mlflow": 5000,
    "redis": 6379,
    "log-redis": 6379,
    "prometheus": 9090,
    "alertmanager": 9093,
}
OF_TEAMS = ("postgresql", "mlflow", "redis", "log-redis")
LOGIN = """
import sys, urllib.error, urllib.request
for path in sys.argv[2:]:
    try:
        print(path, urllib.request.urlopen(sys.argv[1] + path, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(path, error.code)
"""


def address(part: str) -> str:
    return f"serinus-{part}.{SYSTEM}.svc:{PARTS[part]}"


@pytest.fixture
def teammate(cluster: Cluster) -> Iterator[tuple[Namespace, str]]:
    """A pod of the model team's namespace."""
    models, name = Namespace(cluster, "serinus-models"), f"teammate-{secrets.token_hex(2)}"
    running(models, python_pod(cluster, name, IDLE))
    yield models, name
    cluster.delete("v1", "Pod", name, models.name)


def test_strangers_cannot_connect_to_the_platform(namespace: Namespace):
    # Given a pod of a namespace that is no model team's, on a network that works
    running(namespace, python_pod(namespace.cluster, "stranger", IDLE))
    network = "kubernetes.default.svc:443"

    def works() -> None:
        if connections(namespace, "stranger", [network])[network] != "connected":
            raise NotYet("no connection at all")

    until("the pod's network works", works, 30)
    # When it tries each part of the platform, then no connection is made
    found = connections(namespace, "stranger", [address(part) for part in PARTS])
    assert found == {address(part): "TimeoutError" for part in PARTS}


def test_a_team_reaches_what_it_needs_and_only_with_a_login(teammate: tuple[Namespace, str]):
    models, pod = teammate
    # Given a pod of a team; when it tries the stores that Jobs and servers need, then it is let in
    wanted = {address(part): "connected" for part in OF_TEAMS}

    def let_in() -> None:
        if (found := connections(models, pod, list(wanted))) != wanted:
            raise NotYet(str(found))

    until("the team is let in", let_in, 30)
    # But MLflow tells nothing to who does not log in, neither its pages nor its answers nor its files
    paths = ["/", "/api/2.0/mlflow/registered-models/search", "/api/2.0/mlflow-artifacts/artifacts"]
    ran = models.execute(pod, "python", "-c", LOGIN, f"http://{address('mlflow')}", *paths)
    assert ran.output.splitlines() == [f"{path} 401" for path in paths]
