"""Given plain pods on the cluster, of the model server's image, whose Python does whatever a story needs."""

from typing import Any

from tests.support.cluster import Cluster, Namespace, NotYet, Object, pod_state, until

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Of a pod that just waits to be used.
IDLE = "import time; time.sleep(3600)"
START_SECONDS = 60
_CONNECT = """
import socket, sys
for address in sys.argv[1:]:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        print(address, "connected")
    except OSError as error:
        print(address, type(error).__name__)
"""


def server_image(cluster: Cluster) -> str:
    """Return the image of our model server as this cluster runs it."""
    runtime = cluster.get("serving.kserve.io/v1alpha1", "ClusterServingRuntime", "serinus")
    assert runtime is not None, "ClusterServingRuntime serinus is missing: run make up"
    return str(runtime["spec"]["containers"][0]["image"])


def python_pod(cluster: Cluster, name: str, program: str, **more: Any) -> Object:
    """Return a pod that runs `program`; `claim` is mounted at /data, `labels` and `security` are set."""
    container: Object = {
        "name": "main",
        "image": server_image(cluster),
        "command": ["python", "-c", program],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": more.get("security", RESTRICTED),
    }
    spec: Object = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    if "claim" in more:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": more["claim"]}}]
    metadata = {"name": name, "labels": more.get("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def running(namespace: Namespace, pod: Object) -> Object:
    """Apply a pod and return it once it is ready."""
    namespace.apply(pod)
    return _in_phase(namespace, pod["metadata"]["name"], "Running")


def finished(namespace: Namespace, pod: Object) -> str:
    """Apply a pod, wait for its end and return what it said."""
    namespace.apply(pod)
    _in_phase(namespace, pod["metadata"]["name"], "Succeeded")
    return namespace.logs(pod["metadata"]["name"])


def connections(namespace: Namespace, pod: str, addresses: list[str]) -> dict[str, str]:
    """Return how a connection from a pod with Python to each `host:port` ended: "connected", or why not."""
    lines = namespace.execute(pod, "python", "-c", _CONNECT, *addresses).output.splitlines()
    return {line.split()[0]: line.split()[1] for line in lines}


def gone(namespace: Namespace, name: str) -> None:
    """Delete a pod and wait until it is gone."""
    namespace.cluster.delete("v1", "Pod", name, namespace.name)

    def look() -> None:
        if pod := namespace.get("v1", "Pod", name):
            raise NotYet(pod_state(pod))

    until(f"pod {name} is gone", look, START_SECONDS)


def _in_phase(namespace: Namespace, name: str, phase: str) -> Object:
    def look() -> Object:
        pod = namespace.get("v1", "Pod", name)
        if pod is None:
            raise NotYet("no such pod")
        if pod["status"].get("phase") == "Failed":
            raise AssertionError(f"pod {name} failed:\n{namespace.logs(name)}")
        ready = all(each["ready"] for each in pod["status"].get("containerStatuses", []))
        if pod["status"].get("phase") != phase or (phase == "Running" and not ready):
            raise NotYet(pod_state(pod))
        return pod

    return until(f"pod {name} is {phase}", look, START_SECONDS)
