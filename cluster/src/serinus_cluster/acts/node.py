"""The kind cluster and its way to the local registry."""

from dataclasses import dataclass

from serinus_cluster import hosts
from serinus_cluster.edges import docker
from serinus_cluster.place import Place
from serinus_cluster.steps import CreateCluster, Outcome, WireRegistry


@dataclass(frozen=True)
class Cluster:
    """One node, made by kind."""

    action: CreateCluster
    place: Place

    def missing(self) -> str | None:
        """Say what the cluster lacks: itself, a running node, or its entry in the kubeconfig."""
        if self.action.name not in self.place.kind.clusters():
            return "no such cluster"
        if not docker.running(self.place.node):
            return "its node does not run"
        known = self.place.kubectl.attempt("config", "get-contexts", self.place.context, "--output", "name")
        return None if known.ok else f"the kubeconfig has no context {self.place.context}"

    def apply(self, seconds: float) -> Outcome:
        """Make the cluster, start its node, or write the kubeconfig again: whichever it needs."""
        name, image = self.action.name, self.action.source.reference
        if name not in self.place.kind.clusters():
            config = self.place.text(self.action.config, {"NODE_IMAGE": image})
            self.place.kind.create(name, config, seconds=seconds)
            return Outcome(image)
        if not docker.running(self.place.node):
            docker.start(self.place.node)
            return Outcome("node started again")
        self.place.kind.export(name)
        return Outcome("kubeconfig written again")


@dataclass(frozen=True)
class Wiring:
    """kind's documented pattern for a local registry: a hosts file in the node, and a ConfigMap."""

    action: WireRegistry
    place: Place

    def missing(self) -> str | None:
        """Say which part is not in place."""
        if docker.read(self.place.node, hosts.PATH) != hosts.text(self.action.registry):
            return f"{hosts.PATH} differs"
        return "the ConfigMap differs" if self.place.kubectl.differs(self._manifest()) else None

    def apply(self, seconds: float) -> Outcome:
        """Write and apply."""
        docker.write(self.place.node, hosts.PATH, hosts.text(self.action.registry))
        self.place.kubectl.apply(self._manifest(), seconds=seconds)
        return Outcome(hosts.LOCAL)

    def _manifest(self) -> str:
        return self.place.text(self.action.manifest)
