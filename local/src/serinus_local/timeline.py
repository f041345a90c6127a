"""What happened in one run, as plain data: written to `timeline.json`, drawn by the report.

Times named `at`, `t`, `start` and `end` are seconds since the run began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from serinus_contracts.drift_report import DriftReport, QualityReport
from serinus_local.load import Outcome


@dataclass(frozen=True)
class Phase:
    """One chapter of the run."""

    name: str
    title: str
    start: float
    end: float


@dataclass(frozen=True)
class Tick:
    """One look at a rollout. `evidence` is the natural logarithm of each signal's e-process and `bounds`
    where it means harm; `sent` counts the canary's requests so far."""

    t: float
    phase: str
    weight: int
    reason: str
    message: str
    evidence: dict[str, float]
    bounds: dict[str, float]
    sent: int | None = None


@dataclass(frozen=True)
class RolloutTrack:
    """One rollout from its first look to its last. `outcome` is promoted, rolled back or unfinished."""

    name: str
    story: str
    stable: str
    canary: str
    outcome: str
    start: float
    end: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Decided:
    """One decision with what it rests on. `verdict` is good, bad or neutral for the colour."""

    at: float
    who: str
    what: str
    verdict: str
    why: str
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """One version of the model. `metrics` are those of its evaluation, on the newest rows that it had not
    seen; `fate` is what became of it."""

    version: str
    revision: str
    name: str
    metrics: dict[str, float]
    fate: str


@dataclass(frozen=True)
class Expected:
    """One outcome that the run must have, and what was found."""

    what: str
    found: str
    met: bool


@dataclass(frozen=True)
class Second:
    """What the users of one second saw. `sent` maps a revision to its answers; latencies in ms."""

    t: float
    sent: dict[str, int]
    lost: int
    refused: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Measured:
    """Quality of the served model in one named stretch of traffic."""

    stretch: str
    report: QualityReport


@dataclass(frozen=True)
class Timeline:
    """The whole run."""

    seed: int
    rate: float
    started: str
    seconds: float
    parts: dict[str, str]
    phases: tuple[Phase, ...]
    traffic: tuple[Second, ...]
    rollouts: tuple[RolloutTrack, ...]
    decisions: tuple[Decided, ...]
    versions: tuple[Version, ...]
    expected: tuple[Expected, ...]
    quality: tuple[Measured, ...] = ()
    drift: DriftReport | None = None
    drift_page: str = ""
    artefacts: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every expected outcome was found, and there was something to expect."""
        return bool(self.expected) and all(each.met for each in self.expected)


def by_second(outcomes: Iterable[Outcome], started: float) -> tuple[Second, ...]:
    """Group what users saw by the second in which their request was due. `started` is Unix time."""
    ordered = sorted(outcomes, key=lambda each: each.at)
    return tuple(
        _second(t, list(group)) for t, group in groupby(ordered, key=lambda each: int(each.at - started))
    )


def _second(t: int, group: list[Outcome]) -> Second:
    sent: dict[str, int] = {}
    for each in group:
        if not each.failed:
            sent[each.revision] = sent.get(each.revision, 0) + 1
    latencies = sorted(each.latency_ms for each in group)
    return Second(
        t=float(t),
        sent=sent,
        lost=sum(each.failed for each in group),
        refused=sum(400 <= each.status < 500 for each in group),
        p50=latencies[len(latencies) // 2],
        p99=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)],
    )
