"""Cutting a search into parts: nothing lost, nothing twice, the same again."""

from typing import Any

import pytest

from serinus_jobs import search
from serinus_jobs.project import Estimator
from serinus_jobs.search import NOTHING, Known, Trial, key_of
from serinus_jobs.studies import covered

FOREST = "sklearn.ensemble.RandomForestClassifier"
DEPTHS = list(range(1, 31))


def estimator(trials: int = 0) -> Estimator:
    return Estimator(class_=FOREST, grid={"max_depth": DEPTHS}, trials=trials)


def score(params: dict[str, Any]) -> float:
    return -abs(params["max_depth"] - 13)


@pytest.mark.parametrize("of", [1, 2, 7, 30, 40])
def test_the_parts_of_a_grid_are_the_grid(of: int):
    parts = [search.part(estimator(), score, 7, NOTHING, index, of) for index in range(of)]
    assert sorted(trial.params["max_depth"] for part in parts for trial in part) == DEPTHS


def test_the_parts_of_a_sampled_search_share_its_trials_and_repeat():
    def made() -> list[list[Trial]]:
        return [search.part(estimator(10), score, 7, NOTHING, index, 3) for index in range(3)]

    first = made()
    assert [len(part) <= most for part, most in zip(first, (4, 3, 3), strict=True)] == [True] * 3
    assert made() == first
    assert first[0] != first[1]
    assert search.part(estimator(2), score, 7, NOTHING, 2, 3) == []


def test_what_is_known_is_not_scored_again():
    known = Known({key_of({"max_depth": depth}): score({"max_depth": depth}) for depth in DEPTHS[:20]})
    asked = []

    def counting(params: dict[str, Any]) -> float:
        asked.append(params["max_depth"])
        return score(params)

    trials = search.search(estimator(), counting, 7, known)
    assert trials == search.search(estimator(), score, 7)
    assert sorted(asked) == DEPTHS[20:]


def test_a_finished_sampled_search_is_taken_as_it_is_without_candidates_of_another_grid():
    scores = {key_of({"max_depth": depth}): score({"max_depth": depth}) for depth in (12, 3, 99)}
    scores[key_of({"n_estimators": 3})] = 5.0

    def never(params: dict[str, Any]) -> float:
        raise AssertionError(params)

    trials = search.search(estimator(5), never, 7, Known(scores, sampled=True))
    assert {trial.params["max_depth"] for trial in trials} == {3, 12}
    assert search.best(trials).params == {"max_depth": 12}


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (set(), False),
        ({"0/1"}, True),
        ({"0/2"}, False),
        ({"0/2", "1/2"}, True),
        ({"0/2", "1/3", "2/3"}, False),
        ({"0/2", "0/3", "1/3", "2/3"}, True),
    ],
)
def test_parts_cover_a_search_when_one_division_is_whole(parts: set[str], whole: bool):
    assert covered(parts) is whole
