"""kind: which clusters are there, make one, delete one."""

from dataclasses import dataclass
from pathlib import Path

from serinus_cluster.edges.shell import run


@dataclass(frozen=True)
class Kind:
    """The user's or the built kind."""

    path: Path
    root: Path

    def clusters(self) -> list[str]:
        """Return the names of all clusters of this Docker."""
        said = run([self.path, "get", "clusters", "--quiet"], seconds=30)
        return said.split()

    def create(self, name: str, config: str, *, seconds: float) -> None:
        """Create a cluster; relative paths of the configuration start at the root of the repository."""
        command: list[str | Path] = [self.path, "create", "cluster", "--name", name, "--config", "-"]
        run(command, seconds=seconds, stdin=config, cwd=self.root)

    def delete(self, name: str) -> None:
        """Delete a cluster and its entry in the kubeconfig."""
        run([self.path, "delete", "cluster", "--name", name], seconds=120)

    def export(self, name: str) -> None:
        """Write the cluster's entry into the kubeconfig again."""
        run([self.path, "export", "kubeconfig", "--name", name], seconds=30)
