"""Boards: what is checked in is what the code makes, every panel explains itself, every query parses."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.dashboards.__main__ import BOARDS, FOLDER, text

from serinus_contracts import metrics
from tests.rules import queries
from tests.rules.test_rules import ALERTS, CHART

CHECKED_IN = queries.boards()
PANELS = [(name, panel) for name, board in CHECKED_IN.items() for panel in board["panels"]]


def test_the_checked_in_boards_are_what_the_code_makes():
    made = {name: text(board) for name, board in BOARDS.items()}
    held = {path.stem: path.read_text() for path in FOLDER.glob("*.json")}
    assert held == made, "run: .venv/bin/python -m tools.dashboards"


@pytest.mark.parametrize("name", sorted(CHECKED_IN))
def test_a_board_is_laid_out_without_overlap(name: str):
    taken: set[tuple[int, int]] = set()
    for panel in CHECKED_IN[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in CHECKED_IN[name]["panels"]]
    assert len(numbers) == len(set(numbers))
    assert CHECKED_IN[name]["uid"] == f"serinus-{name}"


@pytest.mark.parametrize(
    ("name", "panel"),
    [(name, panel) for name, panel in PANELS if panel["type"] != "row"],
    ids=lambda each: each if isinstance(each, str) else each["title"],
)
def test_a_panel_explains_itself_and_asks_the_chosen_source(name: str, panel: dict[str, Any]):
    assert panel["description"], f"{name}: {panel['title']}"
    assert panel["targets"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${source}"}


def test_every_query_parses(promtool: Path, tmp_path: Path):
    rules = [
        {"record": f"serinus:panel_{number}", "expr": each.expression}
        for number, each in enumerate(queries.asked())
    ]
    assert len(rules) > 60
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=none", file], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_boards_and_alerts_ask_for_metrics_that_the_contract_has():
    contract = {value for key, value in vars(metrics).items() if key.isupper() and isinstance(value, str)}
    expressions = [each.expression for each in queries.asked()]
    expressions += [rule["expr"] for rule in ALERTS.values()]
    files = (CHART / "files/rules").glob("*.yaml")
    recorded = {
        rule["record"]: rule["expr"]
        for file in files
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    words = {
        word
        for expression in [*expressions, *recorded.values()]
        for word in re.findall(r"[a-z][\w:]+", expression)
    }
    ours = {re.sub(r"_(bucket|sum|count)$", "", word) for word in words if re.match(r"ml_|serinus_", word)}
    # Of the operator, and of kube-state-metrics about InferenceServices.
    others = {
        *(
            "serinus_route_backend_info",
            "serinus_route_weight",
            "serinus_route_ready",
            "serinus_operator_leader",
        ),
        *("serinus_inferenceservice_condition",),
    }
    assert ours - others <= contract
    asked = {word for word in words if word.startswith("serinus:")}
    assert asked <= set(recorded) | {"serinus:threshold", "serinus:price:cpu_hour", "serinus:price:gib_hour"}
    # Every metric of our server is on a board or in an alert.
    assert contract <= ours


def test_a_variable_that_nobody_declares_is_an_error():
    with pytest.raises(KeyError):
        queries.resolve('up{model="$model"}', {})
    assert queries.resolve('rate(up{a=~"$a"}[$__rate_interval])', {"a": ".*"}) == 'rate(up{a=~".*"}[20s])'
