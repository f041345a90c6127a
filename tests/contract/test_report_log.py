"""Drift and quality reports in a real MLflow's database: found again by tags, one run a report."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.support.logged import INPUTS, log_row, write_artifact, write_log, write_model
from tests.support.ports import free_port

from serinus_contracts.drift_report import QualityReport
from serinus_contracts.reference import CategoryReference, NumericReference, Reference
from serinus_jobs import drift, labels, quality, report_log, run_tags
from serinus_jobs.errors import JobError
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings

START, END = 1_760_000_000.0, 1_760_003_600.0
ROWS = 600


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    """A model folder, an artifact, and the environment of a verb over a log whose `age` has drifted."""
    home = tmp_path_factory.mktemp("reports")
    spread = tuple(float(i) for i in range(101))
    numeric = tuple(NumericReference(name, 5000, 0, 50.0, 29.0, spread) for name in ("age", "charge"))
    categorical = (CategoryReference("plan", 5000, 0, {"basic": 2500, "plus": 2500}),)
    categorical += (CategoryReference("paperless", 5000, 0, {"false": 2500, "true": 2500}),)
    reference = Reference(5000, numeric, categorical, {"no": 2500, "yes": 2500}, {"accuracy": 0.99})
    assert len(INPUTS) == len(numeric) + len(categorical)
    contract = write_artifact(home / "artifact", reference)
    environment = {
        "SERINUS_DATA": str(home / "data"), "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
    }  # fmt: skip
    settings = Settings.from_environment(environment)
    rows, truth = [], []
    for i in range(ROWS):
        features = {
            "age": 80 + i % 20, "charge": float(i % 100), "plan": "basic" if i % 2 else "plus",
            "paperless": bool(i % 4 // 2),
        }  # fmt: skip
        prediction = "yes" if i % 2 else "no"
        rows.append(log_row(f"p{i}", START + i, features, revision=contract.revision, prediction=prediction))
        truth.append({"prediction_id": f"p{i}", "label": "yes" if i % 3 else "no", "observed_at": END + i})
    write_log(settings.prediction_log("toy"), rows)
    pd.DataFrame(truth).to_csv(home / "labels.csv", index=False)
    labels.run(settings, "toy", str(home / "labels.csv"))
    return write_model(home / "toy"), home / "artifact", environment


@pytest.fixture
def verb(
    place: tuple[Path, Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path, Settings]:
    for name, value in place[2].items():
        monkeypatch.setenv(name, value)
    return place[0], place[1], Settings.from_environment()


def test_a_drift_report_is_logged_once_with_its_page(
    verb: tuple[Path, Path, Settings], tmp_path: Path
) -> None:
    model_dir, artifact, settings = verb
    for _ in range(2):
        drift.command(model_dir, str(START), str(END), artifact)
    registry = Registry(settings)
    (run,) = registry.search_runs("toy-monitoring", f"tags.`{run_tags.KIND}` = 'drift'")
    (path,) = settings.reports("toy").glob("drift-*.json")
    report = json.loads(path.read_text())
    assert (run.status, run.tags[run_tags.VERDICT]) == ("FINISHED", "drifted")
    assert run.tags[run_tags.FINGERPRINT] == report["fingerprint"]
    assert run.tags[run_tags.REVISION] == report["revision"]
    assert run.metrics["rows"] == ROWS
    assert run.metrics["effect.age"] > 0.5 > run.metrics["effect.charge"]
    assert registry.fetch(run.run_id, path.name, tmp_path).read_text() == path.read_text()
    assert b"</html>" in registry.fetch(run.run_id, f"{path.stem}.html", tmp_path).read_bytes()


def test_a_quality_report_is_logged_again_only_when_it_changed(
    verb: tuple[Path, Path, Settings], tmp_path: Path
) -> None:
    model_dir, artifact, settings = verb
    for _ in range(2):
        quality.command(model_dir, str(START), str(END), [artifact])
    registry = Registry(settings)
    found = registry.search_runs("toy-monitoring", f"tags.`{run_tags.KIND}` = 'quality'")
    assert [each.tags[run_tags.VERDICT] for each in found] == ["degraded"]
    (path,) = settings.reports("toy").glob("quality-*.json")
    assert found[0].metrics["accuracy"] == pytest.approx(0.5, abs=0.01)
    assert registry.fetch(found[0].run_id, path.name, tmp_path).read_text() == path.read_text()
    late = tmp_path / "late.csv"
    late.write_text(f"prediction_id,label,observed_at\np0,yes,{END + 9999}\n")
    labels.run(settings, "toy", str(late))
    quality.command(model_dir, str(START), str(END), [artifact])
    assert len(registry.search_runs("toy-monitoring", f"tags.`{run_tags.KIND}` = 'quality'")) == 2


def test_an_mlflow_that_is_away_costs_the_copy_not_the_report(
    verb: tuple[Path, Path, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    model_dir, artifact, settings = verb
    # As shipped it tries four times.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        JobError, match=r"drift-\w+-\d+-\d+\.json is written, but MLflow at http://127"
    ) as caught:
        drift.command(model_dir, str(START), str(END - 1), artifact, html=False)
    assert caught.value.exit_code == 1
    written = settings.reports("toy").glob(f"drift-*-{END - 1:.0f}.json")
    assert len(list(written)) == 1


@pytest.mark.parametrize(("environment", "expected"), [({}, False), ({"MLFLOW_TRACKING_URI": "x"}, True)])
def test_reports_are_logged_where_an_mlflow_is_named(environment: dict[str, str], expected: bool) -> None:
    assert Settings.from_environment(environment).log_reports is expected


@pytest.mark.parametrize(
    ("labelled", "holdout", "degraded", "verdict"),
    [
        (500, {"f1": 1.0}, True, "degraded"),
        (500, {"f1": 1.0}, False, "stable"),
        (10, {"f1": 1.0}, False, "insufficient"),
        (500, {}, False, "insufficient"),
    ],
)
def test_the_verdict_of_a_quality_report(
    labelled: int, holdout: dict[str, float], degraded: bool, verdict: str
) -> None:
    report = QualityReport("m", "r", 0, 1, 900, labelled, (), {}, holdout, degraded, (), 100)
    assert report_log.quality_verdict(report) == verdict
