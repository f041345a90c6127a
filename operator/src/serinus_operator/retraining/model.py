"""What the retraining decision reads and returns. Times are Unix seconds."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["running", "promoted", "no_effect", "failed"]


@dataclass(frozen=True)
class Trigger:
    """One report that asks for retraining. `fingerprint` names what it saw: the same again is the same.
    The window is the data that it saw it in."""

    model: str
    revision: str
    fingerprint: str
    window_start: float
    window_end: float
    cause: str


@dataclass(frozen=True)
class Run:
    """One training run that was ever started, remembered after its Job is gone.

    `data_until` is the end of the data it could train on. `promoted`: its model won and took over.
    `no_effect`: it ended, and its model did not (a gate said no, or the rollout was rolled back).
    """

    name: str
    model: str
    fingerprint: str
    started_at: float
    data_until: float
    outcome: Outcome
    finished_at: float | None = None

    def __post_init__(self) -> None:
        if (self.outcome == "running") != (self.finished_at is None):
            raise ValueError(f"run {self.name}: is {self.outcome}, but finished_at is {self.finished_at}")


@dataclass(frozen=True)
class Policy:
    """The dampers. `cooldown_seconds` from a run's end to the next start, doubled for each run in a row
    that brought nothing, up to `longest_backoff_seconds`. `budget_per_day` starts in any 24 hours."""

    cooldown_seconds: float = 3600.0
    budget_per_day: int = 3
    longest_backoff_seconds: float = 7 * 86400.0

    def __post_init__(self) -> None:
        if self.cooldown_seconds < 0 or self.budget_per_day < 0 or self.longest_backoff_seconds < 0:
            raise ValueError("policy: cool-down, budget and longest back-off must not be negative")


@dataclass(frozen=True)
class Start:
    """Create the Job `name`. To create it twice is refused by its name, so a crash between the decision
    and its record starts nothing twice. `data_until` is what the run's record must carry."""

    name: str
    fingerprint: str
    reason: str
    data_until: float


@dataclass(frozen=True)
class Wait:
    """Retraining is asked for and held back; look again at `until`, or when a run ends if it is None."""

    reason: str
    until: float | None


@dataclass(frozen=True)
class Nothing:
    """No report asks for anything that was not answered."""

    reason: str


Decision = Start | Wait | Nothing
