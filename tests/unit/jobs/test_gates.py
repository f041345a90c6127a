"""Gates say yes only on evidence; whatever cannot be evaluated fails and says why."""

import numpy as np
import pytest

from serinus_jobs import gates
from serinus_jobs.gates import Scored
from serinus_jobs.project import Direction

ROWS = 400


def scored(skill: float, rows: int = ROWS, seed: int = 0, target: np.ndarray | None = None) -> Scored:
    """A model whose score is `skill` times the truth plus noise, the noise the same for all skills."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows) if target is None else target
    raw = skill * (truth - 0.5) + generator.normal(0, 1, rows)
    positive = 1 / (1 + np.exp(-raw))
    return Scored(truth, np.column_stack([1 - positive, positive]), 0.5)


ONE_CLASS = scored(2.0, target=np.zeros(ROWS, dtype=np.int64))
NOT_A_NUMBER = Scored(scored(1).target, np.full((ROWS, 2), np.nan), 0.5)


@pytest.mark.parametrize(
    ("model", "least", "passed", "detail"),
    [
        (scored(2.0), {"roc_auc": 0.75}, True, "at least 0.75 is needed (400 rows)"),
        (scored(0.2), {"roc_auc": 0.75}, False, "at least 0.75 is needed (400 rows)"),
        (scored(2.0, rows=19), {"accuracy": 0.1}, False, "cannot be evaluated: 19 rows, 20 are needed"),
        (ONE_CLASS, {"roc_auc": 0.1}, False, "cannot be evaluated: roc_auc is not a number"),
        (NOT_A_NUMBER, {"roc_auc": 0.1}, False, "cannot be evaluated: roc_auc is not a number"),
        (scored(2.0), {"roc_auc": float("nan")}, False, "at least nan"),
    ],
)
def test_minimum(model: Scored, least: dict[str, float], passed: bool, detail: str) -> None:
    (result,) = gates.minimum(model, least)
    assert result.passed is passed
    assert detail in result.detail
    assert result.name == f"minimum {next(iter(least))}"


@pytest.mark.parametrize(
    ("rows", "needed", "passed", "detail"),
    [
        (100, 50, True, "at least 0.6"),
        (30, 50, False, "cannot be evaluated: 30 rows, 50 are needed"),
        (0, 1, False, "cannot be evaluated: 0 rows"),
        (10, 1, False, "cannot be evaluated: 10 rows, 20 are needed"),
    ],
)
def test_slices(rows: int, needed: int, passed: bool, detail: str) -> None:
    mask = np.arange(ROWS) < rows
    (result,) = gates.slice_minimum(scored(2.0), {"new": mask}, {"roc_auc": 0.6}, needed)
    assert (result.name, result.passed) == ("slice new: roc_auc", passed)
    assert detail in result.detail


def test_a_slice_is_judged_on_its_own() -> None:
    good, bad = scored(3.0), scored(-3.0)
    half = np.arange(ROWS) < ROWS // 2
    mixed = Scored(good.target, np.where(half[:, None], good.probabilities, bad.probabilities), 0.5)
    first, second = gates.slice_minimum(mixed, {"a": half, "b": ~half}, {"roc_auc": 0.6}, 50)
    assert (first.passed, second.passed) == (True, False)


@pytest.mark.parametrize(
    ("new", "champion", "margin", "passed", "detail"),
    [
        (scored(2.0), scored(2.0), 0.0, True, "difference +0.0000"),
        (scored(2.5), scored(2.0), 0.02, True, "95% interval"),
        (scored(1.0), scored(2.0), 0.02, False, "lower end must be at least -0.0200"),
        (scored(-2.0), scored(2.0), 0.02, False, "lower end"),
        (scored(2, rows=19), scored(2, rows=19), 0.5, False, "19 rows, 20 are needed"),
        (ONE_CLASS, ONE_CLASS, 0.5, False, "not a number"),
        (NOT_A_NUMBER, scored(2.0), 0.5, False, "not a number"),
        (scored(2.0), NOT_A_NUMBER, 0.5, False, "not a number"),
        (scored(2.0), scored(2.0), float("nan"), False, "nan"),
    ],
)
def test_challenger(new: Scored, champion: Scored, margin: float, passed: bool, detail: str) -> None:
    result = gates.challenger(new, champion, "roc_auc", margin, seed=7, resamples=200)
    assert result.passed is passed
    assert detail in result.detail


def test_few_rows_widen_the_interval_until_the_challenger_fails() -> None:
    # Slightly worse: 2,000 rows are enough to show that it is within the margin, 60 are not.
    verdicts = {
        rows: gates.challenger(
            scored(1.95, rows),
            scored(2.0, rows, seed=1, target=scored(1, rows).target),
            "accuracy",
            0.1,
            7,
            200,
        ).passed
        for rows in (60, 2_000)
    }
    assert verdicts == {60: False, 2_000: True}


def test_the_interval_is_seeded_and_paired() -> None:
    one, two = scored(2.0), scored(1.9)
    assert gates.paired_interval(one, two, "roc_auc", 3, 100) == gates.paired_interval(
        one, two, "roc_auc", 3, 100
    )
    assert gates.paired_interval(one, two, "roc_auc", 3, 100) != gates.paired_interval(
        one, two, "roc_auc", 4, 100
    )
    # Their noise is the same, so the paired interval is far narrower than either model's own.
    low, high = gates.paired_interval(one, two, "roc_auc", 3, 200)
    assert high - low < 0.02


def test_the_interval_covers_the_true_difference() -> None:
    # 95 % nominal; 60 seeds make 48 or more a near certainty (binomial tail below 1e-5).
    covered = 0
    truth = 0.0
    for seed in range(60):
        target = np.random.default_rng(seed).integers(0, 2, 300)
        low, high = gates.paired_interval(
            scored(1.5, 300, seed, target), scored(1.5, 300, seed + 1000, target), "accuracy", seed, 200
        )
        covered += low <= truth <= high
    assert covered >= 48


BEFORE = np.full(100, 0.4)


@pytest.mark.parametrize(
    ("expect", "share", "after", "passed"),
    [
        ("up", 0.8, BEFORE + 0.1, True),
        ("up", 0.8, BEFORE, False),
        ("up", 0.8, BEFORE - 0.1, False),
        ("up", 0.8, np.where(np.arange(100) < 79, 0.5, 0.4), False),
        ("up", 0.8, np.where(np.arange(100) < 80, 0.5, 0.4), True),
        ("down", 0.8, BEFORE - 0.1, True),
        ("down", 0.8, BEFORE + 0.1, False),
        ("none", 0.9, BEFORE + 0.0005, True),
        ("none", 0.9, BEFORE + 0.1, False),
        ("none", 0.0, np.full(100, np.nan), False),
        ("up", 0.0, np.full(100, np.nan), False),
    ],
)
def test_direction(expect: str, share: float, after: np.ndarray, passed: bool) -> None:
    wanted = Direction(feature="debt", change=2, expect=expect, share=share)  # type: ignore[arg-type]
    assert gates.direction(wanted, BEFORE, after).passed is passed


def test_a_direction_without_rows_fails() -> None:
    result = gates.direction(Direction(feature="debt", change=2, expect="none"), np.empty(0), np.empty(0))
    assert not result.passed
    assert result.detail == "cannot be evaluated: 0 rows can be changed so, 20 are needed"
