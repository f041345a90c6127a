"""Look, put right, wait: in virtual time, with acts that say what happened to them."""

from dataclasses import dataclass, field

import pytest

from serinus_airgap.programs import Done
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.runner import Result, StepFailed, World, run
from serinus_cluster.steps import Await, Outcome, Step, Wait

MADE = Outcome("made")
OK, NOT_YET = Done(0, "", ""), Done(1, "", 'pods "a" not found')


@dataclass
class Act:
    absent: str | None = None
    error: Exception | None = None
    outcome: Outcome = MADE
    applied: list[float] = field(default_factory=list)

    def missing(self) -> str | None:
        return self.absent

    def apply(self, seconds: float) -> Outcome:
        self.applied.append(seconds)
        if self.error:
            raise self.error
        return self.outcome


class Teller:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.results: list[Result] = []

    def begin(self, number: int, total: int, step: Step) -> None:
        self.lines.append(f"{number}/{total} {step.name}")

    def detail(self, words: str) -> None:
        self.lines.append(words)

    def end(self, result: Result) -> None:
        self.results.append(result)


class Stage:
    """A world with a clock that only sleeping moves."""

    def __init__(self, acts: dict[str, Act], answers: list[Done | Exception] | None = None) -> None:
        self.now, self.asked, self.acts = 100.0, [], acts
        self.answers = answers or []
        self.world = World(
            act=lambda step: acts[step.name],
            kubectl=self.kubectl,
            memory=lambda: 7,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def kubectl(self, words) -> Done:
        self.asked.append(" ".join(words))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def step(name: str, *waits: Wait) -> Step:
    return Step(name, Await(), 30, waits)


def test_what_is_in_place_stays_and_what_is_missing_is_put_right():
    acts = {"one": Act(), "two": Act(absent="no such thing")}
    stage, teller = Stage(acts), Teller()
    results = run([step("one"), step("two")], stage.world, teller)
    assert [(each.step, each.changed, each.words) for each in results] == [
        ("one", False, "in place"),
        ("two", True, "made"),
    ]
    assert (acts["one"].applied, acts["two"].applied) == ([], [30])
    assert teller.lines == ["1/2 one", "2/2 two", "no such thing"]
    assert [each.memory for each in results] == [7, 7]


def test_a_closer_look_is_no_change():
    stage = Stage({"one": Act("the builder knows", outcome=Outcome("0 of 18 built anew", changed=False))})
    (result,) = run([step("one")], stage.world, Teller())
    assert (result.changed, result.words) == (False, "0 of 18 built anew")


def test_a_wait_is_repeated_until_it_is_true_and_told_once():
    wait = Wait("the pod is there", ("get", "pod", "a"), 60)
    stage, teller = Stage({"one": Act()}, [NOT_YET, CommandFailed("no answer"), NOT_YET, OK]), Teller()
    (result,) = run([step("one", wait)], stage.world, teller)
    assert stage.asked == ["get pod a"] * 4
    assert result.seconds == 3
    assert teller.lines == ["1/1 one", "waiting until the pod is there (at most 60 s)"]


def test_a_step_that_is_in_place_is_waited_for_too():
    stage = Stage({"one": Act()}, [OK])
    run([step("one", Wait("x", ("get", "x"), 5))], stage.world, Teller())
    assert stage.asked == ["get x"]


def test_a_wait_ends_at_its_deadline_and_says_what_it_waited_for():
    wait = Wait("the pod is there", ("get", "pod", "a"), 5)
    stage, teller = Stage({"one": Act(), "two": Act(absent="x")}, [NOT_YET]), Teller()
    with pytest.raises(StepFailed) as caught:
        run([step("one", wait), step("two")], stage.world, teller)
    assert str(caught.value) == (
        "step 'one': waited 5 s in vain until the pod is there\n"
        'last: `kubectl get pod a` said:\npods "a" not found'
    )
    assert stage.now == 105
    assert stage.acts["two"].applied == []


@pytest.mark.parametrize(
    "error", [CommandFailed("helm said no"), OSError("disk full"), ValueError("bad pin")]
)
def test_a_failure_names_its_step_and_ends_the_run(error: Exception):
    stage, teller = Stage({"one": Act("x", error), "two": Act("x")}), Teller()
    with pytest.raises(StepFailed, match=f"step 'one': {error}"):
        run([step("one"), step("two")], stage.world, teller)
    assert stage.acts["two"].applied == []
    assert teller.results == []
