"""Evidently's HTML of a drift report: its plots, our verdict.

Evidently compares two tables of rows, and a reference holds percentiles and counts. So the reference's
rows are drawn from those: evenly spaced quantiles, and categories in their shares. Live rows are
thinned evenly above ROWS. Both tables serve the plots alone: the distances and verdicts that the page
shows are those of the report, registered with Evidently as a test of its own.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

from serinus_contracts.drift_report import DriftReport, FeatureDrift
from serinus_contracts.reference import NumericReference, Reference
from serinus_jobs.drift_stats import Array
from serinus_jobs.live_features import LiveFeatures

ROWS = 5_000
_TEST = "serinus_distance"
_PREDICTION = "prediction"


def write_html(report: DriftReport, reference: Reference, live: LiveFeatures, path: Path) -> None:
    """Write Evidently's data drift page of `report` to `path`, whole or not at all."""
    tests = {each.name: each for each in report.features}
    if report.prediction:
        tests[_PREDICTION] = report.prediction
    _register(tests)
    numeric = [each.name for each in reference.numeric]
    definition = DataDefinition(
        numerical_columns=numeric, categorical_columns=[name for name in tests if name not in numeric]
    )
    preset = DataDriftPreset(
        columns=list(tests),
        per_column_method=dict.fromkeys(tests, _TEST),
        per_column_threshold={name: each.threshold for name, each in tests.items()},
        # One drifted feature is drift: false discoveries are controlled over all of them already.
        drift_share=1.0 / len(tests),
    )
    current = Dataset.from_pandas(_live_rows(live, report), data_definition=definition)
    before = Dataset.from_pandas(_reference_rows(reference, report), data_definition=definition)
    partial = path.with_suffix(".partial")
    Report([preset]).run(current, before).save_html(str(partial))
    os.replace(partial, path)


def _register(tests: Mapping[str, FeatureDrift]) -> None:
    def answer(
        reference: pd.Series, _current: pd.Series, _type: ColumnType, _limit: float
    ) -> tuple[float, bool]:
        known = tests[str(reference.name)]
        return known.effect, known.drifted

    test = StatTest(
        name=_TEST,
        display_name="distance (Kolmogorov-Smirnov or total variation), tested against its threshold",
        allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
    )
    register_stattest(test, answer)


def _reference_rows(reference: Reference, report: DriftReport) -> pd.DataFrame:
    columns: dict[str, object] = {each.name: _quantile_rows(each) for each in reference.numeric}
    for each in reference.categorical:
        columns[each.name] = _share_rows(each.counts, each.missing)
    if report.prediction:
        columns[_PREDICTION] = _share_rows(reference.predictions, 0)
    return pd.DataFrame(columns)


def _live_rows(live: LiveFeatures, report: DriftReport) -> pd.DataFrame:
    kept = np.unique(np.linspace(0, live.rows - 1, min(live.rows, ROWS)).astype(int))
    columns: dict[str, object] = {name: pd.Series(values[kept]) for name, values in live.numbers.items()}
    for name, (counts, missing) in live.categories.items():
        columns[name] = _share_rows(counts, missing, len(kept))
    if report.prediction:
        columns[_PREDICTION] = _share_rows(live.predictions, 0, len(kept))
    return pd.DataFrame(columns)


def _quantile_rows(each: NumericReference, rows: int = ROWS) -> Array:
    """Return `rows` values with the reference's percentiles and share missing. Where all percentiles are
    whole numbers no fraction is made up between them."""
    values = np.full(rows, np.nan)
    present = round(rows * each.count / max(each.count + each.missing, 1))
    grid = np.asarray(each.quantiles, dtype=float)
    if len(grid) and present:
        at = (np.arange(present) + 0.5) / present * (len(grid) - 1)
        whole = bool((grid == np.round(grid)).all())
        values[:present] = (
            grid[np.round(at).astype(int)] if whole else np.interp(at, np.arange(len(grid)), grid)
        )
    return values


def _share_rows(counts: Mapping[str, int], missing: int, rows: int = ROWS) -> list[str | None]:
    """Return `rows` categories in the shares of the counts, None for missing."""
    names: list[str | None] = [*counts, None]
    edges = np.cumsum([*counts.values(), missing])
    if not len(edges) or not edges[-1]:
        return [None] * rows
    at = (np.arange(rows) + 0.5) / rows * edges[-1]
    return [names[int(i)] for i in np.searchsorted(edges, at, side="right")]
