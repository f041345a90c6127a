"""Alert rules, as the chart renders them, under promtool; each fires in one case and is silent in another."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "monitoring"
CASES = Path(__file__).parent


def alerts() -> dict[str, dict[str, Any]]:
    """Return every alerting rule by its name."""
    files = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "files/rules").glob("*.yaml"))]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


ALERTS = alerts()


def cases() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text()) for path in CASES.glob("*.test.yaml")]
    return [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", ())]


def test_the_rules_are_valid(promtool: Path, rendered: Path):
    names = sorted(path.name for path in rendered.glob("*.yaml") if not path.name.endswith(".test.yaml"))
    assert len(names) == 8
    done = subprocess.run(
        [promtool, "check", "rules", "--lint-fatal", *names],
        cwd=rendered,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("*.test.yaml")))
def test_the_cases_hold(promtool: Path, rendered: Path, name: str):
    done = subprocess.run(
        [promtool, "test", "rules", name], cwd=rendered, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_fires_in_one_case_and_is_silent_in_another(alert: str):
    fired = {bool(case["exp_alerts"]) for case in cases() if case["alertname"] == alert}
    assert fired == ({True} if alert == "SerinusWatchdog" else {True, False})


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_says_how_bad_it_is_and_has_a_runbook(alert: str):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == f"{alert}.md"
    text = (ROOT / "docs/runbooks" / f"{alert}.md").read_text()
    assert re.findall(r"^(#+ .*)$", text, re.M)[:3] == [f"# {alert}", "## Look", "## Do"]


def test_no_runbook_is_left_over_and_the_page_names_every_alert():
    assert {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} == set(ALERTS)
    page = (ROOT / "docs/reference/monitoring.md").read_text()
    listed = dict(re.findall(r"^\| \[(\w+)\]\([^)]*\) \| (\w+) \|", page, re.M))
    assert listed == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}


def test_the_jobs_that_runbooks_start_are_there():
    templates = "".join(path.read_text() for path in (ROOT / "manifests/jobs").rglob("*.yaml"))
    known = set(re.findall(r"serinus\.dev/verb: (\w+)", templates))
    runbooks = "".join(path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md"))
    started = set(re.findall(r"--from=cronjob/churn-(\w+)", runbooks))
    assert started
    assert started <= known
