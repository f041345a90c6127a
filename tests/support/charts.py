"""Charts rendered by Helm, as objects."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from serinus_cluster.plan import PLATFORM as RELEASE
from serinus_cluster.plan import SYSTEM as NAMESPACE

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
NAMES = sorted(path.parent.name for path in CHARTS.glob("*/values.yaml"))
Object = dict[str, Any]
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


class Refused(Exception):
    """What Helm says to values that it does not take."""


@dataclass(frozen=True)
class Pod:
    """The pods of one workload: whose, their labels and annotations, their spec."""

    owner: str
    kind: str
    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """All containers, the init containers first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def template(
    helm: Path,
    chart: str,
    values: Mapping[str, Any] | None = None,
    *,
    folder: Path = CHARTS,
    release: str = RELEASE,
) -> str:
    """Return what `helm template` prints; raises Refused with Helm's words."""
    words = [str(helm), "template", release, str(folder / chart), "--namespace", NAMESPACE, "--values", "-"]
    done = subprocess.run(
        words, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise Refused(re.sub(r"^level=INFO .*\n", "", done.stderr, flags=re.MULTILINE))
    return done.stdout


def next_version(folder: Path, version: str) -> Path:
    """Copy the charts into a folder that is not there yet, as a version that differs in its number alone."""
    shutil.copytree(CHARTS, folder, symlinks=True)
    for path in folder.glob("*/Chart.yaml"):
        meta = yaml.safe_load(path.read_text())
        meta |= {"version": version, "appVersion": version}
        meta["dependencies"] = [each | {"version": version} for each in meta.get("dependencies", [])]
        path.write_text(yaml.safe_dump(meta))
    return folder


def objects(text: str) -> list[Object]:
    """Return the objects of rendered text."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def sources(text: str) -> Iterator[tuple[str, Object]]:
    """Yield each object with the template file that it comes from."""
    for part in re.split(r"^---\n", text, flags=re.MULTILINE):
        source = re.match(r"# Source: (\S+)", part)
        document = yaml.load(part, yaml.CSafeLoader)
        if source and document:
            yield source[1], document


def pods(documents: list[Object]) -> list[Pod]:
    """Return the pods of all workloads, CronJobs included."""
    found = []
    for document in documents:
        kind, spec = document["kind"], document.get("spec", {})
        if kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        elif kind not in _WORKLOADS:
            continue
        metadata = document["metadata"]
        pod = spec["template"]
        name = f"{kind} {metadata['name']}"
        found.append(Pod(name, kind, metadata.get("namespace", ""), pod["metadata"]["labels"], pod["spec"]))
    return found


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects a pod with these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", []):
        value, wanted = labels.get(each["key"]), each.get("values", [])
        holds = {
            "In": value in wanted,
            "NotIn": value not in wanted,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[each["operator"]]:
            return False
    return True
