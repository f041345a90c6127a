"""The two doors of the request path: online features in, the prediction log out.

One file per adapter behind each: `online/` and `log/`. A handler knows only these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StoreUnavailable(Exception):
    """The online store did not answer within the budget. The rows get declared defaults."""


@dataclass(slots=True)
class FeatureRow:
    """What the store holds for one entity. `values` maps each stored feature to its value, or None
    where it is missing or older than its view's ttl; `stale` names the latter. `found` is false when
    the store holds nothing at all for the key."""

    values: dict[str, Any]
    found: bool
    stale: tuple[str, ...] = ()


class OnlineStore(Protocol):
    """Reads the stored features of one plan."""

    async def read(self, entities: Sequence[Mapping[str, Any]]) -> list[FeatureRow]:
        """Return one row per entity, in order. Keys are valid by the plan (see `online.check_entity`).

        Raises StoreUnavailable when the time budget is over or the store is down; never waits longer.
        """
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...


class PredictionSink(Protocol):
    """Takes the log away, in batches, off the request path."""

    async def write(self, lines: Sequence[bytes]) -> None:
        """Store encoded PredictionRecords (one JSON object each). Raises OSError when it cannot."""
        ...

    async def close(self) -> None:
        """Flush and release. Safe to call twice."""
        ...
