"""What the operator shows of itself: where each revision stands in its route, and how it gets on."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from serinus_operator.routing.model import Backend

_ROUTE = ("namespace", "route", "revision")


class Gauges:
    """All metrics of one process. Only a leader has routes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._info = Gauge(
            "serinus_route_backend_info",
            "1 for each place of a revision in a route; joins Envoy's counters with the revision's name.",
            (*_ROUTE, "rule", "envoy_cluster_name"),
            registry=self.registry,
        )
        self._weight = Gauge(
            "serinus_route_weight",
            "Percentage of the traffic that a revision gets.",
            _ROUTE,
            registry=self.registry,
        )
        self._ready = Gauge(
            "serinus_route_ready",
            "1 if the route is as asked for, 0 if not; `reason` says why.",
            ("namespace", "route", "reason"),
            registry=self.registry,
        )
        self.leader = Gauge("serinus_operator_leader", "1 in the process that leads.", registry=self.registry)
        self.looks = Counter(
            "serinus_operator_reconciles",
            "Looks at one service, by result: unchanged, applied, failed.",
            ("result",),
            registry=self.registry,
        )
        self.leader.set(0)
        for result in ("unchanged", "applied", "failed"):
            self.looks.labels(result)
        self._shown: dict[tuple[str, str], list[tuple[Gauge, tuple[str, ...]]]] = {}

    def show(self, namespace: str, route: str, backends: Sequence[Backend], ready: bool, reason: str) -> None:
        """Replace what is shown of one route."""
        new: dict[tuple[Gauge, tuple[str, ...]], float] = {
            (self._ready, (namespace, route, reason)): float(ready)
        }
        for each in backends:
            # Envoy has no cluster for a weight of 0, and a placeholder must not stand beside its revision.
            if each.weight > 0:
                cluster = f"httproute/{namespace}/{route}/rule/{each.rule}/backend/{each.backend}"
                rule = "chosen" if each.chosen else "split"
                new[self._info, (namespace, route, each.revision, rule, cluster)] = 1.0
            if not each.chosen:
                weight = (self._weight, (namespace, route, each.revision))
                new[weight] = max(new.get(weight, 0.0), float(each.weight))
        for gauge, labels in self._shown.get((namespace, route), []):
            if (gauge, labels) not in new:
                gauge.remove(*labels)
        for (gauge, labels), value in new.items():
            gauge.labels(*labels).set(value)
        self._shown[namespace, route] = list(new)

    def forget(self, namespace: str, route: str) -> None:
        """Show nothing more of a route."""
        for gauge, labels in self._shown.pop((namespace, route), []):
            gauge.remove(*labels)
