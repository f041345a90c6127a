"""The counters of one model, as plain numbers: the event loop is their only writer.

A prometheus_client child takes a lock for every increment; here it is one addition, and
prometheus_client renders the text. Every label set exists at 0 from the start, so that a revision's
first error is not lost between two scrapes.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from serinus_contracts import metrics as names
from serinus_contracts.artifact import ModelContract

CONTENT_TYPE = CONTENT_TYPE_LATEST.encode()
# The statuses that the request path can answer with.
CODES = (200, 400, 404, 405, 413, 415, 422, 500, 503)
_Family = CounterMetricFamily | GaugeMetricFamily


class ModelMetrics(Collector):
    """What one model has done since the process started."""

    def __init__(
        self, contract: ModelContract, name: str, version: str, accuracy: float | None = None
    ) -> None:
        self.labels = (name, contract.revision)
        self.version = version
        self.accuracy = accuracy
        self.requests = {protocol: dict.fromkeys(CODES, 0) for protocol in names.PROTOCOLS}
        self.predictions: dict[object, int] = dict.fromkeys(contract.classes, 0)
        self.buckets = [0] * (len(names.DURATION_BUCKETS) + 1)
        self.seconds = 0.0
        self.invalid = 0
        self.degraded = 0
        self.defaulted = {each.name: 0 for each in contract.inputs if each.default is not None}
        views = contract.plan.views if contract.plan else ()
        self.stale = {view.name: 0 for view in views}
        self.view_of = {feature.name: view.name for view in views for feature in view.features}
        # The log counts for itself; these read it at scrape.
        self.logged: Callable[[], int] = lambda: 0
        self.dropped: Callable[[], int] = lambda: 0
        self.trimmed: Callable[[], int] = lambda: 0

    def observe(self, seconds: float) -> None:
        """Count one request's duration."""
        self.buckets[bisect_left(names.DURATION_BUCKETS, seconds)] += 1
        self.seconds += seconds

    def collect(self) -> Iterable[Metric]:
        """Yield every family. Called by prometheus_client at scrape."""
        model = ("model", "revision")
        yield self._counter(names.PREDICTIONS, "rows answered", "prediction", self.predictions)
        histogram = HistogramMetricFamily(
            names.DURATION, "seconds from the whole body to the answer", labels=model
        )
        cumulative, total = [], 0
        for edge, count in zip((*map(str, names.DURATION_BUCKETS), "+Inf"), self.buckets, strict=True):
            total += count
            cumulative.append((edge, total))
        histogram.add_metric(self.labels, cumulative, self.seconds)
        yield histogram
        requests = CounterMetricFamily(
            names.REQUESTS, "prediction requests", labels=(*model, "protocol", "code")
        )
        for protocol, codes in self.requests.items():
            for code, count in codes.items():
                requests.add_metric((*self.labels, protocol, str(code)), count)
        yield requests
        yield self._counter(names.DEFAULTED, "values filled by a declared default", "feature", self.defaulted)
        yield self._counter(names.STALE, "stored values beyond their ttl", "view", self.stale)
        for name, text, value in (
            (names.INVALID, "rows whose output was no probability vector", self.invalid),
            (names.DEGRADED, "rows answered with defaults for want of the store", self.degraded),
            (names.LOGGED, "rows handed to the log's sink", self.logged()),
            (names.DROPPED, "rows the log dropped", self.dropped()),
            (names.TRIMMED, "rows cut off a bounded stream before they were collected", self.trimmed()),
        ):
            family = CounterMetricFamily(name, text, labels=model)
            family.add_metric(self.labels, value)
            yield family
        info = GaugeMetricFamily(names.MODEL_INFO, "1 for the model served", labels=(*model, "version"))
        info.add_metric((*self.labels, self.version), 1)
        yield info
        if self.accuracy is not None:
            accuracy = GaugeMetricFamily(names.ACCURACY, "accuracy on the holdout", labels=model)
            accuracy.add_metric(self.labels, self.accuracy)
            yield accuracy

    def _counter(
        self, name: str, text: str, label: str, values: dict[object, int] | dict[str, int]
    ) -> Metric:
        family = CounterMetricFamily(name, text, labels=("model", "revision", label))
        for value, count in values.items():
            family.add_metric((*self.labels, str(value)), count)
        return family


class Exposition:
    """The text of `/metrics`: the process's own figures, and the model's once it is loaded."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

    def add(self, model: ModelMetrics) -> None:
        """Expose a model's counters from now on."""
        self._registry.register(model)

    def text(self) -> bytes:
        """Return Prometheus' text format."""
        return generate_latest(self._registry)
