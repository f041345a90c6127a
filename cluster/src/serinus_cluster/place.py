"""Where a run happens: the repository, the pins, and the tools once they are found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serinus_airgap.build import Built
from serinus_airgap.versions import ROOT
from serinus_cluster.edges.helm import Helm
from serinus_cluster.edges.kind import Kind
from serinus_cluster.edges.kubectl import Kubectl
from serinus_cluster.plan import CONTEXT, NODE
from serinus_cluster.render import render


@dataclass
class Place:
    """What the acts share. `found` is filled by the step that finds the tools, and the step that makes

    the first model adds what its manifests name to the pins.
    """

    pins: dict[str, str]
    root: Path = ROOT
    node: str = NODE
    context: str = CONTEXT
    found: dict[str, Path] = field(default_factory=dict)
    built: list[Built] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """kind, once it is found."""
        return Kind(self.found["kind"], self.root)

    @property
    def kubectl(self) -> Kubectl:
        """kubectl, once it is found."""
        return Kubectl(self.found["kubectl"], self.context, self.root)

    @property
    def helm(self) -> Helm:
        """helm, once it is found."""
        return Helm(self.found["helm"], self.context)

    @property
    def work(self) -> Path:
        """The folder for what a run leaves behind; git ignores it."""
        folder = self.root / ".serinus" / "cluster"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def text(self, path: str, more: Mapping[str, str] | None = None) -> str:
        """Return a file of the repository with the pins filled in, and `more` beside them."""
        return render((self.root / path).read_text(), {**self.pins, **(more or {})}, path)
