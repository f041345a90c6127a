"""Story: a NetworkPolicy is enforced. Real connections between real pods, before, with and after it."""

import pytest
from tests.support.cluster import Namespace, NotYet, Ran, until
from tests.support.cluster_pods import IDLE, python_pod, running

pytestmark = pytest.mark.cluster

PORT = 8080
SERVE = f"""
import http.server
http.server.test(http.server.SimpleHTTPRequestHandler, port={PORT}, bind="0.0.0.0")
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
except OSError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
FRIENDS_ONLY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "friends-only"},
    "spec": {
        "podSelector": {"matchLabels": {"role": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"role": "friend"}}}],
                "ports": [{"protocol": "TCP", "port": PORT}],
            }
        ],
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "server"},
    "spec": {"selector": {"role": "server"}, "ports": [{"port": PORT}]},
}
ENFORCED_SECONDS = 20


def test_a_denied_connection_is_denied_and_an_allowed_one_passes(namespace: Namespace):
    def connects(pod: str, address: str) -> Ran:
        return namespace.execute(pod, "python", "-c", CONNECT, address, str(PORT))

    def passes(pod: str, address: str) -> None:
        if (tried := connects(pod, address)).code != 0:
            raise NotYet(tried.output)

    def fails(pod: str, address: str) -> Ran:
        if (tried := connects(pod, address)).code == 0:
            raise NotYet("the connection was made")
        return tried

    # Given a server behind a Service, a friend and a stranger
    for role, program in {"server": SERVE, "friend": IDLE, "stranger": IDLE}.items():
        namespace.apply(python_pod(namespace.cluster, role, program, labels={"role": role}))
    namespace.apply(SERVICE)
    pods = {
        role: running(namespace, python_pod(namespace.cluster, role, program, labels={"role": role}))
        for role, program in {"server": SERVE, "friend": IDLE, "stranger": IDLE}.items()
    }
    addresses = (pods["server"]["status"]["podIP"], "server")
    # And both of them connect, to the pod and through the Service
    for pod in ("friend", "stranger"):
        for address in addresses:
            until(f"{pod} connects to {address} before any policy", lambda p=pod, a=address: passes(p, a), 30)
    # When a policy lets only friends in
    namespace.apply(FRIENDS_ONLY)
    # Then the stranger's connection is denied, both ways
    for address in addresses:
        denied = until(
            f"the stranger's connection to {address} is denied",
            lambda a=address: fails("stranger", a),
            ENFORCED_SECONDS,
        )
        assert "Error" in denied.output
    # And the friend's passes
    for address in addresses:
        until(f"the friend connects to {address}", lambda a=address: passes("friend", a), ENFORCED_SECONDS)
        # And the stranger is still out: what was denied was the stranger, not everybody for a moment
        assert connects("stranger", address).code != 0
    # And when the policy goes, the stranger gets in again
    namespace.cluster.delete("networking.k8s.io/v1", "NetworkPolicy", "friends-only", namespace.name)
    for address in addresses:
        until(
            f"the stranger connects to {address} again",
            lambda a=address: passes("stranger", a),
            ENFORCED_SECONDS,
        )
