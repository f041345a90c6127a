"""Cumulative counters of both arms, and what happened between two samples.

Counters only grow, or start again at 0 when their process does. No rates: a rate loses the errors
that a canary makes before its second scrape.
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Any

_LARGEST = 1 << 53  # beyond, JSON numbers are no longer exact


class CounterError(ValueError):
    """A line of counters that cannot be used. The message names source, line and field."""


@dataclass(frozen=True)
class Counts:
    """What one arm has served so far, or within one interval.

    `errors` are answers with 5xx, `slow` those above the latency objective, `invalid` those whose
    output is no probability vector: each at most `requests`. `predictions` counts predicted rows by class.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    invalid: int = 0
    predictions: dict[str, int] | None = None


@dataclass(frozen=True)
class Sample:
    """Cumulative counters at time `t` (seconds). `weight` is the percentage that was sent to the canary
    since the sample before. An arm is None where its counters could not be read. `revision` is the
    canary's; evidence starts anew when it changes."""

    t: float
    weight: int
    stable: Counts | None
    canary: Counts | None
    revision: str | None = None


def difference(before: Counts | None, after: Counts) -> Counts:
    """Return what was counted after `before`, never negative.

    The first sample of an occupancy (`before` is None) counts from 0. A counter that fell was reset, and
    all counters of an arm live in one process: if any fell, all count from 0.
    """
    if before is None or _fell(before, after):
        return after
    predictions = after.predictions
    if predictions is not None and before.predictions is not None:
        predictions = {name: n - before.predictions.get(name, 0) for name, n in predictions.items()}
    return Counts(
        after.requests - before.requests,
        after.errors - before.errors,
        after.slow - before.slow,
        after.invalid - before.invalid,
        predictions,
    )


def carried(before: Counts | None, after: Counts, *, keep_predictions: bool) -> Counts:
    """Return the baseline for the next difference. With `keep_predictions` (one arm's were not read) the
    predictions stay at the older one, so that both arms are differenced over the same time later."""
    if not keep_predictions:
        return after
    kept = None if before is None or _fell(before, after) else before.predictions
    return replace(after, predictions=kept)


def _fell(before: Counts, after: Counts) -> bool:
    if (
        after.requests < before.requests
        or after.errors < before.errors
        or after.slow < before.slow
        or after.invalid < before.invalid
    ):
        return True
    if before.predictions is None or after.predictions is None:
        return False
    return any(after.predictions.get(name, 0) < n for name, n in before.predictions.items())


def parse_line(text: str, line: int, source: str = "counters") -> Sample:
    """Parse one JSON line of counters. Raises CounterError: "counters.jsonl line 4: canary.errors: ..."."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CounterError(f"{source} line {line}: not JSON: {error}") from None
    place = f"{source} line {line}"
    if not isinstance(document, dict):
        raise CounterError(f"{place}: expected an object, got {_kind(document)}")
    _closed(document, {"t", "weight", "stable", "canary"}, {"revision"}, place, "")
    revision = document.get("revision")
    if revision is not None and not isinstance(revision, str):
        raise CounterError(f"{place}: revision: expected a string or null, got {_kind(revision)}")
    weight = _integer(document["weight"], place, "weight")
    if weight > 100:
        raise CounterError(f"{place}: weight: {weight} is above 100 percent")
    return Sample(
        t=_time(document["t"], place),
        weight=weight,
        stable=_counts(document["stable"], place, "stable"),
        canary=_counts(document["canary"], place, "canary"),
        revision=revision,
    )


def _counts(value: Any, place: str, arm: str) -> Counts | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise CounterError(f"{place}: {arm}: expected an object or null, got {_kind(value)}")
    names = ("requests", "errors", "slow", "invalid")
    _closed(value, set(names), {"predictions"}, place, f"{arm}.")
    numbers = {name: _integer(value[name], place, f"{arm}.{name}") for name in names}
    for name in names[1:]:
        if numbers[name] > numbers["requests"]:
            raise CounterError(
                f"{place}: {arm}.{name}: {numbers[name]} of only {numbers['requests']} requests"
            )
    predictions = value.get("predictions")
    if predictions is not None:
        if not isinstance(predictions, dict):
            raise CounterError(
                f"{place}: {arm}.predictions: expected an object or null, got {_kind(predictions)}"
            )
        predictions = {
            name: _integer(n, place, f"{arm}.predictions.{name}") for name, n in predictions.items()
        }
    return Counts(**numbers, predictions=predictions)


def _closed(value: dict[str, Any], needed: set[str], optional: set[str], place: str, prefix: str) -> None:
    missing = sorted(needed - set(value))
    if missing:
        cure = "; write null when it is unknown" if missing[0] in ("stable", "canary") else ""
        raise CounterError(f"{place}: {prefix}{missing[0]}: missing{cure}")
    unknown = sorted(set(value) - needed - optional)
    if unknown:
        known = ", ".join(sorted(needed | optional))
        raise CounterError(f"{place}: {prefix}{unknown[0]}: unknown key; known are {known}")


def _integer(value: Any, place: str, field: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Prometheus writes counters as 900.0
    if type(value) is not int:
        raise CounterError(f"{place}: {field}: expected a whole number, got {_kind(value)}")
    if value < 0:
        raise CounterError(f"{place}: {field}: {value} is negative")
    if value > _LARGEST:
        raise CounterError(f"{place}: {field}: larger than 2^53")
    return value


def _time(value: Any, place: str) -> float:
    if type(value) not in (int, float) or abs(value) > _LARGEST or not math.isfinite(value):
        raise CounterError(f"{place}: t: expected a finite number of seconds, got {_kind(value)}")
    return float(value)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
