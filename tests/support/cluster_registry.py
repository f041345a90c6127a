"""A registry of a story's own: MLflow alone, as small as works, with a team in the same namespace."""

import secrets
from collections.abc import Iterator

from tests.support.cluster import MARK, Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_pods import finished, python_pod
from tests.support.cluster_release import Release

SETTLED_SECONDS = 180
MODEL = "iris"


def small_registry(namespace: str, artifacts: Object, replicas: int = 1) -> Object:
    """Return the values of charts/platform for it."""
    store = {"size": "256Mi"}
    return {
        "global": {"models": {"namespaces": [namespace]}},
        "parts": dict.fromkeys(["feast", "monitoring", "serving", "operator"], False),
        "mlflow": {
            "mlflow": {"replicas": replicas, "resources": {"requests": {"cpu": "10m", "memory": "256Mi"}}},
            "artifacts": artifacts,
            "postgresql": {"storage": store, "resources": {"requests": {"cpu": "10m"}}},
            "backup": {"storage": store},
        },
    }


def team(cluster: Cluster, story: str) -> Iterator[Namespace]:
    """Make a namespace with a volume for a team's Jobs, and delete it at the end."""
    name = f"e2e-{story}-{secrets.token_hex(2)}"
    labels = {MARK: story, "pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    namespace = Namespace(cluster, name)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}}
    meta = {"name": "serinus-data"}
    namespace.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    yield namespace
    cluster.delete("v1", "Namespace", name)


def fetched(namespace: Namespace) -> str:
    """Return what the container says that brings a server its model, with the login that servers get."""
    pod = python_pod(namespace.cluster, f"server-{secrets.token_hex(2)}", "")
    (container,) = pod["spec"]["containers"]
    container |= {
        "command": ["serinus-fetch", f"mlflow://{MODEL}/1", "/tmp/model"],
        "envFrom": [{"secretRef": {"name": "serinus-registry-reader"}}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    return finished(namespace, pod)


def pods(release: Release) -> list[Object]:
    """Return MLflow's pods, those that are going too."""
    labels = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component=mlflow"
    return release.namespace.find("v1", "Pod", labels)


def refusal(release: Release) -> str:
    """Wait until a container of MLflow's pod has ended with words, and return them."""

    def look() -> str:
        for status in (pod.get("status", {}) for pod in pods(release)):
            for each in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
                for state in (each["state"], each.get("lastState") or {}):
                    if message := (state.get("terminated") or {}).get("message"):
                        return str(message)
        raise NotYet([pod["status"].get("phase") for pod in pods(release)])

    return until("MLflow's pod says why it does not start", look, SETTLED_SECONDS)


def settled(release: Release, replicas: int) -> list[str]:
    """Wait until MLflow has that many pods, all of them up to date and ready; return their names."""

    def look() -> list[str]:
        found = release.namespace.get("apps/v1", "Deployment", f"{release.name}-mlflow")
        assert found is not None
        current = found["status"].get("observedGeneration") == found["metadata"]["generation"]
        counts = [found["status"].get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
        names = [each["metadata"]["name"] for each in pods(release)]
        if not current or counts != [replicas] * 3 or len(names) != replicas:
            raise NotYet(f"{counts}, {len(names)} pods")
        return names

    return until(f"{replicas} pods of MLflow are ready", look, SETTLED_SECONDS)


def scale(release: Release, replicas: int) -> None:
    """Do `kubectl scale` on MLflow, and wait."""
    change = {"spec": {"replicas": replicas}}
    place = release.namespace
    place.cluster.patch("apps/v1", "Deployment", f"{release.name}-mlflow", change, place.name)
    settled(release, replicas)
