"""Prometheus' text format, read into plain counters. No rates: the judge wants what was counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


class MetricsUnreadable(Exception):
    """What was scraped is not Prometheus' text format. The message names the first bad line."""


@dataclass(frozen=True)
class Series:
    """One sample: its full name (`_total`, `_bucket`, ... included), its labels, its value."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Exposition:
    """Everything of one scrape."""

    series: tuple[Series, ...]

    def total(self, name: str, **labels: str) -> int | None:
        """Sum the counters of that name whose labels include `labels`; None when there is none.

        Raises MetricsUnreadable for a value that no counter can have.
        """
        values = [each.value for each in self._matching(name, labels)]
        return _count(name, sum(values)) if values else None

    def by_label(self, name: str, key: str, **labels: str) -> dict[str, int]:
        """As `total`, kept apart by the values of the label `key`."""
        sums: dict[str, float] = {}
        for each in self._matching(name, labels):
            group = each.labels.get(key, "")
            sums[group] = sums.get(group, 0.0) + each.value
        return {group: _count(name, value) for group, value in sums.items()}

    def slower_than(self, name: str, edge: float, **labels: str) -> int | None:
        """Count a histogram's observations above the bucket edge `edge`; None without the histogram.

        Raises MetricsUnreadable when `edge` is no edge of it: a guess between two would be no count.
        """
        observed = self.total(f"{name}_count", **labels)
        buckets = self._matching(f"{name}_bucket", labels)
        if observed is None:
            return None
        within = [each.value for each in buckets if _same(each.labels.get("le", "nan"), edge)]
        if not within:
            edges = sorted({each.labels.get("le", "") for each in buckets})
            raise MetricsUnreadable(f"{name}: {edge} is no bucket edge; edges are {', '.join(edges)}")
        return observed - _count(name, sum(within))

    def _matching(self, name: str, labels: Mapping[str, str]) -> list[Series]:
        # The parser gives every counter the suffix _total; Envoy's counters are written without it.
        names = (name, f"{name}_total")
        return [
            each
            for each in self.series
            if each.name in names and all(each.labels.get(key) == value for key, value in labels.items())
        ]


def parse(text: str) -> Exposition:
    """Parse one scrape. Raises MetricsUnreadable."""
    try:
        return Exposition(
            tuple(
                Series(sample.name, dict(sample.labels), float(sample.value))
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            )
        )
    except (ValueError, KeyError, IndexError) as error:
        raise MetricsUnreadable(f"not Prometheus' text format: {error}") from None


def _count(name: str, value: float) -> int:
    if not math.isfinite(value) or value < 0:
        raise MetricsUnreadable(f"{name}: {value} is no count")
    return round(value)


def _same(text: str, edge: float) -> bool:
    try:
        return math.isclose(float(text), edge, rel_tol=1e-9)
    except ValueError:
        return False
