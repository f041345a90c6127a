"""The page of the charts names every Service with its port and every Secret with its place, and no other."""

import re
from pathlib import Path

import pytest
from tests.support import charts

pytestmark = pytest.mark.helm

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/charts.md").read_text()
SYSTEM, TEAMS = "serinus-system", "serinus-models"


@pytest.fixture(scope="module")
def defaults(helm: Path) -> list[charts.Object]:
    """What the umbrella renders when nobody says anything."""
    return charts.objects(charts.template(helm, "platform", {}))


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's table."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (`serinus.*) \|$", text, re.M)
    ]


def test_services(defaults: list[charts.Object]):
    written = {row[0].strip("`"): int(row[1]) for row in rows("Services")}
    assert written == {
        each["metadata"]["name"]: each["spec"]["ports"][0]["port"]
        for each in defaults
        if each["kind"] == "Service"
    }


def test_secrets(defaults: list[charts.Object]):
    places = {"teams": {TEAMS}, f"`{SYSTEM}`": {SYSTEM}, f"`{SYSTEM}`, teams": {SYSTEM, TEAMS}}
    written = {row[0].strip("`"): places[row[1]] for row in rows("Secrets")}
    found: dict[str, set[str]] = {}
    for each in defaults:
        if each["kind"] == "Secret":
            found.setdefault(each["metadata"]["name"], set()).add(each["metadata"]["namespace"])
    assert written == found
