"""One loop for everything that is waited for, in virtual time."""

from dataclasses import dataclass, field

import pytest

from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.waiting import InVain, NotYet, until


@dataclass
class Looks:
    """Answers in turn, the last one for ever; a clock that only sleeping moves."""

    answers: list[str | Exception]
    now: float = 50.0
    count: int = 0
    told: list[float] = field(default_factory=list)

    def look(self) -> str:
        answer = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def until(self, seconds: float = 10) -> str:
        return until(
            "it answers",
            self.look,
            seconds,
            pause=2,
            waiting=lambda: self.told.append(self.now),
            clock=lambda: self.now,
            sleep=self.sleep,
        )


def test_what_is_so_already_takes_no_time():
    looks = Looks(["yes"])
    assert looks.until() == "yes"
    assert (looks.count, looks.now, looks.told) == (1, 50, [])


def test_a_command_that_fails_is_asked_again_as_what_is_not_so_yet():
    looks = Looks([NotYet("503"), CommandFailed("no route"), "yes"])
    assert looks.until() == "yes"
    assert (looks.count, looks.now, looks.told) == (3, 54, [50])


@pytest.mark.parametrize(("seconds", "attempts"), [(0, 1), (1, 2), (10, 6)])
def test_the_deadline_ends_it_with_what_was_seen_last(seconds: float, attempts: int):
    looks = Looks([NotYet(f"look {number}") for number in range(1, 20)])
    with pytest.raises(InVain) as caught:
        looks.until(seconds)
    assert str(caught.value) == f"waited {seconds} s in vain until it answers\nlast: look {attempts}"
    assert looks.count == attempts


def test_an_error_of_another_kind_is_no_reason_to_wait():
    looks = Looks([ValueError("bad answer"), "yes"])
    with pytest.raises(ValueError, match="bad answer"):
        looks.until()
    assert looks.count == 1
