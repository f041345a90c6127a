"""Story: `make down` takes what `make up` started, and leaves alone what others use."""

import secrets
import subprocess
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster

from serinus_cluster.down import Names, down
from serinus_cluster.edges.docker import container, network_users, volume_exists, volumes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def names(cluster: Cluster) -> Iterator[Names]:
    """A network with a registry and a node on it; the image is one that every cluster's Docker holds."""
    mark = f"e2e-{secrets.token_hex(3)}"
    image = docker("inspect", "--format", "{{.Config.Image}}", "serinus-registry")
    made = Names(cluster=mark, node=f"{mark}-node", registry=f"{mark}-registry", network=mark)
    docker("network", "create", mark)
    for name in (made.node, made.registry):
        docker("run", "--detach", "--volume", "/var/lib/registry", "--network", mark, "--name", name, image)
    yield made
    for name in (made.node, made.registry, f"{mark}-other"):
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, timeout=60)
    subprocess.run(["docker", "network", "rm", mark], capture_output=True, timeout=60)


def test_down_leaves_nothing_and_a_second_down_says_so(names: Names):
    # Given what up started
    held = [*volumes(names.node), *volumes(names.registry)]
    assert held
    # When it is taken down
    said: list[str] = []
    down(None, said.append, names)
    # Then containers, their volumes and the network are gone
    assert [container(name) for name in (names.node, names.registry)] == [None, None]
    assert [name for name in held if volume_exists(name)] == []
    assert network_users(names.network) is None
    # And once more says that there is nothing
    said.clear()
    down(None, said.append, names)
    assert all(line.endswith("there is none") for line in said), said


def test_a_network_that_somebody_else_uses_stays(names: Names):
    # Given somebody else's container on the network, stopped even
    other = f"{names.cluster}-other"
    image = docker("inspect", "--format", "{{.Config.Image}}", names.registry)
    docker("run", "--detach", "--network", names.network, "--name", other, image)
    docker("stop", other)
    # When ours is taken down
    said: list[str] = []
    down(None, said.append, names)
    # Then the network stays, and says for whom
    assert said[-1] == f"network {names.network} stays: {other} on it"
    assert network_users(names.network) == [other]
    docker("start", other)
