"""The words of routing: what a service asks for, what is observed, what is to be done.

Documents are Kubernetes objects as the API server gives them: dicts of JSON values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

ROUTE_LABEL = "serinus.dev/route"
ROUTE_LABEL_VALUE = "true"
CONDITION = "serinus.dev/Routed"
STABLE = "stable"


class Unroutable(Exception):
    """There can be no route now. `reason` is one CamelCase word, the message a sentence for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Gateway:
    """The platform's entrance, which every route has as its parent."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Revision:
    """One version of a model. `percent` of the traffic is asked for it; `service` is its Service."""

    name: str
    service: str
    percent: int


@dataclass(frozen=True)
class Intent:
    """What an InferenceService asks for. The stable revision comes first, percentages sum to 100."""

    namespace: str
    name: str
    uid: str
    host: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class Observed:
    """Everything that one decision may know.

    `endpoints` holds the number of ready endpoints by Service; a Service that is not there has no key.
    `route` is the HTTPRoute of the service's name, None where there is none.
    """

    service: Document
    endpoints: Mapping[str, int]
    route: Document | None
    gateway: Gateway


@dataclass(frozen=True)
class Backend:
    """Where a revision stands in the route: `rule` and `backend` are the positions that Envoy's clusters are
    named after, `weight` the percentage in force there. `chosen` tells the rule that a header selects."""

    revision: str
    rule: int
    backend: int
    weight: int
    chosen: bool


@dataclass(frozen=True)
class Condition:
    """How routing of a service stands, for its status. `reason` is one CamelCase word."""

    status: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """What to do now. `route` is what to apply, None where what is there is right already (or must not be
    touched). `backends` is the route once that is done. `withdrawn` says that the route there is to go."""

    route: Document | None
    condition: Condition
    backends: tuple[Backend, ...] = ()
    withdrawn: bool = False


def is_asked(service: Document) -> bool:
    """Say whether a service asks to be routed."""
    return bool(service["metadata"].get("labels", {}).get(ROUTE_LABEL) == ROUTE_LABEL_VALUE)
