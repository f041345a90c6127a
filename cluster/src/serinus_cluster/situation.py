"""In which situation is this machine: can images be pulled, or only package registries be reached?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

VARIABLE = "SERINUS_SITUATION"


class Situation(StrEnum):
    """Where images, charts and tools come from; nothing else differs."""

    ONLINE = "online"
    AIRGAP = "airgap"


class UnknownSituation(ValueError):
    """A situation was asked for that does not exist."""


@dataclass(frozen=True)
class Probe:
    """What one bounded request to an image registry gave: `answered`, or why not."""

    registry: str
    answered: bool
    words: str


@dataclass(frozen=True)
class Decision:
    """The situation and the reason that is printed beside it."""

    situation: Situation
    reason: str


def asked(option: str | None, environment: str | None) -> Decision | None:
    """Return what the user asked for, the option before the variable; None where both leave it to us.

    Raises:
        UnknownSituation: the word is none of online, airgap and auto.
    """
    for word, source in ((option, "--situation"), (environment, VARIABLE)):
        if not word or word == "auto":
            continue
        try:
            return Decision(Situation(word), f"{source} says so")
        except ValueError:
            raise UnknownSituation(f"{source} is {word!r}; it may be online, airgap or auto") from None
    return None


def decide(probes: Sequence[Probe]) -> Decision:
    """Return online only where every registry answered: one silent registry stops a pull half way."""
    silent = [probe for probe in probes if not probe.answered]
    if not silent:
        return Decision(Situation.ONLINE, f"{' and '.join(probe.registry for probe in probes)} answer")
    first = silent[0]
    return Decision(Situation.AIRGAP, f"{first.registry} cannot be reached ({first.words})")
