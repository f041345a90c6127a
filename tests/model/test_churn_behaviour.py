"""What the trained churn model does, told as a person would check it: level, direction, invariance."""

import numpy as np
import pytest
from tests.model.conftest import Trained

from serinus_contracts.encoding import RowEncoder
from serinus_jobs import judged_rows, scoring, splits, training_set
from serinus_jobs.project import Direction, load_model
from serinus_jobs.training_set import TrainingSet


@pytest.fixture(scope="module")
def data(churn: Trained) -> TrainingSet:
    return training_set.load(load_model(churn.project), churn.settings)


@pytest.fixture(scope="module")
def held(churn: Trained, data: TrainingSet) -> np.ndarray:
    return splits.split(load_model(churn.project).split, data.target, data.times).holdout


def test_it_beats_guessing_by_far_and_is_calibrated_in_the_large(
    churn: Trained, data: TrainingSet, held: np.ndarray
) -> None:
    probabilities = churn.model.graph.probabilities(data.matrix[held])
    truth = data.target[held]
    assert scoring.roc_auc(truth, probabilities, 0.5) > 0.8
    assert scoring.brier(truth, probabilities, 0.5) < 0.8 * truth.mean() * (1 - truth.mean())
    assert abs(probabilities[:, 1].mean() - truth.mean()) < 0.05


@pytest.mark.parametrize(
    ("feature", "change", "expect", "share"),
    [
        ("payment_failures_30d", 2, "up", 0.7),
        ("payment_failures_30d", -1, "down", 0.5),
        ("num_support_tickets", 0, "none", 1.0),
    ],
)
def test_direction(
    churn: Trained,
    data: TrainingSet,
    held: np.ndarray,
    feature: str,
    change: float,
    expect: str,
    share: float,
) -> None:
    wanted = Direction(feature=feature, change=change, expect=expect)  # type: ignore[arg-type]
    before, after = judged_rows.moved(wanted, data.matrix[held], data.inputs)
    assert len(before) > 100
    moved = churn.model.graph.probabilities(after)[:, 1] - churn.model.graph.probabilities(before)[:, 1]
    hit = {"up": moved > 1e-3, "down": moved < -1e-3, "none": np.abs(moved) <= 1e-3}[expect]
    assert hit.mean() >= share


def test_the_answer_does_not_depend_on_the_batch(churn: Trained, data: TrainingSet, held: np.ndarray) -> None:
    rows = data.matrix[held[:50]]
    together = churn.model.graph.probabilities(rows)
    alone = np.vstack([churn.model.graph.probabilities(row[None, :]) for row in rows])
    reversed_ = churn.model.graph.probabilities(rows[::-1])[::-1]
    assert (together == reversed_).all()
    assert np.abs(together - alone).max() < 1e-6


def test_a_cent_changes_nothing(churn: Trained, data: TrainingSet, held: np.ndarray) -> None:
    column = [each.name for each in data.inputs].index("monthly_charges")
    rows = data.matrix[held]
    after = rows.copy()
    after[:, column] += 0.01
    moved = np.abs(churn.model.graph.probabilities(after) - churn.model.graph.probabilities(rows))[:, 1]
    assert np.quantile(moved, 0.95) < 0.02


def test_defaults_make_an_answer_of_an_empty_row(churn: Trained) -> None:
    contract = churn.model.contract
    row, defaulted = RowEncoder(contract.inputs).encode({})
    assert defaulted == tuple(each.name for each in contract.inputs)
    probabilities = churn.model.graph.probabilities(np.array([row]))
    assert 0.0 < probabilities[0, 1] < 1.0


def test_the_contract_carries_the_online_plan(churn: Trained) -> None:
    contract = churn.model.contract
    assert contract.plan is not None
    assert contract.plan.feature_service == "churn"
    sources = {each.name: each.source for each in contract.inputs}
    assert sources["payment_failures_30d"] == "store"
    assert sources["usage_vs_avg"] == "on_demand"


def test_labels_of_the_future_are_not_trained_on(churn: Trained, data: TrainingSet, held: np.ndarray) -> None:
    assert data.times is not None
    rest = np.setdiff1d(np.arange(len(data.target)), held)
    assert data.times[rest].max() < data.times[held].min()
