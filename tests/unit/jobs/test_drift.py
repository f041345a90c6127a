"""The drift verb on a real log: verdicts, what is left out, what is refused, Evidently's page."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests.support.logged import log_row, write_artifact, write_log, write_model

from serinus_contracts.documents import from_document
from serinus_contracts.drift_report import DriftReport
from serinus_contracts.reference import CategoryReference, NumericReference, Reference
from serinus_jobs import drift
from serinus_jobs.errors import JobError
from serinus_jobs.settings import Settings

START, END = 1_760_000_000.0, 1_760_003_600.0
ROWS = 1200


def reference_of(age, charge, missing=0):
    def numeric(name, values, absent):
        quantiles = tuple(float(q) for q in np.quantile(values, np.linspace(0, 1, 101)))
        return NumericReference(
            name, len(values), absent, float(values.mean()), float(values.std()), quantiles
        )

    return Reference(
        rows=len(age),
        numeric=(numeric("age", age, 0), numeric("charge", charge, missing)),
        categorical=(
            CategoryReference("plan", 6000, 0, {"basic": 3000, "plus": 2000, "premium": 1000}),
            CategoryReference("paperless", 6000, 0, {"false": 3000, "true": 3000}),
        ),
        predictions={"no": 4500, "yes": 1500},
        metrics={"accuracy": 0.8},
    )


@pytest.fixture(scope="module")
def generator():
    return np.random.default_rng(11)


@pytest.fixture
def place(tmp_path, generator):
    reference = reference_of(
        generator.integers(18, 80, 6000).astype(float), generator.gamma(4, 20, 6000), missing=600
    )
    contract = write_artifact(tmp_path / "artifact", reference)
    settings = replace(Settings.from_environment({}), data=tmp_path / "data")
    return write_model(tmp_path / "toy"), settings, tmp_path / "artifact", contract


def rows_of(generator, revision, count=ROWS, *, older=0.0, entities=0, **values):
    rows = []
    for i in range(count):
        row_values = dict(values)
        features = {
            "age": int(generator.integers(18, 80) + older),
            "charge": float(generator.gamma(4, 20)),
            "plan": str(generator.choice(["basic", "plus", "premium"], p=[0.5, 1 / 3, 1 / 6])),
            "paperless": bool(generator.random() < 0.5),
        }
        if generator.random() < 0.1:
            features["charge"] = 65.0
            row_values["defaulted"] = ["charge"]
        prediction = "yes" if generator.random() < 0.25 else "no"
        entity = json.dumps({"customer_id": i % entities}) if entities else "{}"
        row = {"prediction": prediction, "entity": entity, "revision": revision, **row_values}
        rows.append(
            log_row(f"{revision}-{older}-{entities}-{i}", START + 3 * i * ROWS / count, features, **row)
        )
    return rows


def test_a_stable_window_is_stable_and_its_report_is_written(place, generator):
    model_dir, settings, artifact, contract = place
    log = settings.prediction_log("toy")
    write_log(log, rows_of(generator, contract.revision) + rows_of(generator, "another", older=30))

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact)

    assert (report.verdict, report.rows, report.revision) == ("stable", ROWS, contract.revision)
    assert {each.name for each in report.features} == {"age", "charge", "plan", "paperless"}
    assert report.prediction is not None
    assert report.effective_rows == ROWS
    stem = settings.reports("toy") / f"drift-{contract.revision}-{START:.0f}-{END:.0f}"
    assert from_document(DriftReport, json.loads(stem.with_suffix(".json").read_text())) == report
    charge = next(each for each in report.features if each.name == "charge")
    assert charge.details["missing"] == pytest.approx(0.1, abs=0.03)
    page = stem.with_suffix(".html").read_text()
    assert "Dataset Drift is NOT detected" in page
    assert "paperless" in page


def test_a_shift_is_drift_with_a_fingerprint_that_stays(place, generator):
    model_dir, settings, artifact, contract = place
    write_log(settings.prediction_log("toy"), rows_of(generator, contract.revision, older=15))

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact)
    first_half = drift.run(model_dir, settings, start=START, end=START + 1800, artifact=artifact, html=False)

    assert report.verdict == first_half.verdict == "drifted"
    assert [each.name for each in report.features if each.drifted] == ["age"]
    assert report.fingerprint == first_half.fingerprint != drift.fingerprint("toy", contract.revision, [])
    page = (settings.reports("toy") / f"drift-{contract.revision}-{START:.0f}-{END:.0f}.html").read_text()
    assert "Dataset Drift is detected" in page


@pytest.mark.parametrize(
    ("prediction", "features", "drifted"),
    [
        ("yes", {}, ["prediction"]),
        (None, {"plan": "premium"}, ["plan"]),
        (None, {"paperless": True}, ["paperless"]),
        (None, {"charge": None}, ["charge"]),
    ],
)
def test_each_kind_of_column_can_drift(place, generator, prediction, features, drifted):
    model_dir, settings, artifact, contract = place
    rows = rows_of(generator, contract.revision)
    for row in rows:
        row["features"] = json.dumps(json.loads(row["features"]) | features)
        row["prediction"] = prediction or row["prediction"]
    write_log(settings.prediction_log("toy"), rows)

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact, html=False)

    assert report.prediction is not None
    assert [each.name for each in (*report.features, report.prediction) if each.drifted] == drifted


def test_few_rows_are_insufficient_and_an_empty_window_says_so(place, generator):
    model_dir, settings, artifact, contract = place
    write_log(settings.prediction_log("toy"), rows_of(generator, contract.revision, 250, older=40))

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact, html=False)
    empty = drift.run(model_dir, settings, start=END, end=END + 60, artifact=artifact)

    assert (report.verdict, report.rows) == ("insufficient", 250)
    assert not any(each.drifted for each in report.features)
    assert (empty.verdict, empty.rows) == ("insufficient", 0)


def test_degraded_rows_are_left_out_and_counted(place, generator):
    model_dir, settings, artifact, contract = place
    log = settings.prediction_log("toy")
    write_log(log, rows_of(generator, contract.revision))
    write_log(log, rows_of(generator, contract.revision, 900, older=50, degraded=True), name="part-1")

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact, html=False)

    assert (report.verdict, report.rows, report.degraded_rows) == ("stable", ROWS, 900)


def test_many_rows_of_few_entities_are_weak_evidence(place, generator):
    model_dir, settings, artifact, contract = place
    write_log(settings.prediction_log("toy"), rows_of(generator, contract.revision, older=15, entities=10))

    report = drift.run(model_dir, settings, start=START, end=END, artifact=artifact, html=False)

    assert report.effective_rows == pytest.approx(10)
    assert report.verdict == "stable"


def test_a_retried_request_counts_once(place, generator):
    model_dir, settings, artifact, contract = place
    rows = rows_of(generator, contract.revision)
    write_log(settings.prediction_log("toy"), rows)
    write_log(settings.prediction_log("toy"), rows[:100], name="part-1")

    assert drift.run(model_dir, settings, start=START, end=END, artifact=artifact, html=False).rows == ROWS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": END, "end": START}, "the window is empty"),
        ({"start": -5.0}, "out of range"),
        ({"start": 0.0, "end": 1e12}, "too long or out of range"),
        ({"revision": "feedfeedfeed"}, "is not the artifact's"),
        ({"artifact": "nowhere"}, "is no model artifact"),
    ],
)
def test_bad_arguments_name_the_cure(place, change, message):
    model_dir, settings, artifact, _ = place
    arguments = {"start": START, "end": END, "artifact": artifact} | change
    if isinstance(arguments["artifact"], str):
        arguments["artifact"] = artifact.parent / arguments["artifact"]

    with pytest.raises(JobError, match=message):
        drift.run(model_dir, settings, **arguments)


def test_a_changed_reference_is_refused(place):
    model_dir, settings, artifact, _ = place
    path = artifact / "reference.json"
    path.write_text(path.read_text().replace("6000", "6001"))

    with pytest.raises(JobError, match=r"not the file that serinus\.json names by digest"):
        drift.run(model_dir, settings, start=START, end=END, artifact=artifact)


def test_an_artifact_of_another_model_or_without_reference_is_refused(place, tmp_path):
    model_dir, settings, artifact, contract = place
    write_artifact(tmp_path / "other", reference_of(np.arange(100.0), np.arange(100.0)), model="other")
    with pytest.raises(JobError, match="is of model other"):
        drift.run(model_dir, settings, start=START, end=END, artifact=tmp_path / "other")

    bare = replace(contract, files={"model.onnx": "0" * 64}).sealed()
    (artifact / "serinus.json").write_text(bare.to_json())
    with pytest.raises(JobError, match=r"names no reference\.json"):
        drift.run(model_dir, settings, start=START, end=END, artifact=artifact)

    (artifact / "serinus.json").write_text("{")
    with pytest.raises(JobError, match="not JSON"):
        drift.run(model_dir, settings, start=START, end=END, artifact=artifact)


def test_files_that_are_no_log_are_named(place, generator):
    model_dir, settings, artifact, contract = place
    log = settings.prediction_log("toy")
    write_log(log, rows_of(generator, contract.revision, 5))
    broken = next(log.rglob("*.parquet")).with_name("part-9.parquet")
    broken.write_bytes(b"nothing")
    with pytest.raises(JobError, match=r"part-9\.parquet: is no prediction log"):
        drift.run(model_dir, settings, start=START, end=END, artifact=artifact)

    broken.unlink()
    row = rows_of(generator, contract.revision, 1)[0]
    write_log(log, [row | {"prediction_id": "bad", "features": "[1]"}], name="part-8")
    with pytest.raises(JobError, match="no JSON object"):
        drift.run(model_dir, settings, start=START, end=END, artifact=artifact)


def test_the_reference_comes_from_the_champion_when_no_folder_is_given(place, generator, tmp_path):
    from serinus_jobs.registry import Registry

    model_dir, settings, artifact, contract = place
    settings = replace(settings, tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(JobError, match="has no champion"):
        drift.run(model_dir, settings, start=START, end=END)

    shutil.copytree(artifact, tmp_path / "run" / "model")
    registry = Registry(settings)
    run_id = registry.log_run("toy", name="r", params={}, metrics={}, tags={}, folder=tmp_path / "run")
    version = registry.create_version("toy", run_id, {}, "")
    registry.set_alias("toy", "champion", version.version)
    write_log(settings.prediction_log("toy"), rows_of(generator, contract.revision))

    report = drift.run(model_dir, settings, start=START, end=END, html=False)

    assert (report.revision, report.rows) == (contract.revision, ROWS)


def test_the_command_prints_each_feature(place, generator, monkeypatch, capsys):
    model_dir, settings, artifact, contract = place
    write_log(settings.prediction_log("toy"), rows_of(generator, contract.revision, older=15))
    monkeypatch.setenv("SERINUS_DATA", str(settings.data))

    drift.command(model_dir, str(START), "2025-10-09T09:53:20", artifact, html=False)

    printed = capsys.readouterr().out
    assert f"toy {contract.revision}: drifted; {ROWS} rows" in printed
    assert "DRIFT age" in printed
    assert "ok    prediction" in printed
