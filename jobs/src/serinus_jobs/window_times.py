"""Moments as people write them on a command line."""

import math
from datetime import UTC, datetime

from serinus_jobs.errors import JobError


def moment(text: str) -> float:
    """Return Unix seconds of a number or an ISO 8601 time; without a zone it is UTC."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise JobError(f"{text!r}: is no time; write Unix seconds or 2026-11-21T10:00:00") from None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise JobError(f"{text!r}: is no time")
    return seconds
