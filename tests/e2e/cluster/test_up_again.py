"""Story: `make up` on a cluster that is up changes nothing, and the doctor finds nothing."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cluster import MARK, Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
# The first brings the cluster to the sources: seconds after `make up`, minutes after an edit.
FIRST_SECONDS, AGAIN_SECONDS = 700, 150
COMMAND = Path(sys.executable).with_name("serinus-cluster")
KINDS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("v1", "PersistentVolumeClaim"),
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("serving.kserve.io/v1alpha1", "ClusterServingRuntime"),
    ("serving.kserve.io/v1beta1", "InferenceService"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)


def standing(cluster: Cluster) -> dict[str, tuple[str, int]]:
    """Return identity and generation of everything that `up` makes, the stories' own apart."""
    stories = {each["metadata"]["name"] for each in cluster.find("v1", "Namespace", selector=MARK)}
    found = {}
    for api_version, kind in KINDS:
        for each in cluster.find(api_version, kind):
            about = each["metadata"]
            # A pod that nothing owns is the storage's, which takes an earlier story's volume away.
            passing = kind == "Pod" and not about.get("ownerReferences")
            if about.get("namespace") not in stories and not passing:
                name = f"{kind} {about.get('namespace', '')}/{about['name']}"
                found[name] = (about["uid"], about.get("generation", 0))
    return found


def run(command: str, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, command], cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def test_a_second_up_changes_nothing_and_takes_less_than_a_minute(
    cluster: Cluster, figure: Callable[[str, str], None]
):
    # Given a cluster that is up, of the sources as they are now
    first = run("up", FIRST_SECONDS)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    before = standing(cluster)
    # When up is run again
    begun = time.monotonic()
    done = run("up", AGAIN_SECONDS)
    took = time.monotonic() - begun
    # Then it ends well within a minute
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figure("seconds of a second up", f"{took:.0f}")
    assert took < 60, done.stdout[-3000:]
    # And every object is the one that was there before
    after = standing(cluster)
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    assert changed == [], f"{changed}\n{done.stdout[-3000:]}"


def test_the_doctor_finds_nothing(cluster: Cluster):
    done = run("doctor", 60)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
