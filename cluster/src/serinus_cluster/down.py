"""`serinus-cluster down`: take away cluster, registry and network, and nothing that is not ours."""

from collections.abc import Callable

from serinus_cluster.edges import docker
from serinus_cluster.edges.kind import Kind
from serinus_cluster.plan import CLUSTER, NETWORK, NODE, REGISTRY


def down(kind: Kind | None, say: Callable[[str], None]) -> None:
    """Delete everything that `up` started; a second run finds nothing and says so.

    Without kind (it was never built here, or `make clean` took it) the node's container is removed by Docker.
    """
    if kind and CLUSTER in kind.clusters():
        kind.delete(CLUSTER)
        say(f"cluster {CLUSTER} deleted, with its volumes and its entry in the kubeconfig")
    elif docker.remove(NODE):
        say(f"container {NODE} removed; its entry in the kubeconfig stays, as kind is not at hand")
    else:
        say(f"cluster {CLUSTER}: there is none")
    say(
        f"container {REGISTRY} removed" if docker.remove(REGISTRY) else f"container {REGISTRY}: there is none"
    )
    say(_network())


def _network() -> str:
    # kind makes its network again when it needs it, so an empty one is nobody's loss; a used one is not ours.
    users = docker.network_users(NETWORK)
    if users is None:
        return f"network {NETWORK}: there is none"
    if users:
        return f"network {NETWORK} stays: {', '.join(users)} uses it"
    docker.remove_network(NETWORK)
    return f"network {NETWORK} removed"
