"""What goes wrong on purpose: processes that are killed, pods that go, an entrance that is rolled."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.cluster import MANAGER, Cluster, NotYet, Object, pod_state, until

NODE = "serinus-control-plane"
GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway", "serinus", "serinus-system")
ENVOY_PROXY = ("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy")
PROXIES = "envoy-gateway-system"
ROLLED = "serinus.dev/rolled-by-e2e"
SETTLE_SECONDS = 180


def kill(pod: Object, container: str) -> tuple[float, float]:
    """End a container's process with SIGKILL, from the node; return the Unix times it lies between.

    From inside it could not be done: the first process of a container ignores what it has no handler for.
    """
    return _task(pod, container, "kill --signal SIGKILL")


@contextmanager
def frozen(pod: Object, container: str) -> Iterator[None]:
    """Let a container's processes stand still for a while, as on a node that hangs."""
    _task(pod, container, "pause")
    try:
        yield
    finally:
        _task(pod, container, "resume")


def _task(pod: Object, container: str, action: str) -> tuple[float, float]:
    """Do something to a container from the node; return the Unix times it lies between."""
    statuses = {each["name"]: each for each in pod["status"]["containerStatuses"]}
    identity = statuses[container]["containerID"].removeprefix("containerd://")
    script = f"date +%s.%N; ctr --namespace k8s.io tasks {action} {identity}; date +%s.%N"
    command = ["docker", "exec", NODE, "sh", "-euc", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    before, after = map(float, done.stdout.split())
    return before, after


def restarts(pod: Object | None) -> int:
    """Return how often a pod's containers were started again; raises NotYet where there is no pod."""
    if pod is None:
        raise NotYet("no such pod")
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))


def is_ready(pod: Object) -> bool:
    """Return whether a pod is ready and stays."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


class Entrance:
    """The platform's Gateway and the Envoys behind it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        gateway = cluster.get(*GATEWAY)
        assert gateway is not None, "Gateway serinus-system/serinus is missing: run make up"
        self._proxy = gateway["spec"]["infrastructure"]["parametersRef"]["name"]
        self._selector = f"gateway.envoyproxy.io/owning-gateway-name={GATEWAY[2]}"

    def pods(self) -> list[Object]:
        """Return every Envoy pod, those that are going as well."""
        return self._cluster.find("v1", "Pod", PROXIES, self._selector)

    def settled(self, count: int, without: frozenset[str] = frozenset()) -> list[Object]:
        """Wait until `count` Envoys are ready, none is going and none has a uid of `without`."""

        def look() -> list[Object]:
            found = self.pods()
            old = [each for each in found if each["metadata"]["uid"] in without]
            if old or len(found) != count or not all(map(is_ready, found)):
                raise NotYet("; ".join(pod_state(each) for each in found))
            return found

        return until(f"{count} Envoys are ready", look, SETTLE_SECONDS)

    def restarted(self, pod: Object) -> None:
        """Wait until a pod's containers were started once more than `pod` says, and all Envoys are ready."""

        def look() -> None:
            if restarts(self._cluster.get("v1", "Pod", pod["metadata"]["name"], PROXIES)) <= restarts(pod):
                raise NotYet("not restarted")

        until("Envoy is started again", look, SETTLE_SECONDS)
        self.settled(len(self.pods()))

    @contextmanager
    def of(self, count: int) -> Iterator[list[Object]]:
        """Have `count` Envoys for a while, then as many as before."""
        before = self._deployment().get("replicas")
        self._change({"replicas": count})
        try:
            yield self.settled(count)
        finally:
            self._change({"replicas": before})
            self.settled(before or 1)
            self._disown()

    def roll(self) -> None:
        """Have every Envoy replaced by a new one and wait until the old ones are gone."""
        before = self.pods()
        self._change({"pod": {"annotations": {ROLLED: str(time.time_ns())}}})
        self.settled(len(before), frozenset(each["metadata"]["uid"] for each in before))

    def _get(self) -> Object:
        proxy = self._cluster.get(*ENVOY_PROXY, self._proxy, GATEWAY[3])
        assert proxy is not None, f"EnvoyProxy {self._proxy} is missing: run make up"
        return proxy

    def _deployment(self) -> Object:
        return dict(self._get()["spec"]["provider"]["kubernetes"]["envoyDeployment"])

    def _disown(self) -> None:
        """Give back what was changed: Helm refuses to change a field that somebody else owns."""
        others = [each for each in self._get()["metadata"]["managedFields"] if each["manager"] != MANAGER]
        change = {"metadata": {"managedFields": others}}
        self._cluster.patch(*ENVOY_PROXY, self._proxy, change, GATEWAY[3])

    def _change(self, deployment: Object) -> None:
        change = {"spec": {"provider": {"kubernetes": {"envoyDeployment": deployment}}}}
        self._cluster.patch(*ENVOY_PROXY, self._proxy, change, GATEWAY[3])
