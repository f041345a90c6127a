"""Moments as people write them on a command line."""

import math
import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from serinus_jobs.errors import JobError

# Which labels a model is trained and judged on.
Since = Annotated[datetime | None, typer.Option(help="first label time (UTC)")]
Until = Annotated[datetime | None, typer.Option(help="labels before this time only (UTC)")]
_AGO = re.compile(r"-(\d{1,6})([mhd])")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}


def moment(text: str, now: float | None = None) -> float:
    """Return Unix seconds of a number or an ISO 8601 time (without a zone it is UTC), or of a time ago:
    -30m, -24h, -7d."""
    if ago := _AGO.fullmatch(text):
        return (time.time() if now is None else now) - int(ago[1]) * _SECONDS[ago[2]]
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise JobError(f"{text!r}: is no time; write Unix seconds, 2026-11-21T10:00:00 or -24h") from None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise JobError(f"{text!r}: is no time")
    return seconds


def in_utc(when: datetime | None) -> datetime | None:
    """Return a time of the command line with its zone: without one it is UTC."""
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when
