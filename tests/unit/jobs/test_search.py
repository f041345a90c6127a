import math
import threading

import pytest

from serinus_jobs import search
from serinus_jobs.errors import JobError
from serinus_jobs.project import Estimator
from serinus_jobs.search import Trial

FOREST = "sklearn.ensemble.RandomForestClassifier"


def estimator(trials: int = 0, depths: tuple[int, ...] = (2, 4, 6)) -> Estimator:
    return Estimator(class_=FOREST, grid={"max_depth": list(depths)}, trials=trials)


def test_every_grid_point_is_scored_in_order() -> None:
    trials = search.search(estimator(), lambda params: -abs(params["max_depth"] - 4), 7)
    assert trials == [Trial({"max_depth": 2}, -2), Trial({"max_depth": 4}, 0), Trial({"max_depth": 6}, -2)]
    assert search.best(trials).params == {"max_depth": 4}


def test_ties_go_to_the_first_and_nan_never_wins() -> None:
    assert search.best([Trial({"a": 1}, math.nan), Trial({"a": 2}, 0.5), Trial({"a": 3}, 0.5)]).params == {
        "a": 2
    }
    assert search.best([Trial({"a": 1}, math.nan), Trial({"a": 2}, -math.inf)]).params == {"a": 1}


@pytest.mark.parametrize("trials", [0, 5])
def test_a_search_without_a_number_is_refused(trials: int) -> None:
    with pytest.raises(JobError, match="no candidate could be scored"):
        search.search(estimator(trials), lambda params: math.nan, 7)


def test_trials_are_sampled_with_a_seed_and_never_fitted_twice() -> None:
    depths = tuple(range(1, 21))
    asked: list[int] = []

    def score(params: dict[str, int]) -> float:
        asked.append(params["max_depth"])
        return -abs(params["max_depth"] - 13)

    first = search.search(estimator(12, depths), score, 7)
    assert len(asked) == len(set(asked)) == len(first) <= 12
    assert search.search(estimator(12, depths), score, 7) == first
    assert search.search(estimator(12, depths), score, 8) != first


def test_an_error_in_one_candidate_ends_the_search() -> None:
    def score(params: dict[str, int]) -> float:
        if params["max_depth"] == 4:
            raise JobError(f"fit failed in {threading.current_thread().name}")
        return 1.0

    with pytest.raises(JobError, match="fit failed"):
        search.search(estimator(), score, 7)
