"""`serinus-cluster down`: take away cluster, registry and network, and nothing that is not ours."""

from collections.abc import Callable
from dataclasses import dataclass

from serinus_cluster.edges import docker
from serinus_cluster.edges.kind import Kind
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.plan import CLUSTER, NETWORK, NODE, REGISTRY


@dataclass(frozen=True)
class Names:
    """What `up` starts, by name."""

    cluster: str = CLUSTER
    node: str = NODE
    registry: str = REGISTRY
    network: str = NETWORK


def down(kind: Kind | None, say: Callable[[str], None], names: Names = Names()) -> None:
    """Delete everything that `up` started, then look again; a second run finds nothing and says so.

    Without kind (it was never built here, or `make clean` took it) the node's container is removed by Docker.

    Raises:
        CommandFailed: something is still there.
    """
    volumes = [*docker.volumes(names.node), *docker.volumes(names.registry)]
    if kind and names.cluster in kind.clusters():
        kind.delete(names.cluster)
        say(f"cluster {names.cluster} deleted, with its volumes and its entry in the kubeconfig")
    elif docker.remove(names.node):
        say(f"container {names.node} removed; its entry in the kubeconfig stays, as kind is not at hand")
    else:
        say(f"cluster {names.cluster}: there is none")
    gone = docker.remove(names.registry)
    say(f"container {names.registry} removed" if gone else f"container {names.registry}: there is none")
    say(_network(names.network))
    if left := _left(names, volumes):
        raise CommandFailed(f"still there: {', '.join(left)}; run it again, or remove it with docker")


def _network(name: str) -> str:
    # kind makes its network again when it needs it, so an empty one is nobody's loss; a used one is not ours.
    users = docker.network_users(name)
    if users is None:
        return f"network {name}: there is none"
    if users:
        return f"network {name} stays: {', '.join(users)} on it"
    docker.remove_network(name)
    return f"network {name} removed"


def _left(names: Names, volumes: list[str]) -> list[str]:
    containers = [name for name in (names.node, names.registry) if docker.container(name)]
    return [*containers, *(f"volume {name}" for name in volumes if docker.volume_exists(name))]
