"""Users of the gateway: an open loop of a process of its own, and what they got, counted."""

import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serinus_local.load import Outcome, Request, read_outcomes, write_traffic
from tests.support.cluster import NotYet, until

# How long after the last request the client waits for what is open, and some more.
END_SECONDS = 15


@dataclass(frozen=True)
class Answered:
    """What users got. Latencies count from when a request was due, in milliseconds."""

    sent: int
    unanswered: dict[str, int]
    p50: float
    p99: float
    worst: float

    @property
    def lost(self) -> int:
        """Return how many got anything but a 200."""
        return sum(self.unanswered.values())


def answered(outcomes: Sequence[Outcome]) -> Answered:
    """Count outcomes; raises AssertionError where there are none."""
    assert outcomes, "no request was sent"
    latencies = sorted(each.latency_ms for each in outcomes)
    lost = Counter(str(each.status or "no answer") for each in outcomes if each.status != 200)
    p50, p99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
    return Answered(len(outcomes), dict(lost), p50, p99, latencies[-1])


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def in_flight(outcomes: Sequence[Outcome], between: tuple[float, float]) -> int:
    """Return how many requests had no answer at some moment between two Unix times."""
    first, last = between
    return sum(each.at <= last and first < each.at + each.latency_ms / 1000 for each in outcomes)


class Overloaded(AssertionError):
    """The client could not keep its rate: too many requests stayed open."""


class Users:
    """One running client."""

    def __init__(self, file: Path, process: subprocess.Popen[bytes]) -> None:
        self._file, self._process = file, process

    def outcomes(self) -> list[Outcome]:
        """Return what is known so far, in order of answers."""
        return list(read_outcomes(self._file)) if self._file.exists() else []

    def wait(self, more: int, seconds: float = 60) -> list[Outcome]:
        """Wait for `more` outcomes than now and return all; raises AssertionError where the client ended."""
        wanted = len(self.outcomes()) + more

        def look() -> list[Outcome]:
            if self._process.poll() is not None:
                raise Overloaded("the load's process ended by itself")
            found = self.outcomes()
            if len(found) < wanted:
                raise NotYet(f"{len(found)} of {wanted}")
            return found

        return until(f"{more} more requests have an outcome", look, seconds)

    def finish(self, seconds: float) -> list[Outcome]:
        """Wait until the client's own time is over and return all outcomes; raises Overloaded."""
        if code := self._process.wait(seconds):
            raise Overloaded(f"the load's process ended with {code}")
        return self.outcomes()

    def stop(self) -> list[Outcome]:
        """Send nothing more, wait for what is open and return all outcomes."""
        if self._process.poll() is None:
            self._process.terminate()
        return self.finish(END_SECONDS)


@contextmanager
def users(
    folder: Path,
    url: str,
    requests: Sequence[Request],
    *,
    rate: float,
    seconds: float,
    headers: Mapping[str, str],
) -> Iterator[Users]:
    """Send `requests` in turn to `url`, `rate` a second without retries, for `seconds` at most."""
    name = f"load-{time.monotonic_ns()}"
    traffic, file = folder / f"{name}.jsonl", folder / f"{name}.csv"
    write_traffic(traffic, list(requests))
    command = [sys.executable, "-m", "serinus_local.load", "--url", url, "--traffic", str(traffic)]
    command += ["--rate", str(rate), "--seconds", str(seconds), "--outcomes", str(file)]
    for key, value in headers.items():
        command += ["--header", f"{key}:{value}"]
    with subprocess.Popen(command) as process:
        found = Users(file, process)
        try:
            yield found
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
