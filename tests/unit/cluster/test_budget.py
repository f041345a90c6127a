"""The published budget is what the files ask for, and it fits two cores and 8 GiB."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/cluster.md").read_text()
MANIFESTS = ROOT / "manifests/cluster"
Requests = tuple[int, int]
# In no file of ours: what Envoy Gateway gives the shutdown manager beside each proxy, and kind to kindnet.
SHUTDOWN_MANAGER: Requests = (10, 32)
KINDNET: Requests = (100, 50)


def millicores(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def mebibytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()
    return int(number) * (1024 if unit == "Gi" else 1)


def requests(resources: dict[str, Any]) -> Requests:
    asked = resources["requests"]
    return millicores(str(asked["cpu"])), mebibytes(asked["memory"])


def added(*parts: Requests) -> Requests:
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def values(name: str) -> dict[str, Any]:
    return yaml.safe_load((MANIFESTS / "values" / f"{name}.yaml").read_text())


def documents(path: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((ROOT / path).read_text()) if each]


def kubeadm(target: str) -> Requests:
    patch = yaml.safe_load((MANIFESTS / "kubeadm" / f"{target}+strategic.yaml").read_text())["spec"]
    pod = patch.get("template", patch).get("spec", patch)
    copies = patch.get("replicas", 1)
    return added(*[requests(each["resources"]) for each in pod["containers"]] * copies)


def workloads(path: str) -> Requests:
    pods = [each["spec"]["template"]["spec"] for each in documents(path) if each["kind"] in KINDS]
    assert pods, path
    return added(*(requests(box["resources"]) for pod in pods for box in pod["containers"]))


KINDS = ("Deployment", "DaemonSet")


# Where each part of the platform stands in its chart's values.
PARTS = {
    "PostgreSQL": "mlflow.postgresql",
    "MLflow": "mlflow.mlflow",
    "Redis of the feature store": "feast.redis",
    "Redis of the prediction log": "serving.logRedis",
    "Prometheus": "monitoring.prometheus",
    "Alertmanager": "monitoring.alertmanager",
    "kube-state-metrics": "monitoring.kubeStateMetrics",
    "Redis exporters": "monitoring.redisExporter",
    "Grafana": "monitoring.grafana",
    "operator": "operator",
    "Envoy with its shutdown manager": "serving.envoy",
    "12 model pods": "serving.runtime",
}
# What runs for a while only: it finds its place in what is left.
PASSING = {"mlflow.backup", "feast.apply", "feast.materialization", "serving.runtime.fetch"}


def merged(below: Any, above: Any) -> Any:
    """Return a chart's values with those of a values file over them, as helm merges them."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: merged(below.get(key), value) for key, value in above.items()}
    return above


def chart_values() -> dict[str, Any]:
    """Return the values of each of our charts as `make up` installs them."""
    umbrella = merged(yaml.safe_load((ROOT / "charts/platform/values.yaml").read_text()), values("serinus"))
    return {
        chart: merged(yaml.safe_load((ROOT / f"charts/{chart}/values.yaml").read_text()), umbrella[chart])
        for chart in umbrella["parts"]
    }


def blocks(tree: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """Return every block of values that holds resources, by its path."""
    if not isinstance(tree, dict):
        return {}
    here = {path: tree} if "resources" in tree else {}
    below = [blocks(value, f"{path}.{key}".strip(".")) for key, value in tree.items()]
    return here | {name: block for each in below for name, block in each.items()}


CHARTS = chart_values()
BLOCKS = blocks(CHARTS)


def platform(part: str) -> Requests:
    """Return what a part of the platform asks for, all its copies together."""
    one = requests(BLOCKS[PARTS[part]]["resources"])
    if part == "Envoy with its shutdown manager":
        return added(*[one, SHUTDOWN_MANAGER] * BLOCKS[PARTS[part]]["replicas"])
    copies = {
        "MLflow": CHARTS["mlflow"]["mlflow"]["replicas"],
        "operator": CHARTS["operator"]["replicas"],
        "Redis exporters": len(CHARTS["monitoring"]["redisExporter"]["targets"]),
        "12 model pods": 12,
    }
    return added(*[one] * copies.get(part, 1))


def asked_for() -> dict[str, Requests]:
    """Return what each part asks for, from the files that `make up` applies."""
    kserve, certificates = values("kserve")["kserve"]["controller"], values("cert-manager")
    return {
        "kube-apiserver": kubeadm("kube-apiserver"),
        "etcd": kubeadm("etcd"),
        "kube-controller-manager": kubeadm("kube-controller-manager"),
        "kube-scheduler": kubeadm("kube-scheduler"),
        "CoreDNS": kubeadm("corednsdeployment"),
        "metrics-server": requests(values("metrics-server")["resources"]),
        "Envoy Gateway": requests(values("envoy-gateway")["deployment"]["envoyGateway"]["resources"]),
        "KServe's controller": added(
            requests(kserve["resources"]), requests(kserve["rbacProxy"]["resources"])
        ),
        "cert-manager": added(
            *(
                requests(each["resources"])
                for each in (certificates, certificates["webhook"], certificates["cainjector"])
            )
        ),
        "kind's network agent": KINDNET,
        "certificates stand-in": workloads("airgap/manifests/certificates.yaml"),
        "network policy agent": workloads("airgap/images/node/manifests/network-policies.yaml"),
        "local-path-provisioner": workloads("airgap/images/node/manifests/default-storage.yaml"),
        **{part: platform(part) for part in PARTS},
    }


def table(heading: str) -> dict[str, Requests]:
    section = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (.+?) \| (\S+) \| (\S+) \|$", section, re.M)
    return {name: (int(cpu), int(memory)) for name, cpu, memory in rows if re.fullmatch(r"\d+", cpu)}


def total(heading: str) -> Requests:
    section = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    cpu, memory = re.search(r"\| \*\*sum\*\* \| \*\*(\d+)\*\* \| \*\*(\d+)\*\* \|", section).groups()
    return int(cpu), int(memory)


BOTH, ONLINE, AIRGAP = "Started by `make up`, in both situations", "Only online", "Only airgap"
PLATFORM = "The platform, in both situations"
ASIDE = "Set aside for one training and twelve models"
LEFT = "What is left of 2000 m and 8192 MiB"
ALL = [BOTH, ONLINE, AIRGAP, PLATFORM, ASIDE]
# In no file: what a training may ask for.
ESTIMATE = "one Job at a time"


@pytest.mark.parametrize("name", asked_for())
def test_each_part_asks_for_what_the_page_says(name: str):
    published = {key: value for heading in ALL for key, value in table(heading).items()}
    assert published[name] == asked_for()[name]


def test_only_a_training_is_an_estimate():
    published = {key for heading in ALL for key in table(heading)}
    assert published - set(asked_for()) == {ESTIMATE}


def test_no_part_of_a_chart_is_forgotten():
    assert set(BLOCKS) == set(PARTS.values()) | PASSING


@pytest.mark.parametrize("heading", ALL)
def test_the_sums_add_up(heading: str):
    assert total(heading) == added(*table(heading).values())


@pytest.mark.parametrize(("situation", "own"), [("online", ONLINE), ("airgap", AIRGAP)])
def test_everything_fits_two_cores_and_eight_gibibytes(situation: str, own: str):
    cpu, memory = added(total(BOTH), total(own), total(PLATFORM), total(ASIDE))
    left = (2000 - cpu, 8192 - memory)
    assert table(LEFT)[situation] == left
    # The kubelet, containerd and Docker take memory that no pod asks for.
    assert left[0] >= 100
    assert left[1] >= 1024
