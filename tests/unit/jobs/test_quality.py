"""Quality from joined labels: estimates against scikit-learn, intervals against simulation, the verdict."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from tests.support.logged import log_row, write_artifact, write_log, write_model

from serinus_contracts.documents import from_document
from serinus_contracts.drift_report import QualityReport
from serinus_contracts.reference import Reference
from serinus_jobs import intervals, labels, quality
from serinus_jobs.errors import JobError
from serinus_jobs.quality_metrics import degraded, measured
from serinus_jobs.settings import Settings

START, END = 1_760_000_000.0, 1_760_086_400.0


def scored(generator, rows, strength=1.0, classes=2):
    """Return target, answer and probabilities of a model of the given strength, ties among the scores."""
    target = generator.integers(0, classes, rows)
    logits = np.round(generator.normal(0, 1, (rows, classes)) + strength * np.eye(classes)[target], 1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return target, probabilities.argmax(axis=1), probabilities


def test_estimates_are_scikit_learns():
    target, answer, probabilities = scored(np.random.default_rng(1), 700)

    found = {name: values[0] for name, values in measured(target, answer, probabilities).items()}

    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(target, answer),
            "precision": sk.precision_score(target, answer),
            "recall": sk.recall_score(target, answer),
            "f1": sk.f1_score(target, answer),
            "roc_auc": sk.roc_auc_score(target, probabilities[:, 1]),
            "log_loss": sk.log_loss(target, probabilities),
            "brier": sk.brier_score_loss(target, probabilities[:, 1]),
        }
    )


def test_more_classes_have_macro_f1_and_the_losses():
    target, answer, probabilities = scored(np.random.default_rng(2), 700, classes=3)

    found = {name: values[0] for name, values in measured(target, answer, probabilities).items()}

    squared = ((probabilities - np.eye(3)[target]) ** 2).sum(axis=1).mean()
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(target, answer),
            "f1": sk.f1_score(target, answer, average="macro"),
            "log_loss": sk.log_loss(target, probabilities),
            "brier": squared,
        }
    )


@pytest.mark.parametrize("rows", [60, 400])
def test_intervals_hold_the_truth_as_often_as_they_say(rows):
    generator = np.random.default_rng(rows)
    target, answer, probabilities = scored(generator, 200_000)
    truth = {name: values[0] for name, values in measured(target, answer, probabilities).items()}
    held = dict.fromkeys(truth, 0)
    repetitions = 300
    for _ in range(repetitions):
        found = measured(*scored(generator, rows))
        for name, (_, low, high) in found.items():
            held[name] += low <= truth[name] <= high

    # 95 % less three standard errors of 300 repetitions, and what a percentile bootstrap lacks at 60 rows.
    least = 0.95 - 3 * math.sqrt(0.95 * 0.05 / repetitions) - (0.02 if rows < 100 else 0.0)
    assert {name: count / repetitions for name, count in held.items() if count / repetitions < least} == {}


def test_what_cannot_be_computed_is_left_out():
    assert measured(np.array([], dtype=int), np.array([], dtype=int), np.zeros((0, 2))) == {}
    ones = np.ones(20, dtype=int)
    found = measured(ones, ones, np.tile([0.2, 0.8], (20, 1)))
    assert set(found) == {"accuracy", "precision", "recall", "log_loss", "brier"}
    nothing_said = measured(ones, 0 * ones, np.tile([0.6, 0.4], (20, 1)))
    assert "precision" not in nothing_said


@pytest.mark.parametrize(
    ("positives", "area", "low"),
    [([False] * 30 + [True] * 30, 1.0, 0.85), ([True] * 30 + [False] * 30, 0.0, 0.0)],
)
def test_a_perfect_order_keeps_an_honest_interval(positives, area, low):
    found = intervals.roc_auc(np.array(positives), np.arange(60.0))

    assert found is not None
    assert found[0] == area
    assert 0 < found[2] - found[1] < 0.2
    assert found[1] >= low


def test_one_row_of_a_class_says_nothing_about_the_area():
    assert intervals.roc_auc(np.array([True, False, False]), np.array([0.9, 0.1, 0.2])) == (1.0, 0.0, 1.0)
    assert intervals.roc_auc(np.array([True, True]), np.array([0.9, 0.1])) is None


@pytest.mark.parametrize(
    ("metrics", "holdout", "worse"),
    [
        ({"accuracy": (0.7, 0.65, 0.74)}, {"accuracy": 0.8}, ("accuracy",)),
        ({"accuracy": (0.7, 0.65, 0.76)}, {"accuracy": 0.8}, ()),
        ({"accuracy": (0.9, 0.88, 0.92)}, {"accuracy": 0.8}, ()),
        ({"brier": (0.3, 0.26, 0.34)}, {"brier": 0.2}, ("brier",)),
        ({"brier": (0.3, 0.24, 0.36)}, {"brier": 0.2}, ()),
        ({"brier": (0.1, 0.05, 0.14)}, {"brier": 0.2}, ()),
        ({"f1": (0.1, 0.0, 0.2)}, {}, ()),
    ],
)
def test_degraded_means_the_whole_interval_is_worse(metrics, holdout, worse):
    assert degraded(metrics, holdout, 0.05) == worse


@pytest.fixture
def place(tmp_path):
    settings = replace(Settings.from_environment({}), data=tmp_path / "data")
    holdout = {"accuracy": 0.9, "roc_auc": 0.9, "log_loss": 0.45}
    contract = write_artifact(tmp_path / "artifact", Reference(100, (), (), {}, holdout))
    return write_model(tmp_path / "toy"), settings, tmp_path / "artifact", contract.revision


def answered(settings, tmp_path, revision, *, right, count=400, labelled=300, late=3600.0):
    """Log `count` rows, of which the share `right` of the labelled was answered rightly."""
    generator = np.random.default_rng(5)
    rows, truth = [], []
    for i in range(count):
        label = "yes" if generator.random() < 0.4 else "no"
        hit = i % 100 < right * 100
        said = label if hit else ("no" if label == "yes" else "yes")
        p = generator.uniform(0.5, 0.99)
        name = f"{revision}-{i}"
        answer = {"prediction": said, "probabilities": [1 - p, p] if said == "yes" else [p, 1 - p]}
        rows.append(log_row(name, START + i, {}, revision=revision, **answer))
        if i < labelled:
            truth.append({"prediction_id": name, "label": label, "observed_at": START + i + late})
    write_log(settings.prediction_log("toy"), rows)
    path = tmp_path / f"{revision}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in truth))
    labels.run(settings, "toy", path)


def test_each_revision_is_judged_against_its_own_holdout(place, tmp_path):
    model_dir, settings, artifact, revision = place
    answered(settings, tmp_path, revision, right=0.7)
    answered(settings, tmp_path, "unknown", right=0.2)

    reports = quality.run(model_dir, settings, start=START, end=END, artifacts=[artifact])

    ours, other = sorted(reports, key=lambda each: each.revision == "unknown")
    assert (ours.predictions, ours.labelled, ours.lateness_seconds) == (400, 300, (3600.0, 3600.0))
    assert ours.metrics["accuracy"][0] == pytest.approx(0.7)
    assert ours.degraded
    assert "accuracy" in ours.degraded_metrics
    assert (other.degraded, other.holdout) == (False, {})
    for report in reports:
        path = settings.reports("toy") / f"quality-{report.revision}-{START:.0f}-{END:.0f}.json"
        assert from_document(QualityReport, json.loads(path.read_text())) == report


def test_a_good_revision_is_not_degraded(place, tmp_path):
    model_dir, settings, artifact, revision = place
    answered(settings, tmp_path, revision, right=0.9)

    (report,) = quality.run(model_dir, settings, start=START, end=END, artifacts=[artifact])

    assert not report.degraded


def test_few_labels_judge_nobody(place, tmp_path):
    model_dir, settings, artifact, revision = place
    answered(settings, tmp_path, revision, right=0.0, labelled=99)

    (report,) = quality.run(model_dir, settings, start=START, end=END, artifacts=[artifact])

    assert (report.degraded, report.minimum_labels) == (False, 100)
    assert report.metrics["accuracy"][2] < 0.1


def test_labels_that_come_days_later_join(place, tmp_path):
    model_dir, settings, artifact, revision = place
    answered(settings, tmp_path, revision, right=0.9, late=40 * 86400.0)

    (report,) = quality.run(
        model_dir, settings, start=START, end=END, artifacts=[artifact], revision=revision
    )

    assert report.labelled == 300
    assert report.lateness_seconds == (40 * 86400.0, 40 * 86400.0)


def test_no_label_no_metric(place, tmp_path):
    model_dir, settings, _, revision = place
    answered(settings, tmp_path, revision, right=0.9, labelled=0)

    (report,) = quality.run(model_dir, settings, start=START, end=END)

    assert (report.labelled, report.metrics, report.lateness_seconds) == (0, {}, ())


def test_a_label_of_no_class_is_warned_of_and_not_counted(place, tmp_path, caplog):
    model_dir, settings, _, revision = place
    answered(settings, tmp_path, revision, right=0.9)
    path = tmp_path / "more.jsonl"
    path.write_text(json.dumps({"prediction_id": f"{revision}-0", "label": "odd", "observed_at": END}) + "\n")
    labels.run(settings, "toy", path)

    (report,) = quality.run(model_dir, settings, start=START, end=END)

    assert report.labelled == 299
    assert "1 labelled rows are none of the model's classes" in caplog.text


@pytest.mark.parametrize(
    ("labelled", "with_holdout", "words"),
    [
        (
            300,
            True,
            ["300 of 400 predictions labelled (75.0%)", "3600 s, 3600 s", "degraded: accuracy", "holdout"],
        ),
        (300, False, ["holdout metrics of this revision are unknown"]),
        (50, True, ["too few labels to judge (minimum 100)"]),
    ],
)
def test_the_command_prints_coverage_lateness_and_verdict(
    place, tmp_path, monkeypatch, capsys, labelled, with_holdout, words
):
    model_dir, settings, artifact, revision = place
    answered(settings, tmp_path, revision, right=0.6, labelled=labelled)
    monkeypatch.setenv("SERINUS_DATA", str(settings.data))

    quality.command(model_dir, "2025-10-09T08:53:20", "", [artifact] if with_holdout else None)

    printed = capsys.readouterr().out
    assert [each for each in words if each not in printed] == []


@pytest.mark.parametrize(
    ("start", "message"),
    [("yesterday", "is no time"), ("nan", "is no time"), (str(START), "run collect first")],
)
def test_the_command_names_what_is_wrong(place, start, message):
    with pytest.raises(JobError, match=message):
        quality.command(place[0], start, str(END))
