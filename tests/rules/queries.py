"""The queries of the checked-in boards, with what Grafana fills in filled in."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOARDS = Path(__file__).resolve().parents[2] / "charts" / "monitoring" / "files" / "dashboards"
# What a reader sees who has chosen nothing: every value of each variable, and the shortest interval for
# rates that Grafana takes at five seconds between samples.
FILLED = {"__rate_interval": "20s", "__range": "1h", "__interval": "30s"}


@dataclass(frozen=True)
class Asked:
    """One query of one panel."""

    board: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}"


def resolve(expression: str, variables: dict[str, str]) -> str:
    """Return an expression as Prometheus gets it; raises KeyError for a variable that nobody declares."""
    known = {**FILLED, **variables}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known[found[1]], expression)


def boards() -> dict[str, dict[str, Any]]:
    """Return every checked-in board by its file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def asked() -> list[Asked]:
    """Return every query of every panel."""
    found = []
    for name, board in boards().items():
        variables = {
            each["name"]: each["allValue"] for each in board["templating"]["list"] if each["type"] == "query"
        }
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                found.append(Asked(name, panel["title"], resolve(target["expr"], variables)))
    return found
