"""Observe one service, decide, apply. The same look whatever the news were, and as often as one likes."""

import logging

from serinus_operator.adapters.kubernetes import Cluster, Refused
from serinus_operator.gauges import Gauges
from serinus_operator.routing.decide import decide
from serinus_operator.routing.model import (
    ROUTE_LABEL,
    ROUTE_LABEL_VALUE,
    Condition,
    Document,
    Gateway,
    Observed,
)
from serinus_operator.work import Key

_log = logging.getLogger(__name__)


class Reconciler:
    """Keeps routes as their services ask for them."""

    def __init__(self, cluster: Cluster, gateway: Gateway, gauges: Gauges) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._gauges = gauges

    def look(self, key: Key) -> None:
        """Bring the route of one service up to date. Raises ClusterError; then it is to be called again."""
        try:
            result = self._look(*key)
        except Exception:
            self._gauges.looks.labels("failed").inc()
            raise
        self._gauges.looks.labels(result).inc()

    def _look(self, namespace: str, name: str) -> str:
        service = self._cluster.service(namespace, name)
        if service is None or not _is_ours(service):
            # The route goes with its service; one that opted out keeps its route, which is the team's now.
            self._gauges.forget(namespace, name)
            return "unchanged"
        observed = Observed(
            service=service,
            endpoints=self._cluster.endpoints(namespace, name),
            route=self._cluster.route(namespace, name),
            gateway=self._gateway,
        )
        decision = decide(observed)
        if decision.route is not None:
            try:
                self._cluster.apply_route(decision.route)
            except Refused as refusal:
                self._show(service, Condition(False, "Refused", str(refusal)))
                raise
            _log.info("%s/%s: %s", namespace, name, decision.condition.message)
        condition = decision.condition
        self._gauges.show(namespace, name, decision.backends, condition.status, condition.reason)
        self._show(service, condition)
        return "unchanged" if decision.route is None else "applied"

    def _show(self, service: Document, condition: Condition) -> None:
        if self._cluster.show(service, condition):
            self._cluster.tell(service, condition)


def _is_ours(service: Document) -> bool:
    metadata = service["metadata"]
    return (
        metadata.get("labels", {}).get(ROUTE_LABEL) == ROUTE_LABEL_VALUE
        and "deletionTimestamp" not in metadata
    )
