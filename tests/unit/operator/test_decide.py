"""The whole rollout as a table: what is observed, what is done. No cluster, no clock."""

# ruff: noqa: E501  one row of the table stays on one line
import math
from dataclasses import replace

import pytest
from tests.support.rollouts import POLICY, in_phase, observed

from serinus_contracts.documents import canonical_json, from_document, to_document
from serinus_operator.rollout.counters import Counts, Sample
from serinus_operator.rollout.decide import decide
from serinus_operator.rollout.judge import judge
from serinus_operator.rollout.model import (
    Arm,
    CreateCandidate,
    DropCandidate,
    Observed,
    Phase,
    Promote,
    RolloutState,
    SetFloor,
    SetWeight,
)
from serinus_operator.rollout.policy import parse_policy
from serinus_operator.rollout.record import replay
from serinus_operator.rollout.state import JudgeState

PENDING = RolloutState("v2", Phase.PENDING, 0.0, judge=JudgeState(revision="v2"))
AT_10 = in_phase(PENDING, Phase.PROGRESSING, 10)
AT_50 = in_phase(PENDING, Phase.PROGRESSING, 50)
PROMOTING = in_phase(PENDING, Phase.PROMOTING, 100)
BACK = replace(in_phase(PENDING, Phase.ROLLING_BACK, 0), failed="v2", reason="Harm in errors.")
ROLLED_BACK = replace(BACK, phase=Phase.ROLLED_BACK)
IDLE = RolloutState("v1", Phase.IDLE, 0.0)

GOOD = Sample(100.0, 10, Counts(900), Counts(100))
HARM = Sample(100.0, 10, Counts(900), Counts(100, 60))
NEXT_STEP = replace(AT_10, judge=judge(POLICY, PENDING.judge, replace(GOOD, t=10.0))[0])
LAST_STEP = replace(AT_50, judge=judge(POLICY, PENDING.judge, Sample(10.0, 50, Counts(500), Counts(500)))[0])
STILL = replace(PROMOTING, still=7, still_since=90.0)
STILL_BACK = replace(BACK, still=7, still_since=90.0)


def sample(weight: int, t: float = 100.0, requests: int = 1000, stable: int | None = None) -> Sample:
    b = requests * weight // 100
    return Sample(t, weight, Counts(requests - b if stable is None else stable), Counts(b))


TABLE = [
    ("nothing is wanted", observed(desired="v1", canary=None), (), Phase.IDLE, "UpToDate"),
    ("a new one is wanted", observed(canary=None), (CreateCandidate("v2"),), Phase.PENDING, "CreatingCandidate"),
    ("it is wanted after a rest", observed(IDLE, canary=None), (CreateCandidate("v2"),), Phase.PENDING, "CreatingCandidate"),
    ("it is not ready", observed(PENDING, canary=Arm("v2", 0)), (), Phase.PENDING, "WaitingForReady"),
    ("it is ready", observed(PENDING), (SetWeight(10),), Phase.PROGRESSING, "Started"),
    ("ready, but the load needs more", observed(PENDING, stable=Arm("v1", 20, 20), canary=Arm("v2", 1), load=20),
     (SetFloor("v2", 2),), Phase.PENDING, "WaitingForReady"),
    ("the stable's floor is held for a rollback", observed(PENDING, stable=Arm("v1", 4), canary=Arm("v2", 1), load=4),
     (SetFloor("v1", 4), SetWeight(10)), Phase.PROGRESSING, "Started"),
    ("a leftover stands in the way", observed(PENDING, canary="v0"), (DropCandidate("v0"),), Phase.PENDING, "DroppingLeftover"),
    ("a leftover has traffic", observed(PENDING, canary="v0", weight=30), (SetWeight(0),), Phase.PENDING, "DroppingLeftover"),
    ("no counters yet", observed(AT_10, weight=10), (), Phase.PROGRESSING, "Holding"),
    ("too early", observed(AT_10, weight=10, sample=GOOD), (), Phase.PROGRESSING, "Holding"),
    ("the step is done", observed(NEXT_STEP, weight=10, sample=sample(10, requests=2000)), (SetWeight(50),), Phase.PROGRESSING, "Advancing"),
    ("the step is done, no room", observed(NEXT_STEP, stable=Arm("v1", 4, 4), canary=Arm("v2", 1), load=4, weight=10, sample=sample(10, requests=2000)),
     (SetFloor("v2", 2),), Phase.PROGRESSING, "WaitingForCapacity"),
    ("counters of an older weight", observed(replace(NEXT_STEP, weight=50), weight=50, sample=sample(10, requests=2000)),
     (), Phase.PROGRESSING, "Advancing"),
    ("the route was changed by hand", observed(AT_10, weight=70), (SetWeight(10),), Phase.PROGRESSING, "Holding"),
    ("harm", observed(AT_10, weight=10, sample=HARM), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("harm, the stable arm carries half", observed(AT_50, stable=Arm("v1", 3), canary=Arm("v2", 3), load=4, weight=50, sample=replace(HARM, weight=50)),
     (SetFloor("v1", 4), SetWeight(25)), Phase.ROLLING_BACK, "WaitingForCapacity"),
    ("harm, and the canary serves nothing", observed(AT_50, stable=Arm("v1", 1), canary=Arm("v2", 0), load=4, weight=50, sample=replace(HARM, weight=50)),
     (SetFloor("v1", 4), SetWeight(0)), Phase.ROLLING_BACK, "RollingBack"),
    ("its pods went away", observed(AT_10, canary=Arm("v2", 0), weight=10, sample=GOOD), (SetWeight(0),), Phase.PENDING, "CandidateNotReady"),
    ("its pods went away, the route is behind", observed(PENDING, canary=Arm("v2", 0), weight=10), (SetWeight(0),), Phase.PENDING, "WaitingForReady"),
    ("its pods went away with harm done", observed(AT_10, canary=Arm("v2", 0), weight=10, sample=HARM), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("waiting again, late errors are seen", observed(PENDING, sample=replace(HARM, weight=0)), (), Phase.ROLLING_BACK, "Draining"),
    ("all pods went away at 100 %", observed(PROMOTING, canary=Arm("v2", 0), weight=100), (SetWeight(0),), Phase.PENDING, "CandidateNotReady"),
    ("the candidate is lost", observed(replace(AT_10), canary=None), (), Phase.ROLLED_BACK, "RolledBack"),
    ("superseded", observed(AT_10, desired="v3", weight=10), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("reverted", observed(AT_10, desired="v1", weight=10), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("superseded before it began", observed(PENDING, desired="v3"), (), Phase.ROLLING_BACK, "Draining"),
    ("all is proven", observed(LAST_STEP, weight=50, sample=sample(50, requests=2000)), (SetWeight(100),), Phase.PROMOTING, "Promoting"),
    ("all is proven, no room", observed(LAST_STEP, stable=Arm("v1", 4, 4), canary=Arm("v2", 2), load=4, weight=50, sample=sample(50, requests=2000)),
     (SetFloor("v2", 4),), Phase.PROGRESSING, "WaitingForCapacity"),
    ("promoting, the route lost it", observed(PROMOTING, weight=50), (SetWeight(100),), Phase.PROMOTING, "Promoting"),
    ("promoting, pods went away", observed(PROMOTING, canary=Arm("v2", 1, 4), load=4, weight=50), (), Phase.PROMOTING, "WaitingForCapacity"),
    ("the stable arm begins to drain", observed(PROMOTING, weight=100), (), Phase.PROMOTING, "Draining"),
    ("its counter still moves", observed(STILL, weight=100, sample=sample(100, stable=8)), (), Phase.PROMOTING, "Draining"),
    ("its counter stands still", observed(STILL, weight=100, sample=sample(100, stable=7)), (Promote("v2"),), Phase.PROMOTING, "Promoting"),
    ("a newer one waits for the end", observed(STILL, desired="v3", weight=100, sample=sample(100, stable=7)), (Promote("v2"),), Phase.PROMOTING, "Promoting"),
    ("harm while it drains", observed(STILL, weight=100, sample=Sample(100.0, 100, Counts(900), Counts(100, 60))), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("promoting, the candidate is lost", observed(PROMOTING, canary=None), (), Phase.ROLLED_BACK, "RolledBack"),
    ("promoted", observed(STILL, stable=Arm("v2", 4, 4), canary=None, load=4), (SetFloor("v2", 1),), Phase.IDLE, "Promoted"),
    ("promoted, pods not ready", observed(STILL, stable=Arm("v2", 3, 4), canary=None, load=4), (), Phase.SETTLING, "Settling"),
    ("rolling back, weight still there", observed(BACK, weight=10), (SetWeight(0),), Phase.ROLLING_BACK, "RollingBack"),
    ("rolling back, drains", observed(BACK), (), Phase.ROLLING_BACK, "Draining"),
    ("rolling back, drained", observed(STILL_BACK, sample=Sample(100.0, 0, None, Counts(7))), (DropCandidate("v2"),), Phase.ROLLING_BACK, "RollingBack"),
    ("rolled back", observed(BACK, stable=Arm("v1", 4, 4), canary=None), (SetFloor("v1", 1),), Phase.ROLLED_BACK, "RolledBack"),
    ("rolled back, a third is wanted", observed(BACK, desired="v3", canary=None), (), Phase.PENDING, "Superseded"),
    ("rolled back, the stable is wanted", observed(BACK, desired="v1", canary=None), (), Phase.IDLE, "RolledBack"),
    ("stays rolled back", observed(ROLLED_BACK, canary=None), (), Phase.ROLLED_BACK, "RolledBack"),
    ("forgiven", observed(ROLLED_BACK, desired="v1", canary=None), (), Phase.IDLE, "UpToDate"),
    ("the next after a failure", observed(ROLLED_BACK, desired="v3", canary=None), (CreateCandidate("v3"),), Phase.PENDING, "CreatingCandidate"),
]  # fmt: skip


@pytest.mark.parametrize(("looks", "actions", "phase", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])  # fmt: skip
def test_decide(looks: Observed, actions: tuple, phase: Phase, reason: str):
    decision = decide(looks, 100.0)
    assert decision.actions == actions
    assert (decision.state.phase, decision.reason) == (phase, reason)
    assert decision.message.strip()
    resting = phase in (Phase.IDLE, Phase.ROLLED_BACK) and not actions
    assert (decision.wait_seconds is None) == resting


@pytest.mark.parametrize("looks", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_restart_between_decision_and_status_repeats_it(looks: Observed):
    """The state survives JSON, and asking again with the same observation gives the same decision."""
    first = decide(looks, 100.0)
    if looks.state is not None:
        document = from_document(RolloutState, {**to_document(looks.state), "phase": looks.state.phase})
        assert decide(replace(looks, state=document), 100.0) == first
    assert canonical_json(first.state)


def test_a_record_is_left_for_each_sample_and_replays():
    first = decide(observed(AT_10, weight=10, sample=GOOD), 100.0)
    again = decide(observed(first.state, weight=10, sample=GOOD), 101.0)
    assert first.record is not None
    assert replay(first.record) == first.verdict
    assert again.record is None  # the same sample is not judged twice
    second = decide(observed(first.state, weight=10, sample=sample(10, 200.0, 2000)), 200.0)
    assert second.record.previous == first.record.digest == first.state.chain


def test_counters_that_never_come_are_inconclusive_not_harm():
    silent = decide(observed(AT_10, weight=10), POLICY.no_data_seconds)
    assert (silent.reason, silent.actions) == ("Holding", ())
    later = decide(observed(silent.state, weight=10), 3 * POLICY.no_data_seconds)
    assert (later.reason, later.actions, later.state.phase) == ("Inconclusive", (), Phase.PROGRESSING)


@pytest.mark.parametrize(("choice", "phase"), [("hold", Phase.PROGRESSING), ("rollback", Phase.ROLLING_BACK)])
def test_the_policy_says_what_follows_from_doubt(choice: str, phase: Phase):
    policy = parse_policy(f"steps: [10]\non_inconclusive: {choice}\nno_data_seconds: 50\n")
    state = replace(AT_10, judge=judge(policy, PENDING.judge, replace(GOOD, t=10.0))[0])
    looks = observed(state, weight=10, policy=policy, sample=Sample(100.0, 10, None, None))
    decision = decide(looks, 100.0)
    assert decision.state.phase is phase
    assert decision.verdict.verdict == "inconclusive"


@pytest.mark.parametrize(("choice", "phase"), [("hold", Phase.PENDING), ("rollback", Phase.ROLLING_BACK)])
def test_a_candidate_that_never_gets_ready(choice: str, phase: Phase):
    policy = parse_policy(f"steps: [10]\non_inconclusive: {choice}\n")
    decision = decide(observed(PENDING, canary=Arm("v2", 0), policy=policy), 3600.0)
    assert decision.state.phase is phase
    assert "not ready within 3600 s" in decision.message


class World:
    """The smallest world that obeys actions: pods come up one look later, counters follow the weight."""

    def __init__(self, replicas: int, canary_errors: float) -> None:
        self.stable, self.canary, self.weight, self.now = Arm("v1", replicas, replicas), None, 0, 0.0
        self.load, self.canary_errors = replicas, canary_errors
        self.counts = {"v1": [0, 0], "v2": [0, 0]}
        self.state, self.weights, self.decisions = None, [], []

    def check(self) -> None:
        """The capacity invariant: whoever gets traffic has the replicas for it."""
        assert self.stable.ready >= math.ceil(self.load * (100 - self.weight) / 100)
        if self.weight:
            assert self.canary is not None
            assert self.canary.ready >= math.ceil(self.load * self.weight / 100)

    def act(self, action) -> None:
        match action:
            case CreateCandidate(revision):
                assert self.canary is None
                self.canary = Arm(revision, 0)
            case SetWeight(weight):
                self.weight = weight
                self.weights.append(weight)
            case SetFloor(revision, replicas):
                for name in ("stable", "canary"):
                    arm = getattr(self, name)
                    if arm is not None and arm.revision == revision:
                        setattr(self, name, replace(arm, floor=replicas))
            case Promote(revision):
                assert self.weight == 100
                assert self.canary.revision == revision
                self.stable, self.canary, self.weight = self.canary, None, 0
            case DropCandidate():
                assert self.weight == 0
                self.canary = None
        self.check()

    def step(self, desired: str) -> None:
        b = 200 * self.weight // 100
        for revision, n in ((self.stable.revision, 200 - b), ("v2", b)):
            self.counts[revision][0] += n
            self.counts[revision][1] += round(n * (self.canary_errors if revision == "v2" else 0.005))
        arms = [Counts(*self.counts[name]) if arm else None for name, arm in (("v1", self.stable), ("v2", self.canary))]  # fmt: skip
        looks = Observed(
            POLICY, desired, self.stable, self.canary, self.weight, self.load,
            Sample(self.now, self.weight, *arms), None, self.state,
        )  # fmt: skip
        decision = decide(looks, self.now)
        for action in decision.actions:
            self.act(action)
        self.state = decision.state
        self.decisions.append(decision)
        self.now += 10.0
        for name in ("stable", "canary"):  # pods asked for are ready at the next look
            arm = getattr(self, name)
            if arm is not None:
                setattr(self, name, replace(arm, ready=max(arm.floor, arm.minimum)))


@pytest.mark.parametrize("replicas", [1, 4, 10])
@pytest.mark.parametrize(
    ("errors", "weights", "phase"),
    [(0.005, [10, 50, 100], Phase.IDLE), (0.3, [10, 0], Phase.ROLLED_BACK)],
)
def test_whole_rollouts_keep_capacity_and_order(replicas, errors, weights, phase):
    world = World(replicas, errors)
    for _ in range(60):
        world.step("v2")
    assert world.weights == weights
    assert world.state.phase is phase
    assert world.stable.revision == ("v2" if phase is Phase.IDLE else "v1")
    assert world.canary is None
    records = [d.record for d in world.decisions if d.record]
    assert [replay(r) for r in records] == [r.verdict for r in records]
    assert [r.previous for r in records[1:]] == [r.digest for r in records[:-1]]


def test_a_newer_revision_restarts_from_the_stable_one_with_fresh_evidence():
    world = World(4, 0.005)
    world.counts["v3"] = [0, 0]
    while world.weight != 50:
        world.step("v2")
    for _ in range(4):
        world.step("v3")
    assert world.weights == [10, 50, 0]
    assert (world.state.revision, world.state.phase) == ("v3", Phase.PENDING)
    assert world.state.judge.total_canary == 0
    assert world.state.chain


def test_pods_that_come_and_go_do_not_get_a_new_deadline():
    policy = parse_policy("steps: [10]\nno_data_seconds: 9000\n")
    state = replace(PENDING, since=3500.0, judge=NEXT_STEP.judge)
    decision = decide(observed(state, policy=policy), 3700.0)
    assert (decision.reason, decision.actions) == ("NotReady", ())
