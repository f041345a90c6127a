"""Our metrics equal scikit-learn's, and say NaN instead of raising."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from serinus_jobs import scoring
from serinus_jobs.errors import JobError


@given(seed=st.integers(0, 10_000), rows=st.integers(6, 60), ties=st.booleans())
@settings(max_examples=60, deadline=None)
def test_two_classes(seed: int, rows: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    target = np.concatenate([[0, 1], generator.integers(0, 2, rows - 2)])
    positive = generator.random(rows).round(1 if ties else 12)
    probabilities = np.column_stack([1 - positive, positive])
    answer = (positive >= 0.4).astype(int)
    found = scoring.score_all(target, probabilities, 0.4)
    assert found["roc_auc"] == pytest.approx(sklearn.roc_auc_score(target, positive))
    assert found["average_precision"] == pytest.approx(sklearn.average_precision_score(target, positive))
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(target, answer))
    assert found["recall"] == pytest.approx(sklearn.recall_score(target, answer))
    assert found["f1"] == pytest.approx(sklearn.f1_score(target, answer))
    assert found["brier"] == pytest.approx(sklearn.brier_score_loss(target, positive))
    clipped = np.clip(probabilities, 1e-12, 1)
    assert found["log_loss"] == pytest.approx(-np.log(clipped[np.arange(rows), target]).mean())
    if answer.any():
        assert found["precision"] == pytest.approx(sklearn.precision_score(target, answer))
    else:
        assert math.isnan(found["precision"])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_three_classes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target = np.concatenate([[0, 1, 2], generator.integers(0, 3, 47)])
    probabilities = generator.dirichlet([1, 1, 1], 50)
    answer = probabilities.argmax(axis=1)
    found = scoring.score_all(target, probabilities, 0.5)
    assert found["roc_auc"] == pytest.approx(sklearn.roc_auc_score(target, probabilities, multi_class="ovr"))
    assert found["f1"] == pytest.approx(sklearn.f1_score(target, answer, average="macro"))
    assert found["recall"] == pytest.approx(sklearn.recall_score(target, answer, average="macro"))
    assert found["log_loss"] == pytest.approx(sklearn.log_loss(target, probabilities))
    truth = np.eye(3)[target]
    assert found["average_precision"] == pytest.approx(sklearn.average_precision_score(truth, probabilities))
    assert found["brier"] == pytest.approx(((probabilities - truth) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("name", [*scoring.GATE_METRICS, *scoring.LOSSES])
def test_no_rows_give_no_number(name: str) -> None:
    every = {**scoring.GATE_METRICS, **scoring.LOSSES}
    assert math.isnan(every[name](np.empty(0, dtype=np.int64), np.empty((0, 2)), 0.5))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_one_class_gives_no_number(name: str) -> None:
    probabilities = np.full((5, 2), 0.5)
    assert math.isnan(scoring.metric(name)(np.zeros(5, dtype=np.int64), probabilities, 0.5))


def test_the_threshold_itself_is_positive() -> None:
    assert scoring.predicted(np.array([[0.5, 0.5], [0.51, 0.49]]), 0.5).tolist() == [1, 0]


def test_an_unknown_metric_names_the_known() -> None:
    with pytest.raises(JobError, match="'auc' is unknown; known are roc_auc"):
        scoring.metric("auc")
