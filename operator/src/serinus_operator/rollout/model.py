"""The words of one rollout: what is observed, what is remembered, what is to be done.

All frozen. A RolloutState is what an operator writes to the object's status, so that a restart loses
nothing; everything else is observed anew each time.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from serinus_contracts.expectation import ScoreExpectation
from serinus_operator.rollout.counters import Sample
from serinus_operator.rollout.judge import Verdict
from serinus_operator.rollout.policy import Policy
from serinus_operator.rollout.record import Record
from serinus_operator.rollout.state import JudgeState


class Phase(StrEnum):
    """Where a rollout stands."""

    IDLE = "Idle"  # the desired revision is the stable one
    PENDING = "Pending"  # candidate asked for, at weight 0, not ready yet
    PROGRESSING = "Progressing"  # stepping up, judged
    PROMOTING = "Promoting"  # weight 100, the stable arm drains
    SETTLING = "Settling"  # the candidate has become the stable; floors come down
    ROLLING_BACK = "RollingBack"  # weight 0, the canary drains
    ROLLED_BACK = "RolledBack"  # the candidate is gone; nothing happens until another is desired


@dataclass(frozen=True)
class Arm:
    """One version. `ready` replicas take requests now; `floor` is the least its autoscaler may choose,
    `minimum` what the team asked for as least."""

    revision: str
    ready: int
    floor: int = 1
    minimum: int = 1


@dataclass(frozen=True)
class RolloutState:
    """What is remembered between two looks. `weight` is the weight wanted, `since` when the phase began
    (seconds). `still` is the losing arm's request counter as last seen and `still_since` since when it has
    not moved. `failed` is the revision that was rolled back, `chain` the digest of the newest record."""

    revision: str
    phase: Phase
    since: float
    weight: int = 0
    judge: JudgeState = field(default_factory=JudgeState)
    still: int | None = None
    still_since: float | None = None
    reason: str = ""
    failed: str | None = None
    chain: str = ""


@dataclass(frozen=True)
class Observed:
    """Everything that one decision may know.

    desired: the revision that the spec asks for. stable: the arm in force. canary: the candidate as it
    exists, or None. weight: the canary's percentage in force, as read from the route. load_replicas: how
    many replicas the whole traffic needs now. sample: newest counters, or None. expectation: what
    `evaluate` recorded for this pair, if it did. state: as of the last decision, or None.
    """

    policy: Policy
    desired: str
    stable: Arm
    canary: Arm | None
    weight: int
    load_replicas: int = 1
    sample: Sample | None = None
    expectation: ScoreExpectation | None = None
    state: RolloutState | None = None


@dataclass(frozen=True)
class CreateCandidate:
    """Create the candidate's arm, named after its revision, at weight 0."""

    revision: str


@dataclass(frozen=True)
class SetWeight:
    """Send `weight` percent to the canary."""

    weight: int


@dataclass(frozen=True)
class SetFloor:
    """Let the autoscaler of `revision` choose no fewer than `replicas`."""

    revision: str
    replicas: int


@dataclass(frozen=True)
class Promote:
    """Write the candidate over the stable predictor, with its name, in one patch; move the champion."""

    revision: str


@dataclass(frozen=True)
class DropCandidate:
    """Remove the candidate's arm. It gets no traffic any more."""

    revision: str


Action = CreateCandidate | SetWeight | SetFloor | Promote | DropCandidate


@dataclass(frozen=True)
class Decision:
    """What to do now, in order, and what to remember. `reason` is one CamelCase word, `message` a
    sentence for a person. Look again after `wait_seconds` (None: when something
    changes). `record` is there when a sample was judged."""

    actions: tuple[Action, ...]
    state: RolloutState
    reason: str
    message: str
    wait_seconds: float | None
    verdict: Verdict | None = None
    record: Record | None = None
