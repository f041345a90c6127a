"""Run a plan step by step: look, put right, wait, and tell what it took. Clock and output are passed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serinus_airgap.programs import Done
from serinus_cluster.acts.choose import Act
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.steps import Outcome, Step, Wait
from serinus_cluster.waiting import InVain, NotYet, until

PAUSE_SECONDS = 1.0


class StepFailed(RuntimeError):
    """A step did not come to its end; the message names it, what was waited for and what was said last."""


@dataclass(frozen=True)
class Result:
    """One line of the report."""

    step: str
    changed: bool
    words: str
    seconds: float
    memory: int | None


class Teller(Protocol):
    """Who shows what happens: a terminal or a log."""

    def begin(self, number: int, total: int, step: Step) -> None:
        """A step begins."""

    def detail(self, words: str) -> None:
        """Something within the step."""

    def end(self, result: Result) -> None:
        """A step has ended."""


@dataclass(frozen=True)
class World:
    """Everything outside that a run touches."""

    act: Callable[[Step], Act]
    kubectl: Callable[[Sequence[str]], Done]
    memory: Callable[[], int | None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def run(steps: Sequence[Step], world: World, teller: Teller) -> list[Result]:
    """Run every step in order.

    Raises:
        StepFailed: a step failed; those after it were not begun.
    """
    results = []
    for number, step in enumerate(steps, 1):
        teller.begin(number, len(steps), step)
        began = world.clock()
        outcome = _put_right(step, world, teller)
        for wait in step.waits:
            _wait(step, wait, world, teller)
        result = Result(step.name, outcome.changed, outcome.words, world.clock() - began, world.memory())
        teller.end(result)
        results.append(result)
    return results


def _put_right(step: Step, world: World, teller: Teller) -> Outcome:
    act = world.act(step)
    try:
        missing = act.missing()
        if missing is None:
            return Outcome("in place", changed=False)
        teller.detail(missing)
        return act.apply(step.seconds)
    except (CommandFailed, OSError, ValueError, RuntimeError) as error:
        raise StepFailed(f"step {step.name!r}: {error}") from error


def _wait(step: Step, wait: Wait, world: World, teller: Teller) -> None:
    def look() -> None:
        done = world.kubectl(wait.kubectl)
        if not done.ok:
            raise NotYet(f"`kubectl {' '.join(wait.kubectl)}` said:\n{done.words}")

    try:
        until(
            wait.what,
            look,
            wait.seconds,
            pause=PAUSE_SECONDS,
            waiting=lambda: teller.detail(f"waiting until {wait.what} (at most {wait.seconds} s)"),
            clock=world.clock,
            sleep=world.sleep,
        )
    except InVain as error:
        raise StepFailed(f"step {step.name!r}: {error}") from error
