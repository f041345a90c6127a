"""The shift does what the demo needs: an old model fails on it, and a new one learns it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from serinus_jobs.generate import simulate

FEATURES = [
    "age", "tenure_months", "monthly_charges", "total_charges", "num_support_tickets",
    "avg_support_tickets_30d", "payment_failures_30d",
]  # fmt: skip
DAYS = 60


def world(shift: float, offset: int = 0) -> pd.DataFrame:
    rows, labels = simulate(600, DAYS, 7, date(2026, 6, 1), shift, offset)
    joined = pd.merge_asof(
        labels.sort_values("event_timestamp"), rows, on="event_timestamp", by="customer_id"
    )
    return joined.fillna({"monthly_charges": 65.0, "total_charges": 1500.0})


def newest(frame: pd.DataFrame) -> "pd.Series[bool]":
    return frame["event_timestamp"] > frame["event_timestamp"].max() - pd.Timedelta(days=14)


def trained(frame: pd.DataFrame) -> RandomForestClassifier:
    forest = RandomForestClassifier(50, max_depth=6, min_samples_leaf=5, random_state=7)
    return forest.fit(frame[FEATURES], frame["churned"])


def auc(model: RandomForestClassifier, frame: pd.DataFrame) -> float:
    return float(roc_auc_score(frame["churned"] == "yes", model.predict_proba(frame[FEATURES])[:, 1]))


@pytest.fixture(scope="module")
def usual() -> pd.DataFrame:
    return world(0.0)


@pytest.fixture(scope="module")
def shifted() -> pd.DataFrame:
    return world(1.0, offset=DAYS)


@pytest.fixture(scope="module")
def old(usual: pd.DataFrame) -> RandomForestClassifier:
    return trained(usual[~newest(usual)])


def test_a_forest_learns_the_usual_world(usual: pd.DataFrame, old: RandomForestClassifier):
    assert 0.78 <= auc(old, usual[newest(usual)]) <= 0.9


def test_without_a_shift_the_old_model_stays_good(old: RandomForestClassifier):
    assert auc(old, world(0.0, offset=DAYS)) > 0.78


def test_the_old_model_fails_on_the_shift_and_a_new_one_regains_it(
    usual: pd.DataFrame, shifted: pd.DataFrame, old: RandomForestClassifier
):
    recent = shifted[newest(shifted)]
    assert auc(old, recent) < 0.65
    assert auc(trained(shifted[~newest(shifted)]), recent) > 0.78
    # Also where the newest labels are only added to the old ones.
    assert auc(trained(pd.concat([usual, shifted[~newest(shifted)]])), recent) > 0.72


def test_the_shift_moves_covariates(usual: pd.DataFrame, shifted: pd.DataFrame):
    def ratio(name: str) -> float:
        return float(shifted[name].mean() / usual[name].mean())

    assert ratio("monthly_charges") > 1.5
    assert ratio("avg_support_tickets_30d") > 1.8
    assert ratio("payment_failures_30d") == pytest.approx(1.0, abs=0.25)


def test_half_a_shift_lies_between(usual: pd.DataFrame, shifted: pd.DataFrame):
    means = [f["monthly_charges"].mean() for f in (usual, world(0.5, offset=DAYS), shifted)]
    assert np.all(np.diff(means) > 5)
