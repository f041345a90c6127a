"""The words of a plan: a step is an action, the waits that prove it, and where its parts come from.

All of it is data. Every field of type `Source` (or one of its kinds) may differ between the two
situations; no other field may, and `tests/unit/cluster/test_plan.py` holds that wall.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where images, charts or tools come from."""


@dataclass(frozen=True)
class Tools(Source):
    """kind, kubectl and helm: the user's own where new enough, else built (`build`) or a clear error."""

    build: bool


@dataclass(frozen=True)
class Daemon(Source):
    """The Docker daemon: the user's, or set up by `setup` where it is missing or too weak."""

    setup: str | None


@dataclass(frozen=True)
class Images(Source):
    """The images of others: pulled by whoever needs them, or built here and pushed to the local registry."""

    built: bool


@dataclass(frozen=True)
class Image(Source):
    """One image that Docker itself runs."""

    reference: str


@dataclass(frozen=True)
class Chart(Source):
    """A chart that helm pulls: an OCI reference, or a name in a chart repository."""

    reference: str
    version: str
    repository: str | None = None


@dataclass(frozen=True)
class ChartFolder(Source):
    """A chart in the folder of a Go module, as `serinus_airgap.charts` delivers it."""

    name: str
    version: str


@dataclass(frozen=True)
class OwnChart(Source):
    """A chart of this repository, and the values in which a situation differs from the values file."""

    folder: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StandIn(Source):
    """Manifests in place of a chart whose controllers cannot be built: a module's definitions, then files."""

    definitions: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class FindTools:
    """Find or build kind, kubectl and helm."""

    source: Tools


@dataclass(frozen=True)
class FindDocker:
    """A daemon answers and grants what kind needs."""

    source: Daemon


@dataclass(frozen=True)
class BuildImages:
    """The images of others, where they cannot be pulled."""

    source: Images


@dataclass(frozen=True)
class StartRegistry:
    """A registry container on loopback and on the node's network, before the node that may need it."""

    name: str
    port: int
    network: str
    source: Image


@dataclass(frozen=True)
class PushImages:
    """Put what was built into the registry; only changed layers travel."""

    registry: str
    source: Images


@dataclass(frozen=True)
class CreateCluster:
    """The kind cluster, from a configuration with the node image filled in."""

    name: str
    config: str
    source: Image


@dataclass(frozen=True)
class WireRegistry:
    """The node finds our own images: containerd's hosts file, and the ConfigMap that tells tools of it."""

    registry: str
    manifest: str


@dataclass(frozen=True)
class BuildOwnImages:
    """Our own images in the local registry, for the manifests and values that name them."""


@dataclass(frozen=True)
class TrainModel:
    """The first model's artifact, for the manifests that hold it."""

    namespace: str


@dataclass(frozen=True)
class ApplyManifests:
    """Manifests of this repository, applied from the server's side."""

    files: tuple[str, ...]


@dataclass(frozen=True)
class ApplyDefinitions:
    """The CustomResourceDefinitions of a chart, which helm itself installs once and never mends."""

    source: Chart | ChartFolder


@dataclass(frozen=True)
class InstallChart:
    """A chart with our values; the same values file in both situations."""

    release: str
    namespace: str
    values: str
    source: Chart | ChartFolder | OwnChart | StandIn


@dataclass(frozen=True)
class Await:
    """Nothing is applied: what an earlier step began has to become ready."""


@dataclass(frozen=True)
class SecretKey:
    """A value in a Secret."""

    namespace: str
    name: str
    key: str


@dataclass(frozen=True)
class AskModel:
    """A prediction through the gateway, as a client would ask."""

    service: str
    namespace: str
    url: str
    body: str
    key: SecretKey
    """Who may ask."""


@dataclass(frozen=True)
class ReadFeature:
    """A value that was written to the feature store, read by a model's pod as its server would."""

    namespace: str
    pods: str
    """Selector of the pod that reads."""
    writer: SecretKey
    reader: SecretKey


@dataclass(frozen=True)
class AskMetrics:
    """A query to Prometheus that has to find something."""

    namespace: str
    service: str
    query: str


Action = (
    FindTools
    | FindDocker
    | BuildImages
    | StartRegistry
    | PushImages
    | CreateCluster
    | WireRegistry
    | BuildOwnImages
    | TrainModel
    | ApplyManifests
    | ApplyDefinitions
    | InstallChart
    | Await
    | AskModel
    | ReadFeature
    | AskMetrics
)


@dataclass(frozen=True)
class Outcome:
    """What an action did, in a few words; `changed` is false where it only looked more closely."""

    words: str
    changed: bool = True


@dataclass(frozen=True)
class Wait:
    """What has to become true: a kubectl command that is repeated until it succeeds."""

    what: str
    kubectl: tuple[str, ...]
    seconds: int


@dataclass(frozen=True)
class Step:
    """One line of `make up`. `seconds` is the deadline of the action, without its waits."""

    name: str
    action: Action
    seconds: int
    waits: tuple[Wait, ...] = ()
