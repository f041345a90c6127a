"""Story: what a pod wrote into a volume is there for the next one."""

import secrets

import pytest
from tests.support.cluster import Namespace
from tests.support.cluster_pods import finished, gone, python_pod

pytestmark = pytest.mark.cluster

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "kept"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}


def test_a_volume_survives_its_pod(namespace: Namespace):
    # Given a claim that names no class, so that the cluster's default makes a volume for it
    namespace.apply(CLAIM)
    # And a pod that wrote into it and is gone
    token = secrets.token_hex(8)
    write = f"open('/data/token', 'w').write({token!r})"
    finished(namespace, python_pod(namespace.cluster, "writer", write, claim="kept"))
    gone(namespace, "writer")
    # When another pod reads
    read = "print(open('/data/token').read())"
    said = finished(namespace, python_pod(namespace.cluster, "reader", read, claim="kept"))
    # Then it finds what was written
    assert said.strip() == token
    claim = namespace.get("v1", "PersistentVolumeClaim", "kept")
    assert claim is not None
    assert (claim["status"]["phase"], claim["spec"]["storageClassName"]) == ("Bound", "standard")
