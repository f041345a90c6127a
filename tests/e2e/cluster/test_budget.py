"""Story: beside what `make up` started, a training and twelve models find their place on the node."""

import re
from pathlib import Path

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, Object, condition, until

from serinus_airgap import versions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/cluster.md").read_text()
# On a larger machine the node has more than the budget counts with; its own figure is then the smaller proof.
NODE_MEBIBYTES = 8192


def set_aside() -> list[tuple[str, int, int]]:
    """Return the published rows of what teams will start: name, millicores, mebibytes."""
    section = PAGE.split("### Set aside for")[1].split("\n#")[0]
    rows = re.findall(r"^\| ([^*|]+?) \| (\d+) \| (\d+) \|$", section, re.M)
    assert rows
    return [(name, int(cpu), int(memory)) for name, cpu, memory in rows]


def pod(name: str, cpu: int, memory: int) -> Object:
    box = {
        "name": "pause",
        "image": versions.load()["PAUSE_IMAGE"],
        "resources": {"requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    label = re.sub(r"[^a-z0-9]+", "-", name.lower())
    spec = {"containers": [box], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": label}, "spec": spec}


def mebibytes(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi)?", text).groups()
    return int(number) * {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, None: 1 / 1048576}[unit]


def test_a_training_and_twelve_models_are_scheduled(cluster: Cluster, namespace: Namespace):
    # Given pods that ask for what is set aside for each part
    for name, cpu, memory in set_aside():
        namespace.apply(pod(name, cpu, memory))

    # When the scheduler looks at them, then each finds its place
    def look() -> None:
        for each in namespace.pods():
            if (found := condition(each, "PodScheduled"))["status"] != "True":
                raise NotYet(f"{each['metadata']['name']}: {found.get('message')}")

    until("all are scheduled", look, 60)
    # And everything on the node together asks for less than the 8 GiB of the smallest machine
    pods = [each for each in cluster.find("v1", "Pod") if each["status"].get("phase") != "Succeeded"]
    boxes = [box for each in pods for box in each["spec"]["containers"]]
    asked = [box.get("resources", {}).get("requests", {}).get("memory", "0") for box in boxes]
    assert sum(map(mebibytes, asked)) <= NODE_MEBIBYTES
