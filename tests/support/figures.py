"""Figures of the long stories: a table for people, JSON for what comes after."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.gateway_load import Answered

# By name, of every story; by row, of the long ones.
FIGURES = pytest.StashKey[dict[str, str]]()

HEADER = f"{'while':48} {'rate':>5} {'sent':>6} {'lost':>5} {'p50 ms':>8} {'p99 ms':>8} {'worst':>8}  note"


@dataclass(frozen=True)
class Row:
    """What users got during one story, at `rate` requests a second."""

    story: str
    rate: float
    got: Answered
    note: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        got = self.got
        counts = f"{self.rate:5g} {got.sent:6} {got.lost:5}"
        lost = ", ".join(f"{count} x {what}" for what, count in got.unanswered.items())
        note = "; ".join(each for each in (lost, self.note) if each)
        return f"{self.story:48} {counts} {got.p50:8.1f} {got.p99:8.1f} {got.worst:8.1f}  {note}".rstrip()


def keep(file: Path, rows: Sequence[Row], figures: Mapping[str, str]) -> None:
    """Write what was measured, with date and machine."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.platform()}
    content = {**kept, "rows": [asdict(row) for row in rows], "figures": dict(figures)}
    file.write_text(json.dumps(content, indent=1) + "\n")
