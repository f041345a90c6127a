"""The published list: what is refused before any training, and the page that is rendered from it."""

from typing import Any

import pytest
from tests.support.training import ROOT

from serinus_jobs import estimators
from serinus_jobs.errors import JobError
from serinus_jobs.project import Estimator

FOREST = "sklearn.ensemble.RandomForestClassifier"


def wanted(path: str = FOREST, **given: Any) -> Estimator:
    return Estimator(class_=path, **given)


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.ensemble.RandomForestRegressor",
        "os.system",
        "",
        "RandomForestClassifier",
    ],
)
def test_an_estimator_that_is_not_listed_is_refused_with_the_list(path: str) -> None:
    with pytest.raises(JobError, match="is not trained") as caught:
        estimators.candidates(wanted(path))
    assert all(each.path in str(caught.value) for each in estimators.ALLOWED)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"path": "xgboost.XGBClassifier", "params": {"learning_rate": -1}},
            "learning_rate: -1 lies outside",
        ),
        (
            {"path": "xgboost.XGBClassifier", "params": {"n_estimators": 10**9}},
            "1000000000 lies outside 1 to 5000",
        ),
        ({"path": "lightgbm.LGBMClassifier", "params": {"epochs": 10**9}}, "has no such parameter"),
        ({"params": {"epochs": 10**9}}, "has no such parameter"),
        ({"grid": {"max_depth": [1, 2, 10**9]}}, "estimator.grid.max_depth: 1000000000 lies outside"),
        ({"params": {"max_depth": float("nan")}}, "max_depth: nan lies outside"),
        ({"params": {"max_depth": {"a": 1}}}, "must be a plain value, got dict"),
        ({"grid": {"max_depth": []}}, "estimator.grid.max_depth: is empty"),
        ({"grid": {"max_depth": [1, 2]}}, "2 combinations; give 3 to 200"),
        ({"grid": {"max_depth": list(range(1, 61)), "min_samples_leaf": [1, 2, 3, 4]}}, "240 combinations"),
    ],
)
def test_parameters_are_checked_before_training(given: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError, match=message):
        estimators.candidates(wanted(**given))


def test_a_grid_is_taken_in_order() -> None:
    found = estimators.candidates(wanted(grid={"max_depth": [2, 4], "min_samples_leaf": [1, 5]}))
    assert found == [
        {"max_depth": 2, "min_samples_leaf": 1},
        {"max_depth": 2, "min_samples_leaf": 5},
        {"max_depth": 4, "min_samples_leaf": 1},
        {"max_depth": 4, "min_samples_leaf": 5},
    ]


def test_a_large_grid_is_left_to_trials() -> None:
    large = {"max_depth": list(range(1, 61)), "min_samples_leaf": [1, 2, 3, 4]}
    assert estimators.candidates(wanted(grid=large, trials=5)) == []


@pytest.mark.parametrize("each", estimators.ALLOWED, ids=lambda each: each.path)
def test_every_listed_estimator_has_a_grid_and_builds(each: estimators.Exportable) -> None:
    found = estimators.candidates(wanted(each.path))
    assert len(found) >= estimators.SMALLEST_GRID
    built = estimators.build(wanted(each.path), found[0], seed=11)
    settings = built.get_params()
    assert settings["random_state"] == 11
    for name, value in {**each.defaults, **found[0]}.items():
        assert settings[name] == value


def test_params_win_over_the_seed_and_the_choice_over_params() -> None:
    built = estimators.build(wanted(params={"random_state": 3, "max_depth": 9}), {"max_depth": 2}, seed=11)
    assert (built.random_state, built.max_depth) == (3, 2)


def test_the_page_is_rendered_from_the_list() -> None:
    page = ROOT / "docs" / "reference" / "estimators.md"
    assert page.read_text() == estimators.render(), (
        "run: python -c 'from serinus_jobs import estimators; print(estimators.render(), end=\"\")' "
        "> docs/reference/estimators.md"
    )
