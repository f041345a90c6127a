"""Story: an administrator gives a team the rights of the page about a cluster of one's own."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support.cluster import CONTEXT, SYSTEM, Namespace
from tests.support.programs import program

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/install.md").read_text()
SERVICE = ROOT / "manifests/models/churn/inferenceservice.yaml"


def member(namespace: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl as somebody of the group `team-a`."""
    who = ["--as=ada", "--as-group=team-a", "--as-group=system:authenticated", "--namespace", namespace]
    command = [str(program("kubectl")), "--context", CONTEXT, *who, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def may(namespace: str, verb: str, resource: str) -> bool:
    return member(namespace, "auth", "can-i", verb, resource).stdout.strip() == "yes"


def test_a_team_may_work_and_may_not_open_its_models_to_others(namespace: Namespace):
    # Given the page's rights in a namespace
    (rights,) = re.findall(r"^```yaml\n# team\.yaml\n(.*?)^```$", PAGE, re.M | re.S)
    for each in yaml.safe_load_all(rights):
        namespace.apply(each)
    # Then somebody of the team deploys a model and moves its traffic
    applied = member(namespace.name, "apply", "--dry-run=server", "--filename", str(SERVICE))
    assert applied.returncode == 0, applied.stderr
    wanted = {
        ("patch", "inferenceservices.serving.kserve.io"),
        ("delete", "inferenceservices.serving.kserve.io"),
        ("create", "servingruntimes.serving.kserve.io"),
        ("get", "httproutes.gateway.networking.k8s.io"),
        ("create", "jobs.batch"),
        ("create", "cronjobs.batch"),
        ("get", "pods/log"),
        ("get", "secrets"),
        ("create", "configmaps"),
    }
    assert {each for each in wanted if not may(namespace.name, *each)} == set()
    # And changes neither who may ask nor where traffic goes past the operator, nor anything of the platform
    forbidden = {
        ("create", "securitypolicies.gateway.envoyproxy.io"),
        ("patch", "backendtrafficpolicies.gateway.envoyproxy.io"),
        ("patch", "httproutes.gateway.networking.k8s.io"),
        ("patch", "networkpolicies.networking.k8s.io"),
        ("create", "clusterservingruntimes.serving.kserve.io"),
    }
    assert {each for each in forbidden if may(namespace.name, *each)} == set()
    assert not may(SYSTEM, "get", "secrets")
