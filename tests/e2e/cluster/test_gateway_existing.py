"""Story: a cluster has a Gateway already. Models come in by it, and whoever was there notices nothing."""

from collections.abc import Iterator

import pytest
from tests.support.cluster import Namespace, Object, until
from tests.support.cluster_echo import echo
from tests.support.cluster_gateway import (
    GATEWAYS,
    KEY,
    RELEASE,
    RELEASE_NAMESPACE,
    Team,
    answers,
    ask,
    entrance_values,
    key_of,
    ways_of,
)
from tests.support.cluster_release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

CLASS = ("gateway.networking.k8s.io/v1", "GatewayClass")
PROXY = ("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy")
BODY = 4 << 10
# Of a server of KServe's: only so do the release's NetworkPolicies hold it.
SERVER = {"serving.kserve.io/inferenceservice": "echo"}


@pytest.fixture
def public(neighbour: Namespace) -> Iterator[tuple[str, str]]:
    """A Gateway that other people have made, with a class of their own: namespace and name."""
    name = neighbour.name
    platform = neighbour.cluster.get(*PROXY, f"{RELEASE}-gateway", RELEASE_NAMESPACE)
    assert platform is not None
    kubernetes = platform["spec"]["provider"]["kubernetes"]
    small = {"image": kubernetes["envoyDeployment"]["container"]["image"]}
    small |= {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}
    provider: Object = {
        "type": "Kubernetes",
        "kubernetes": {
            "envoyDeployment": {"container": small},
            "envoyService": {"type": "NodePort", "externalTrafficPolicy": "Cluster"},
        },
    }
    controller = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
    listener = {
        "name": "web",
        "protocol": "HTTP",
        "port": 80,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    proxy = {"group": "gateway.envoyproxy.io", "kind": PROXY[1], "name": "small"}
    gateway = {"gatewayClassName": name, "listeners": [listener], "infrastructure": {"parametersRef": proxy}}
    neighbour.cluster.apply(_object(CLASS, name, controller))
    neighbour.apply(_object(PROXY, "small", {"provider": provider, "concurrency": 1}))
    neighbour.apply(_object(GATEWAYS, "public", gateway))
    yield name, "public"
    neighbour.cluster.delete(*GATEWAYS, "public", name)
    neighbour.cluster.delete(*CLASS, name)


def _object(kind: tuple[str, str], name: str, spec: Object) -> Object:
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": name}, "spec": spec}


def test_models_come_in_by_a_gateway_of_others_whose_routes_stay_as_they_are(
    namespace: Namespace, neighbour: Namespace, public: tuple[str, str], release: Release
):
    # Given a Gateway of others, and a route of theirs that asks nobody
    ways = until("their Gateway is there", lambda: ways_of(neighbour.cluster, *public), 60)
    theirs = Team(neighbour, public).route("theirs", echo(neighbour), labels={})
    answers(theirs, 200, ways=ways)
    # When the platform is told to use it, and a team's model is routed there
    existing = {"create": False, "existing": dict(zip(("namespace", "name"), public, strict=True))}
    values = entrance_values(namespace.name, gateway=existing)
    release.install(values, {"serving": {"limits": {"body": "1Ki"}}})
    ours = Team(namespace, public).route("echo", echo(namespace, labels=SERVER))
    # Then the model asks for its team's key, and has the limits of the values
    answers(ours, 401, "no key of a client", ways=ways)
    key = {KEY: key_of(namespace.cluster, namespace.name)}
    answers(ours, 200, ways=ways, headers=key)
    answers(ours, 413, "larger than 1Ki", ways=ways, headers=key, content=bytes(BODY), json=None)
    # And their route asks nobody, and takes what it took
    taken = ask(theirs, "/", ways=ways, content=bytes(BODY))
    assert (taken.status_code, taken.json()["bytes"]) == (200, BODY)
    # And nothing was made or changed beside it
    assert namespace.find(*GATEWAYS) == []
    held = neighbour.get(*GATEWAYS, public[1])
    assert held is not None
    assert held["metadata"]["generation"] == 1
    assert neighbour.find("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy") == []
    assert neighbour.find("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy") == []
    # And when the platform goes, theirs is still there
    release.run("uninstall", release.name, "--wait")
    assert ask(theirs, "/", ways=ways, json={}).status_code == 200
