"""Story: nobody asks anything. What the platform takes then."""

import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from tests.support.cluster import Cluster, NotYet, Object, until
from tests.support.cluster_monitoring import query

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

# The platform and what it stands on; models and stories are not counted.
NAMESPACES = (
    "kube-system",
    "cert-manager",
    "envoy-gateway-system",
    "kserve",
    "local-path-storage",
    "serinus-system",
)
LIMIT_MIB = 4096
# metrics-server looks each 15 s.
SAMPLES, PAUSE_SECONDS = 8, 15
# The windows of rates are five minutes.
SETTLED_SECONDS, STORIES = 420, "e2e-.*"
METRICS = ("metrics.k8s.io/v1beta1", "PodMetrics")
UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "n": 1e-6, "u": 1e-3, "m": 1}


def quantity(text: str) -> float:
    """Return memory in MiB or CPU in thousandths of a core."""
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text) * 1000


def used(pods: list[Object], what: str) -> float:
    """Return what all containers use."""
    return sum(quantity(each["usage"][what]) for pod in pods for each in pod["containers"])


def test_the_platform_at_rest(cluster: Cluster, figure: Callable[[str, str], None]):
    # Given the platform of `make up`, without Grafana where its image cannot be had
    def sample() -> list[Object]:
        found = cluster.find(*METRICS, "serinus-system")
        if not found:
            raise NotYet("no metrics of serinus-system")
        return [each for name in NAMESPACES for each in cluster.find(*METRICS, name)]

    # When nobody asks anything for two minutes
    memory: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for _ in range(SAMPLES):
        pods = until("metrics are served", sample, 60)
        for name in NAMESPACES:
            own = [each for each in pods if each["metadata"]["namespace"] == name]
            memory[name].append(used(own, "memory"))
            cpu[name].append(used(own, "cpu"))
        # A sample of the same moment says nothing new.
        time.sleep(PAUSE_SECONDS)
    # Then it takes this
    for name in NAMESPACES:
        figure(f"at rest: {name}", f"{max(memory[name]):.0f} MiB, {sum(cpu[name]) / SAMPLES:.0f} m")
    whole = max(map(sum, zip(*memory.values(), strict=True)))
    cores = sum(map(sum, cpu.values())) / SAMPLES
    figure("at rest: all of the platform", f"{whole:.0f} MiB, {cores:.0f} m")
    assert whole < LIMIT_MIB


def test_nothing_fires_but_the_watchdog(cluster: Cluster):
    # Given the platform at rest; what other stories did in namespaces of their own is theirs
    elsewhere = f'ALERTS{{alertstate="firing", namespace!~"{STORIES}"}}'

    # When alerts on what was done before have had their time to end
    def look() -> None:
        firing = {each["metric"]["alertname"] for each in query(cluster, elsewhere)}
        if firing != {"SerinusWatchdog"}:
            raise NotYet(sorted(firing))

    # Then a person who looks sees that nothing is wrong
    until("only the watchdog fires", look, SETTLED_SECONDS, pause=2)
