"""What can never become a model is refused with a reason, and nothing is logged anywhere."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.training import loans, project_document, publish, settings_in, write_project

from serinus_jobs import train
from serinus_jobs.errors import JobError

Change = Callable[[pd.DataFrame], pd.DataFrame]
FEATURES = project_document()["features"]


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def estimator(**changes: Any) -> dict[str, Any]:
    return {"estimator": {**project_document()["estimator"], **changes}}


@pytest.mark.parametrize(
    ("project", "change", "message"),
    [
        (
            estimator(**{"class": "sklearn.calibration.CalibratedClassifierCV"}),
            same,
            "is not trained; choose one of",
        ),
        (
            estimator(**{"class": "xgboost.XGBClassifier", "params": {"learning_rate": -1}}),
            same,
            "lies outside",
        ),
        (estimator(params={"n_estimators": 10**9}), same, "1000000000 lies outside 1 to 5000"),
        (estimator(params={"epochs": 10**9}), same, "has no such parameter"),
        (estimator(params={"criterion": "guess"}), same, "estimator: fit failed with"),
        (estimator(grid={"max_depth": [1, 2]}), same, "give 3 to 200"),
        ({"gates": {"metric": "auc", "minimum": {}}}, same, "metric 'auc' is unknown"),
        ({"gates": {"minimum": {"rmse": 1}}}, same, "metric 'rmse' is unknown"),
        ({"split": {"kind": "stratified", "holdout": 0}}, same, "split.holdout: must lie between"),
        ({"split": {"kind": "time", "holdout_days": 400}}, same, "training part has 0 rows"),
        ({}, lambda f: f.drop(columns="bad"), "has no column 'bad'"),
        ({}, lambda f: f.drop(columns="at"), "has no column 'at'"),
        ({}, lambda f: f.drop(columns="debt"), "features.debt: not given by table 'loans'"),
        ({}, lambda f: f.assign(bad=None), "has no labelled row"),
        ({}, lambda f: f.assign(bad="no"), "one class only"),
        ({}, lambda f: f.assign(bad="perhaps"), "holds 'perhaps'; declared are 'no', 'yes'"),
        ({}, lambda f: f.assign(debt=np.nan), "features.debt: every value is null"),
        (
            {},
            lambda f: f.assign(debt=1e9),
            "400 of 400 rows do not keep the model's contract; most often, 400",
        ),
        ({}, lambda f: f.assign(debt=f["debt"].astype(str)), "debt: must be a number"),
        ({}, lambda f: f.assign(at="soon"), "column 'at' holds no timestamps"),
        ({}, lambda f: f[:0], "no labelled row"),
        ({}, lambda f: f[:25], "the training part has 0 rows"),
        (
            {"features": [*FEATURES, {"name": "bad", "type": "string", "allowed": ["no", "yes"]}]},
            same,
            "label itself",
        ),
        ({"label": {"table": "nowhere", "column": "bad", "classes": ["no", "yes"]}}, same, "run ingest"),
        (
            {"label": {"table": "loans", "column": "bad", "classes": ["no", "yes", "third"]}},
            same,
            "class third",
        ),
    ],
)
def test_refused(tmp_path: Path, project: dict[str, Any], change: Change, message: str) -> None:
    settings = settings_in(tmp_path)
    publish(settings, "loans", change(loans()))
    with pytest.raises(JobError, match=message) as caught:
        train.run(write_project(tmp_path / "project", **project), settings)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "mlflow.db").exists()


def test_a_window_of_a_table_without_time_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish(settings, "loans", loans())
    project = write_project(tmp_path / "project", time=None, split={"kind": "stratified"})
    with pytest.raises(JobError, match="no `time` column to cut the data by"):
        train.run(project, settings, until=datetime(2026, 1, 20, tzinfo=UTC))


def test_overrides_replace_the_projects_words(tmp_path: Path) -> None:
    from serinus_jobs.project import load_model

    project = load_model(write_project(tmp_path))
    merged = train.overridden(project, None, {"max_features": 2}, {"max_depth": (1, 2, 3)}, 4).estimator
    assert merged.params == {"n_estimators": 10, "max_features": 2}
    assert (merged.grid, merged.trials) == ({"max_depth": [1, 2, 3]}, 4)
    other = train.overridden(project, "xgboost.XGBClassifier", None, None, None).estimator
    assert (other.class_, other.params, other.grid) == ("xgboost.XGBClassifier", {}, {})
    assert train.overridden(project, None, None, None, None) == project
