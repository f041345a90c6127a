"""Charts out of Go modules, rendered by the Helm that this room compiles."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from serinus_airgap import charts, tools, versions
from serinus_airgap.progress import Reporter
from serinus_airgap.reading import expand

pytestmark = pytest.mark.cluster
PINS = versions.load()


@pytest.fixture(scope="module")
def helm() -> Path:
    return tools.ensure(PINS, reporter=Reporter(Console(quiet=True)))["helm"]


def render(helm: Path, name: str, values: str) -> Iterator[dict]:
    """Render a chart with the values that `make up` gives it."""
    text = (versions.ROOT / "manifests" / "cluster" / "values" / values).read_text()
    words = [str(helm), "template", name, str(charts.folder(name, PINS)), "--include-crds", "--values", "-"]
    given = expand(text, PINS, values)
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=120, check=True)
    return (document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document)


def images(documents: Iterator[dict]) -> set[str]:
    """Return the image of every container of every workload."""
    pods = [
        document["spec"]["template"]["spec"]
        for document in documents
        if document["kind"] in ("Deployment", "Job")
    ]
    return {container["image"] for pod in pods for container in pod["containers"]}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("gateway-helm", "envoy-gateway.yaml", {f"docker.io/envoyproxy/gateway:{PINS['ENVOY_GATEWAY']}"}),
        (
            "kserve-resources",
            "kserve.yaml",
            {
                f"kserve/kserve-controller:{PINS['KSERVE']}",
                f"quay.io/brancz/kube-rbac-proxy:{PINS['KUBE_RBAC_PROXY']}",
            },
        ),
        (
            "metrics-server",
            "metrics-server.yaml",
            {f"registry.k8s.io/metrics-server/metrics-server:{PINS['METRICS_SERVER']}"},
        ),
    ],
)
def test_a_chart_asks_for_the_images_that_are_built(helm: Path, name: str, values: str, expected: set[str]):
    assert images(render(helm, name, values)) == expected


def test_the_definitions_are_there(helm: Path):
    kinds = {document["spec"]["names"]["kind"] for document in render(helm, "kserve-crd", "kserve-crd.yaml")}
    assert {"InferenceService", "ClusterServingRuntime"} <= kinds
    certificates = charts.folder("cert-manager-crds", PINS)
    assert (certificates / "cert-manager.io_certificates.yaml").is_file()


def test_the_tools_are_of_the_pinned_versions(helm: Path):
    found = tools.ensure(PINS, reporter=Reporter(Console(quiet=True)))
    asked = {"kind": ["version"], "kubectl": ["version", "--client"], "helm": ["version", "--short"]}
    for tool, words in asked.items():
        said = subprocess.run(
            [found[tool], *words], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        assert PINS["KUBERNETES" if tool == "kubectl" else tool.upper()] in said
