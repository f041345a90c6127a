"""From two expositions to the judge's counters: what users got, and what only the server can know."""

import httpx

from serinus_contracts import metrics
from serinus_local.envoy_config import cluster_name
from serinus_operator.adapters.prometheus_text import Exposition, MetricsUnreadable, parse
from serinus_operator.rollout.counters import Counts

_COMPLETED = "envoy_cluster_upstream_rq_completed"
_BY_CLASS = "envoy_cluster_upstream_rq_xx"
_TIMEOUT = 1.0


def counts(
    envoy: Exposition, server: Exposition, slot: int, revision: str, slo_seconds: float
) -> Counts | None:
    """Return one arm's cumulative counters, None where either side does not have them yet.

    Requests and errors are Envoy's, so a server that never answered counts too. Slow, invalid and the
    predicted classes are the server's own. `slo_seconds` must be an edge of its histogram.
    """
    requests = envoy.total(_COMPLETED, envoy_cluster_name=cluster_name(slot))
    slow = server.slower_than(metrics.DURATION, slo_seconds, revision=revision)
    if requests is None or slow is None:
        return None
    errors = envoy.total(_BY_CLASS, envoy_cluster_name=cluster_name(slot), envoy_response_code_class="5")
    return Counts(
        requests=requests,
        errors=errors or 0,
        slow=slow,
        invalid=server.total(metrics.INVALID, revision=revision) or 0,
        predictions=server.by_label(metrics.PREDICTIONS, "prediction", revision=revision),
    )


def scrape(client: httpx.Client, url: str) -> Exposition | None:
    """Return a server's metrics, None where it does not answer in time or not with metrics."""
    try:
        answer = client.get(f"{url}/metrics", timeout=_TIMEOUT)
        return parse(answer.text) if answer.status_code == 200 else None
    except (httpx.HTTPError, MetricsUnreadable):
        return None
