"""Observe one service, decide, apply. The same look whatever the news were, and as often as one likes."""

import logging
from collections.abc import Callable

from serinus_operator.adapters.kubernetes import Cluster, Refused, has_told, is_shown
from serinus_operator.gauges import Gauges
from serinus_operator.routing.decide import decide
from serinus_operator.routing.model import (
    ROUTE_LABEL,
    Condition,
    Decision,
    Document,
    Gateway,
    Observed,
    is_asked,
)
from serinus_operator.work import Key

_log = logging.getLogger(__name__)


class Reconciler:
    """Keeps routes as their services ask for them. `report` is called, at each look, with a service whose
    condition is out of date: it is to be passed to `show` once the service is quiet."""

    def __init__(
        self, cluster: Cluster, gateway: Gateway, gauges: Gauges, report: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._gauges = gauges
        self._report = report
        self._refused: dict[Key, str] = {}

    def look(self, key: Key) -> None:
        """Bring the route of one service up to date. Raises ClusterError; then it is to be called again."""
        try:
            result = self._look(key)
        except Exception:
            self._gauges.looks.labels("failed").inc()
            raise
        self._gauges.looks.labels(result).inc()

    def show(self, key: Key) -> None:
        """Bring the condition of one service up to date, with an Event. Raises ClusterError, as `look`."""
        observed = self._observe(key)
        if observed is None:
            return
        condition = self._condition(key, decide(observed))
        if _is_news(observed.service, condition):
            self._cluster.show(observed.service, condition)
            self._cluster.tell(observed.service, condition)

    def _look(self, key: Key) -> str:
        observed = self._observe(key)
        if observed is None or not is_asked(observed.service):
            self._gauges.forget(*key)
            self._refused.pop(key, None)
            # The route of a service that is gone goes with it.
            return "unchanged" if observed is None else self._withdraw(key, observed)
        decision = decide(observed)
        if decision.route is not None:
            self._apply(key, decision.route)
            _log.info("%s/%s: %s", *key, decision.condition.message)
        self._refused.pop(key, None)
        condition = decision.condition
        self._gauges.show(*key, decision.backends, condition.status, condition.reason)
        if not is_shown(observed.service, condition):
            self._report(key)
        return "unchanged" if decision.route is None else "applied"

    def _withdraw(self, key: Key, observed: Observed) -> str:
        decision = decide(observed)
        if decision.withdrawn and observed.route is not None:
            self._cluster.delete_route(observed.route)
            _log.info("%s/%s: %s", *key, decision.condition.message)
        if _is_news(observed.service, decision.condition):
            self._report(key)
        return "applied" if decision.withdrawn else "unchanged"

    def _apply(self, key: Key, route: Document) -> None:
        try:
            self._cluster.apply_route(route)
        except Refused as refusal:
            self._refused[key] = str(refusal)
            self._report(key)
            raise

    def _observe(self, key: Key) -> Observed | None:
        """Return what is there now; None for a service that is gone or going."""
        service = self._cluster.service(*key)
        if service is None or "deletionTimestamp" in service["metadata"]:
            return None
        endpoints = self._cluster.endpoints(*key) if is_asked(service) else {}
        return Observed(service, endpoints, self._cluster.route(*key), self._gateway)

    def _condition(self, key: Key, decision: Decision) -> Condition:
        refused = self._refused.get(key)
        return decision.condition if refused is None else Condition(False, "Refused", refused)


def _is_news(service: Document, condition: Condition) -> bool:
    """Say whether a service is to be told. One that never had our label hears nothing from us."""
    known = ROUTE_LABEL in service["metadata"].get("labels", {}) or has_told(service)
    return known and not is_shown(service, condition)
