"""The control loop: observe, let the operator's own `decide` decide, apply. Nothing is decided here."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serinus_contracts import registry_tags
from serinus_contracts.expectation import ScoreExpectation
from serinus_local.fleet import Fleet
from serinus_local.processes import LocalError, Processes
from serinus_local.timeline import RolloutTrack, Tick
from serinus_operator.adapters.registry import Registry
from serinus_operator.rollout.decide import decide
from serinus_operator.rollout.model import (
    Action,
    Arm,
    CreateCandidate,
    Decision,
    DropCandidate,
    Observed,
    Phase,
    Promote,
    RolloutState,
    SetFloor,
    SetWeight,
)
from serinus_operator.rollout.policy import Policy

_ENDS = (Phase.IDLE, Phase.ROLLED_BACK)


@dataclass(frozen=True)
class Candidate:
    """What is desired: a registered version, what `evaluate` expects of it, and its place in the story."""

    version: str
    revision: str
    expectation: ScoreExpectation | None
    name: str
    story: str


class ControlLoop:
    """Rolls candidates out, one after another. `records` gets every decision record, one JSON line each."""

    def __init__(
        self,
        model: str,
        policy: Policy,
        fleet: Fleet,
        registry: Registry,
        processes: Processes,
        records: Path,
        started: float,
    ) -> None:
        self._model = model
        self._policy = policy
        self._fleet = fleet
        self._registry = registry
        self._processes = processes
        self._records = records
        self._started = started
        self._floors: dict[str, int] = {}

    def roll_out(self, candidate: Candidate, watch: Callable[[Tick], None]) -> RolloutTrack:
        """Look every `interval_seconds` until the candidate is promoted or rolled back.

        `watch` sees every look. Raises LocalError when neither happens within twice the policy's deadline.
        """
        state: RolloutState | None = None
        ticks: list[Tick] = []
        stable = self._fleet.stable.revision
        began = self._now()
        give_up = began + 2 * self._policy.deadline_seconds
        while True:
            now = self._now()
            self._processes.check()
            decision = decide(self._observe(candidate, state, now), now)
            state = decision.state
            for action in decision.actions:
                self._apply(action, candidate)
            if decision.record is not None:
                with self._records.open("a") as lines:
                    lines.write(decision.record.to_json() + "\n")
            ticks.append(self._tick(now, decision))
            watch(ticks[-1])
            if state.phase in _ENDS:
                break
            if now > give_up:
                raise LocalError(f"the rollout of {candidate.revision} came to no end: {decision.message}")
            wait = decision.wait_seconds or self._policy.interval_seconds
            time.sleep(max(0.0, now + wait - self._now()))
        promoted = self._fleet.stable.revision == candidate.revision
        return RolloutTrack(
            name=candidate.name,
            story=candidate.story,
            stable=stable,
            canary=candidate.revision,
            outcome="promoted" if promoted else "rolled back",
            start=began,
            end=self._now(),
            ticks=tuple(ticks),
        )

    def _now(self) -> float:
        return time.time() - self._started

    def _observe(self, candidate: Candidate, state: RolloutState | None, now: float) -> Observed:
        fleet = self._fleet
        return Observed(
            policy=self._policy,
            desired=candidate.revision,
            stable=self._arm(fleet.stable.revision),
            canary=None if fleet.canary is None else self._arm(fleet.canary.revision),
            weight=fleet.weight,
            sample=fleet.sample(now),
            expectation=candidate.expectation,
            state=state,
        )

    def _arm(self, revision: str) -> Arm:
        # One process an arm: it is ready as long as it runs, which `Processes.check` watches.
        return Arm(revision, ready=1, floor=self._floors.get(revision, 1))

    def _apply(self, action: Action, candidate: Candidate) -> None:
        match action:
            case CreateCandidate():
                server = self._fleet.create_candidate(self._model, candidate.version)
                if server.revision != candidate.revision:
                    raise LocalError(f"fetched {server.revision}, but {candidate.revision} is desired")
            case SetWeight(weight=weight):
                self._fleet.set_weight(weight)
            case SetFloor(revision=revision, replicas=replicas):
                self._floors[revision] = replicas
            case Promote():
                before = self._fleet.stable.version
                self._fleet.promote()
                self._registry.move_alias(self._model, registry_tags.PREVIOUS, before)
                self._registry.move_alias(self._model, registry_tags.CHAMPION, candidate.version)
                self._registry.delete_alias(self._model, registry_tags.CANDIDATE)
                self._registry.set_tag(self._model, candidate.version, registry_tags.STAGE, "production")
            case DropCandidate():
                self._fleet.drop_candidate()
                self._registry.delete_alias(self._model, registry_tags.CANDIDATE)

    def _tick(self, now: float, decision: Decision) -> Tick:
        verdict = decision.verdict
        signals = {} if verdict is None else verdict.evidence["signals"]
        return Tick(
            t=now,
            phase=decision.state.phase.value,
            weight=self._fleet.weight,
            reason=decision.reason,
            message=decision.message,
            evidence={name: float(each["log_e"]) for name, each in signals.items()},
            bounds={name: float(each["log_threshold"]) for name, each in signals.items()},
            sent=None if verdict is None else int(verdict.evidence["requests"]["canary"]),
        )
