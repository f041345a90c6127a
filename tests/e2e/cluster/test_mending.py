"""Story: what somebody deleted or stopped, `make up` puts back, and nothing else is touched."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[3]
COMMAND = Path(sys.executable).with_name("serinus-cluster")
REGISTRY, NODE = "serinus-registry", "serinus-control-plane"
HOSTS = "/etc/containerd/certs.d/localhost:5001/hosts.toml"
# One object for each way in which a part is brought in.
LOST = [
    ("v1", "ConfigMap", "local-registry-hosting", "kube-public"),
    ("apps/v1", "Deployment", "envoy-gateway", "envoy-gateway-system"),
    ("v1", "Service", "metrics-server", "kube-system"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "iris", "serinus-models"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "tcproutes.gateway.networking.k8s.io", None),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "trainedmodels.serving.kserve.io", None),
    ("v1", "Service", "kserve-webhook-server-service", "kserve"),
    ("v1", "Service", "serinus-prometheus", "serinus-system"),
]


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_up_puts_back_what_was_deleted_or_stopped(cluster: Cluster):
    # Given a cluster that is up, from which one thing of each kind is taken
    node = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", NODE)
    for api_version, kind, name, namespace in LOST:
        assert cluster.get(api_version, kind, name, namespace) is not None, name
        cluster.delete(api_version, kind, name, namespace)
    docker("exec", NODE, "rm", HOSTS)
    docker("stop", REGISTRY)
    # When up is run again
    done = subprocess.run([COMMAND, "up"], cwd=ROOT, capture_output=True, text=True, timeout=380)
    # Then it ends with the prediction
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "answers ['setosa']" in done.stdout
    # And each thing is back, in the same cluster
    missing = [name for api, kind, name, namespace in LOST if not cluster.get(api, kind, name, namespace)]
    assert missing == []
    assert "serinus-registry:5000" in docker("exec", NODE, "cat", HOSTS)
    assert docker("inspect", "--format", "{{.State.Status}}", REGISTRY) == "running"
    assert docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", NODE) == node
