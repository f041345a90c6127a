"""Chart folders out of Go modules: their checksums are those of go.sum, as for the code beside them."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus_airgap import groups, toolchain
from serinus_airgap.compiling import DEADLINE
from serinus_airgap.reading import DescriptionError
from serinus_airgap.running import run
from serinus_airgap.versions import ROOT

CHARTS = ROOT / ".serinus" / "charts"
VALUE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Place:
    """Where a chart, or a folder of manifests, lies in a Go module."""

    group: str
    module: str
    path: str
    pin: str
    template: Mapping[str, str] | None = None
    """For a chart that upstream finishes at release: what values.tmpl.yaml is filled in with."""


PLACES = {
    "gateway-helm": Place(
        "envoy-gateway",
        "github.com/envoyproxy/gateway",
        "charts/gateway-helm",
        "ENVOY_GATEWAY",
        {"GatewayImage": "docker.io/envoyproxy/gateway:{version}", "GatewayImagePullPolicy": "IfNotPresent"},
    ),
    "kserve-crd": Place("kserve", "github.com/kserve/kserve", "charts/kserve-crd", "KSERVE"),
    "kserve-resources": Place("kserve", "github.com/kserve/kserve", "charts/kserve-resources", "KSERVE"),
    "metrics-server": Place(
        "metrics-server", "sigs.k8s.io/metrics-server", "charts/metrics-server", "METRICS_SERVER"
    ),
    "cert-manager-crds": Place(
        "cert-manager", "github.com/cert-manager/cert-manager", "deploy/crds", "CERT_MANAGER"
    ),
    "prometheus-operator-crds": Place(
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd",
        "PROMETHEUS_OPERATOR",
    ),
}


def folder(name: str, pins: Mapping[str, str]) -> Path:
    """Return a chart's folder: a writable copy under .serinus/charts.

    Args:
        name: a key of PLACES.
        pins: the table of pins.

    Raises:
        DescriptionError: no such chart, or go.mod and the pins part.
        BuildError: the module cannot be had or fails its checksum.
    """
    if name not in PLACES:
        raise DescriptionError(f"no chart is called {name!r}; there are {', '.join(sorted(PLACES))}")
    place = PLACES[name]
    version = pins[place.pin]
    target = CHARTS / f"{name}-{version}"
    fresh = target.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(_module(place, pins) / place.path, fresh, copy_function=shutil.copyfile)
    # Go keeps modules read-only, and a copied folder is as its source: a second run could not remove it.
    for path in [fresh, *fresh.rglob("*/")]:
        path.chmod(0o755)
    if place.template is not None:
        _finish(fresh, {key: value.format(version=version) for key, value in place.template.items()}, version)
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)
    return target


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill `${Name}` in, as envsubst does; a name without a value stays as it is."""
    return VALUE.sub(lambda found: values.get(found[1], found[0]), template)


def released(chart: str, version: str) -> str:
    """Return a Chart.yaml with the version and appVersion that a release writes into it."""
    chart = re.sub(r"^version:.*$", f"version: {version}", chart, flags=re.MULTILINE)
    return re.sub(r"^appVersion:.*$", f"appVersion: {version}", chart, flags=re.MULTILINE)


def _module(place: Place, pins: Mapping[str, str]) -> Path:
    group = groups.load(place.group, pins)
    download = [str(toolchain.find(pins).program), "mod", "download", "-json", place.module]
    printed = run(
        download,
        f"getting {place.module}",
        seconds=DEADLINE,
        folder=group.folder,
        environment=toolchain.ENVIRONMENT,
    )
    return Path(json.loads(printed)["Dir"])


def _finish(place: Path, values: Mapping[str, str], version: str) -> None:
    (place / "values.yaml").write_text(fill((place / "values.tmpl.yaml").read_text(), values))
    chart = place / "Chart.yaml"
    chart.write_text(released(chart.read_text(), version))
