"""The condition Ready of a Certificate or an issuer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serinus_agents.shapes import Json


@dataclass(frozen=True)
class Condition:
    """Ready or not, and why."""

    ready: bool
    reason: str
    message: str


def with_condition(raw: Json, condition: Condition, fields: Mapping[str, str], now: datetime) -> Json | None:
    """Return what to merge into the status so that it says a condition and fields; None if it does already.

    The time of a transition is written only when Ready changes, so that nothing is written again and again.
    """
    held = raw.get("status") or {}
    others = [one for one in held.get("conditions") or [] if one["type"] != "Ready"]
    before: Json = next((one for one in held.get("conditions") or [] if one["type"] == "Ready"), {})
    wanted = {
        "type": "Ready",
        "status": str(condition.ready),
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": raw["metadata"].get("generation", 0),
    }
    told = all(before.get(key) == value for key, value in wanted.items())
    if told and all(held.get(key) == value for key, value in fields.items()):
        return None
    unchanged = before.get("status") == wanted["status"] and before.get("lastTransitionTime")
    since = before["lastTransitionTime"] if unchanged else f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return {**fields, "conditions": [*others, {**wanted, "lastTransitionTime": since}]}
