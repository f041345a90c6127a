"""Run a plan step by step: look, put right, wait, and tell what it took. Clock and output are passed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serinus_cluster.acts.choose import Act
from serinus_cluster.edges.shell import CommandFailed, Done
from serinus_cluster.steps import Outcome, Step, Wait

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
    deadline = world.clock() + wait.seconds
    told = False
    while True:
        try:
            done = world.kubectl(wait.kubectl)
        except CommandFailed as error:
            done = Done(1, "", str(error))
        if done.ok:
            return
        if world.clock() >= deadline:
            raise StepFailed(
                f"step {step.name!r}: waited {wait.seconds} s in vain until {wait.what}\n"
                f"`kubectl {' '.join(wait.kubectl)}` last said:\n{done.words}"
            )
        if not told:
            teller.detail(f"waiting until {wait.what} (at most {wait.seconds} s)")
            told = True
        world.sleep(PAUSE_SECONDS)
