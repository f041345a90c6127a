"""The rollout policy: what a team asks of a canary, parsed strictly from YAML or JSON.

Closed: an unknown key, a wrong type or a value that makes no sense is a PolicyError that names the
line and the field.
"""

import hashlib
import math
import re
from typing import Annotated, Literal

import msgspec
import yaml

_LARGEST_TEXT = 1 << 16
_NODE_PATH = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\[\.\.\.\]")

Signal = Literal["errors", "slow", "invalid", "predictions"]
RateSignal = Literal["errors", "slow", "invalid"]
RATE_SIGNALS: tuple[RateSignal, ...] = ("errors", "slow", "invalid")
Weight = Annotated[int, msgspec.Meta(ge=1, le=100)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=90 * 86400)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Ratio = Annotated[float, msgspec.Meta(ge=1, le=100)]


class PolicyError(ValueError):
    """A policy that cannot be used. The message names source, line and field."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a canary must show, and how long it may take. Times are in seconds.

    steps: the canary's weights in percent, strictly increasing. After the last comes promotion.
    tolerance: the canary may be worse by this ratio before it counts as harm (phi0).
    prediction_tolerance: the same for the odds of each predicted class, around what `evaluate` expected.
    interval_seconds: how often samples come. Newer data than three intervals is fresh.
    alpha: the chance, over a whole rollout, that a canary no worse than `tolerance` is rolled back.
    signals: the share of alpha that each judged signal gets; they add up to 1. A judged signal without
        data blocks promotion.
    ceilings: the canary's bad share per signal must be shown to lie below, to be promoted.
    minimum_requests, minimum_seconds: at each step, canary requests and time before it may advance.
    no_data_seconds: so long without counters or canary requests is inconclusive, not a failure.
    deadline_seconds: from the first weight on; then inconclusive.
    on_inconclusive: keep the weight for a person to look at, or roll back. Promotion is no choice.
    split: `sticky` when one user's requests stay with one version; then units must be users, or nothing
        is judged, as one user's requests are not independent.
    units: what `requests` counts.
    split_tolerance: the odds of reaching the canary may be off from the weight by this ratio.
    split_alpha: the chance that a split as configured is called broken.
    drain_seconds: at least so long between the last request to an arm and its removal.
    """

    steps: Annotated[tuple[Weight, ...], msgspec.Meta(min_length=1, max_length=100)]
    tolerance: Ratio = 1.2
    prediction_tolerance: Ratio = 1.5
    interval_seconds: Seconds = 5.0
    alpha: Share = 0.05
    signals: dict[Signal, Annotated[float, msgspec.Meta(gt=0, le=1)]] = msgspec.field(
        default_factory=lambda: {"errors": 0.5, "slow": 0.25, "invalid": 0.25}
    )
    ceilings: dict[RateSignal, Share] = msgspec.field(
        default_factory=lambda: {"errors": 0.05, "slow": 0.2, "invalid": 0.05}
    )
    minimum_requests: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 50
    minimum_seconds: Seconds = 60.0
    no_data_seconds: Seconds = 120.0
    deadline_seconds: Seconds = 3600.0
    on_inconclusive: Literal["hold", "rollback"] = "hold"
    split: Literal["random", "sticky"] = "random"
    units: Literal["requests", "users"] = "requests"
    split_tolerance: Ratio = 1.25
    split_alpha: Share = 0.001
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 5.0

    def next_weight(self, weight: int) -> int | None:
        """Return the step that follows `weight`, or None from the last step on."""
        return next((step for step in self.steps if step > weight), None)

    def threshold(self, signal: str) -> float:
        """Return the natural logarithm of 1/(alpha v): where a signal's evidence means harm."""
        return -math.log(self.alpha * self.signals[signal])  # type: ignore[index]

    def judges_harm(self) -> bool:
        """Whether the split gives independent units, so that a harm verdict means what it says."""
        return self.split == "random" or self.units == "users"

    def fingerprint(self) -> str:
        """Return a short digest of the fields that accumulated evidence depends on. Evidence gathered
        under another one is not comparable and starts anew."""
        parts = (
            self.tolerance,
            self.prediction_tolerance,
            sorted(self.signals),
            self.split,
            self.units,
            self.split_tolerance,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def parse_policy(text: str, source: str = "policy") -> Policy:
    """Parse a policy from YAML (JSON is taken too).

    Raises PolicyError: "policy.yaml line 3: steps[1]: ...".
    """
    if len(text) > _LARGEST_TEXT:
        raise PolicyError(f"{source}: longer than {_LARGEST_TEXT} characters")
    try:
        # A few aliases of aliases expand to gigabytes, so none are taken.
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                line = token.start_mark.line + 1
                raise PolicyError(f"{source} line {line}: a YAML alias; write the value out")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}" if mark else ""
        raise PolicyError(f"{source}{place}: not YAML: {error.problem or error.context}") from None
    except PolicyError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PolicyError(f"{source}: not YAML: {error}") from None
    if root is None:
        raise PolicyError(f"{source}: is empty; `steps` at least must be given")
    if not isinstance(document, dict):
        raise PolicyError(f"{source} line 1: expected keys with values, got {type(document).__name__}")
    _refuse_duplicates(root, source)
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        raise _located(str(error), root, source) from None
    unjudged = [s for s in document.get("ceilings") or () if s not in policy.signals]
    if unjudged:
        path = f"ceilings.{unjudged[0]}"
        message = "is not among `signals`, so nothing would hold it to this; add it there or leave it out"
        raise PolicyError(f"{source} line {_line(root, path)}: {path}: {message}")
    for path, message in _contradictions(policy):
        raise PolicyError(f"{source} line {_line(root, path)}: {path}: {message}")
    return policy


def _contradictions(policy: Policy) -> list[tuple[str, str]]:
    found = []
    for i, (before, after) in enumerate(zip(policy.steps, policy.steps[1:], strict=False)):
        if after <= before:
            found.append(
                (f"steps[{i + 1}]", f"{after} does not exceed {before}; steps must increase strictly")
            )
    total = math.fsum(policy.signals.values())
    if not abs(total - 1.0) <= 1e-6:
        found.append(("signals", f"the shares add up to {total:g}, they must add up to 1"))
    numbers = {name: getattr(policy, name) for name in policy.__struct_fields__}
    numbers |= {f"ceilings.{name}": value for name, value in policy.ceilings.items()}
    for name, value in numbers.items():
        if isinstance(value, float) and not math.isfinite(value):
            found.append((name, f"{value} is not a finite number"))
    if not policy.ceilings and set(policy.signals) & set(RATE_SIGNALS):
        found.append(
            ("ceilings", "is empty; name what the canary must be shown to stay below, or nothing is")
        )
    if policy.minimum_seconds * len(policy.steps) >= policy.deadline_seconds:
        needed = policy.minimum_seconds * len(policy.steps)
        found.append(
            ("deadline_seconds", f"{len(policy.steps)} steps of minimum_seconds take {needed:g} s or more")
        )
    return found


def _located(message: str, root: yaml.Node, source: str) -> PolicyError:
    """Turn msgspec's "Expected `int` - at `$.steps[1]`" into a message with line and field."""
    what, _, where = message.partition(" - at `")
    path = where.rpartition("$")[2].rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        known = ", ".join(Policy.__struct_fields__)
        return PolicyError(
            f"{source} line {_line(root, unknown[1])}: {unknown[1]}: unknown key; known are {known}"
        )
    if path.endswith("[...]"):
        path = path.removesuffix("[...]")
        what = f"a key or value of {path}: {what}"
    missing = re.search(r"missing required field `(.+?)`", what)
    field = missing[1] if missing else path
    return PolicyError(f"{source} line {_line(root, path)}: {field}: {what[0].lower()}{what[1:]}")


def _line(root: yaml.Node, path: str) -> int:
    """Return the line, from 1, of the deepest node on `path` that exists."""
    node, line = root, root.start_mark.line
    for name, index in _NODE_PATH.findall("." + path.lstrip(".")):
        if isinstance(node, yaml.MappingNode) and name:
            pair = next((pair for pair in node.value if pair[0].value == name), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1


def _refuse_duplicates(node: yaml.Node, source: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise PolicyError(f"{source} line {line}: {key.value}: stands twice")
            seen.add(key.value if isinstance(key.value, str) else id(key))
            _refuse_duplicates(value, source)
