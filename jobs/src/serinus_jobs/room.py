"""Room on volumes, for the one who has to make some."""

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

# A disk without room, and a quota that is used up.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_used_up(error: OSError) -> bool:
    """Say whether writing failed for want of room."""
    return error.errno in _NO_ROOM


def advice(places: Iterable[Path]) -> str:
    """Return what to do, with the room that each of the places has now.

    A verb takes away what it has written in part, so the place that was full need not be full any more: all
    are named.
    """
    usage = {place: shutil.disk_usage(place) for place in places if place.exists()}
    now = ", ".join(f"{place} {_mebi(each.free)} of {_mebi(each.total)}" for place, each in usage.items())
    return f"no space left (free now: {now}); make room there or enlarge the volume, then run it again"


def _mebi(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
