"""The Pod Security Standard "restricted", for rendered pods.

Kubernetes' documentation lists the controls; stories on the cluster ask the real admission.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_PROFILES = {"RuntimeDefault", "Localhost"}
_HOST = ("hostNetwork", "hostPID", "hostIPC")


def violations(pod: Mapping[str, Any]) -> list[str]:
    """Return what of a pod's spec `restricted` does not admit, one sentence each."""
    return list(_of_pod(pod))


def _of_pod(pod: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{field} is set" for field in _HOST if pod.get(field))
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']} is a {', '.join(sorted(kinds))}"
    whole = pod.get("securityContext", {})
    if whole.get("runAsUser") == 0:
        yield "the pod runs as 0"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from (f"container {container['name']}: {fault}" for fault in _of_container(container, whole))


def _of_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if "ALL" not in own.get("capabilities", {}).get("drop", []):
        yield "capabilities are not dropped"
    if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if own.get("runAsUser") == 0:
        yield "runs as 0"
    profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
    if profile not in _PROFILES:
        yield f"seccomp profile is {profile}"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the host"
