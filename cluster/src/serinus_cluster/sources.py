"""Where images, charts and tools come from in each situation: the only place where the situations part."""

from collections.abc import Mapping
from dataclasses import dataclass

from serinus_cluster.situation import Situation
from serinus_cluster.steps import Chart, ChartFolder, Daemon, Image, Images, OwnChart, StandIn, Tools

# The umbrella of our own charts.
PLATFORM = "charts/platform"


@dataclass(frozen=True)
class Sources:
    """One origin for each part of the cluster."""

    tools: Tools
    daemon: Daemon
    images: Images
    registry: Image
    node: Image
    gateway: Chart | ChartFolder
    certificates: Chart | StandIn
    metrics: Chart | ChartFolder
    kserve_definitions: Chart | ChartFolder
    kserve: Chart | ChartFolder
    platform: OwnChart


def sources(situation: Situation, pins: Mapping[str, str]) -> Sources:
    """Return the origins for a situation."""
    return _online(pins) if situation is Situation.ONLINE else _airgap(pins)


def _online(pins: Mapping[str, str]) -> Sources:
    return Sources(
        tools=Tools(build=False),
        daemon=Daemon(setup=None),
        images=Images(built=False),
        registry=Image(pins["REGISTRY_IMAGE"]),
        # kind publishes node images with each release, for the newest patch of a minor: pinned by digest.
        node=Image(pins["KIND_NODE_IMAGE"]),
        gateway=Chart("oci://docker.io/envoyproxy/gateway-helm", pins["ENVOY_GATEWAY"]),
        certificates=Chart("oci://quay.io/jetstack/charts/cert-manager", pins["CERT_MANAGER"]),
        metrics=Chart(
            "metrics-server",
            pins["METRICS_SERVER_CHART"],
            "https://kubernetes-sigs.github.io/metrics-server/",
        ),
        kserve_definitions=Chart("oci://ghcr.io/kserve/charts/kserve-crd", pins["KSERVE"]),
        kserve=Chart("oci://ghcr.io/kserve/charts/kserve-resources", pins["KSERVE"]),
        platform=OwnChart(PLATFORM),
    )


def _airgap(pins: Mapping[str, str]) -> Sources:
    return Sources(
        tools=Tools(build=True),
        daemon=Daemon(setup="airgap/docker/setup.sh"),
        images=Images(built=True),
        registry=Image(pins["REGISTRY_IMAGE"]),
        # This one asks the local registry for every image, whatever host it is named after.
        node=Image(f"docker.io/kindest/node:{pins['KUBERNETES']}"),
        gateway=ChartFolder("gateway-helm", pins["ENVOY_GATEWAY"]),
        # cert-manager's controllers are nested modules that no proxy serves.
        certificates=StandIn("cert-manager-crds", ("airgap/manifests/certificates.yaml",)),
        metrics=ChartFolder("metrics-server", pins["METRICS_SERVER"]),
        kserve_definitions=ChartFolder("kserve-crd", pins["KSERVE"]),
        kserve=ChartFolder("kserve-resources", pins["KSERVE"]),
        # No package registry has Grafana.
        platform=OwnChart(PLATFORM, ("monitoring.grafana.enabled=false",)),
    )
