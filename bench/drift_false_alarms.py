"""How often drift is called on streams that have none, and on streams that do: our verdict beside
Evidently's defaults (DataDriftPreset) on the same rows.

Each repetition draws a new reference and a new window of churn-like customers (nine features:
correlated ones, whole numbers with ties, missing values, categories), so the reference's own sampling
error is part of the game. Ours sees the reference's percentiles and counts, Evidently its rows.

"any" means at least one column was called drifted (our verdict); "half" is Evidently's own verdict on
the dataset, drift in at least half of the columns. Rates with 95 % Clopper-Pearson intervals.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta

from serinus_contracts.artifact import Input
from serinus_jobs.drift import compare
from serinus_jobs.drift_stats import decide, effective_rows
from serinus_jobs.live_features import LiveFeatures
from serinus_jobs.reference import describe

THRESHOLD, RATE = 0.1, 0.01
SIZES = (100, 1_000, 10_000, 100_000)
RUNS = {100: 400, 1_000: 400, 10_000: 150, 100_000: 40}
NUMBERS = (
    "age",
    "tenure_months",
    "monthly_charges",
    "total_charges",
    "num_support_tickets",
    "avg_support_tickets_30d",
    "payment_failures_30d",
)
CATEGORIES = {"plan": ("basic", "plus", "premium"), "contract": ("month", "year")}
INPUTS = (
    *(Input(name, "float64", default=0.0) for name in NUMBERS),
    *(Input(name, "string", default=values[0], allowed=values) for name, values in CATEGORIES.items()),
)
Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass
class Tally:
    """Repetitions and how many of them raised each alarm."""

    runs: int = 0
    any: int = 0
    half: int = 0
    seconds: float = 0.0

    def add(self, any_: bool, half: bool, seconds: float) -> None:
        """Count one repetition."""
        self.runs, self.any, self.half = self.runs + 1, self.any + any_, self.half + half
        self.seconds += seconds


def customers(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Return churn-like customers: total charges follow tenure and charge, tickets and failures a risk."""
    risk = generator.gamma(2.0, 0.5, rows)
    tenure = np.minimum(generator.geometric(1 / 30, rows), 600).astype(float)
    monthly = np.round(generator.gamma(6.0, 11.0, rows), 2)
    monthly[generator.random(rows) < 0.03] = np.nan
    tickets = generator.poisson(2 * risk).astype(float)
    return pd.DataFrame(
        {
            "age": generator.integers(18, 85, rows).astype(float),
            "tenure_months": tenure,
            "monthly_charges": monthly,
            "total_charges": tenure * np.where(np.isnan(monthly), 65.0, monthly),
            "num_support_tickets": tickets,
            "avg_support_tickets_30d": np.round(tickets / 3 * generator.uniform(0.8, 1.2, rows), 1),
            "payment_failures_30d": generator.poisson(0.2 * risk).astype(float),
            "plan": generator.choice(CATEGORIES["plan"], rows, p=[0.5, 0.35, 0.15]),
            "contract": np.where(generator.random(rows) < 0.6, "month", "year"),
        }
    )


def ours(before: pd.DataFrame, now: pd.DataFrame, entities: list[str] | None) -> bool:
    """Return our verdict, by the code of the drift verb."""
    reference = describe(before, INPUTS, np.zeros(len(before), dtype=np.int64), ("no", "yes"), {})
    live = LiveFeatures(
        rows=len(now),
        effective=float(len(now)) if entities is None else effective_rows(entities),
        numbers={name: now[name].to_numpy() for name in NUMBERS},
        categories={
            name: ({str(k): int(v) for k, v in now[name].value_counts().items()}, 0) for name in CATEGORIES
        },
        predictions={"no": len(now)},
    )
    return any(each.drifted for each in decide(compare(reference, live, THRESHOLD), RATE))


def preset(before: pd.DataFrame, now: pd.DataFrame) -> int:
    """Return how many columns Evidently's preset calls drifted, as it comes."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=list(CATEGORIES))
    snapshot = Report([DataDriftPreset()]).run(
        Dataset.from_pandas(now, data_definition=definition),
        Dataset.from_pandas(before, data_definition=definition),
    )
    counted = next(
        each for each in snapshot.dict()["metrics"] if "DriftedColumnsCount" in each["metric_name"]
    )
    return int(counted["value"]["count"])


def evidently(before: pd.DataFrame, now: pd.DataFrame) -> int:
    """Return the same as `preset` without its plots (which take most of a second): the test that
    Evidently chooses for each column, at that test's default threshold."""
    from evidently.legacy.calculations.stattests.registry import get_stattest

    drifted = 0
    for name in (*NUMBERS, *CATEGORIES):
        kind = "num" if name in NUMBERS else "cat"
        columns = before[name].dropna(), now[name].dropna()
        drifted += get_stattest(*columns, kind, None)(*columns, feature_type=kind, threshold=None).drifted
    return drifted


def measure(
    seed: int, references: int, rows: int, runs: int, change: Change | None, people: int = 0
) -> tuple[Tally, Tally]:
    """Return the tallies of ours and of Evidently, on the very same rows.

    With `people`, the window's rows are drawn from that many customers. The first repetition runs
    Evidently's preset too, and ends the benchmark where it counts other columns than `evidently`.
    """
    mine, theirs = Tally(), Tally()
    for repetition in range(runs):
        generator = np.random.default_rng([seed, repetition])
        before = customers(references, generator)
        entities = None
        if people:
            chosen = generator.integers(0, people, rows)
            now = customers(people, generator).iloc[chosen].reset_index(drop=True)
            entities = [str(each) for each in chosen]
        else:
            now = customers(rows, generator)
        if change is not None:
            now = change(now)
        begun = time.perf_counter()
        verdict = ours(before, now, entities)
        mine.add(verdict, False, time.perf_counter() - begun)
        begun = time.perf_counter()
        drifted = evidently(before, now)
        columns = len(NUMBERS) + len(CATEGORIES)
        theirs.add(drifted >= 1, drifted >= columns / 2, time.perf_counter() - begun)
        if repetition == 0 and (whole := preset(before, now)) != drifted:
            raise SystemExit(f"Evidently's preset calls {whole} columns drifted, its tests {drifted}")
    return mine, theirs


def shown(hits: int, runs: int) -> str:
    """Return a rate with its 95 % Clopper-Pearson interval, in per cent."""
    low = float(beta.ppf(0.025, hits, runs - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, runs - hits)) if hits < runs else 1.0
    return f"{hits / runs:6.1%} [{low:5.1%}, {high:6.1%}]"


def line(name: str, mine: Tally, theirs: Tally) -> None:
    """Print one row of a table."""
    print(
        f"{name:<38} {shown(mine.any, mine.runs)}  {shown(theirs.any, theirs.runs)}  "
        f"{shown(theirs.half, theirs.runs)}  {mine.runs:>5}  "
        f"{1000 * mine.seconds / mine.runs:6.1f} {1000 * theirs.seconds / theirs.runs:7.1f}",
        flush=True,
    )


def moved(share: float) -> Change:
    """Return a change that adds `share` standard deviations (27) to monthly_charges."""
    return lambda now: now.assign(monthly_charges=now["monthly_charges"] + 27.0 * share)


def mixed(share: float) -> Change:
    """Return a change that turns the first `share` of the basic plan's probability into premium."""

    def change(now: pd.DataFrame) -> pd.DataFrame:
        turned = (now["plan"] == "basic") & (np.arange(len(now)) % 1000 < 2000 * share)
        return now.assign(plan=now["plan"].mask(turned, "premium"))

    return change


def true_distance(change: Change) -> float:
    """Return the true distance of the column that the change moves, from a million customers."""
    before = customers(1_000_000, np.random.default_rng(1))
    now = change(before)
    plans = before["plan"].value_counts(normalize=True) - now["plan"].value_counts(normalize=True)
    grid = np.linspace(0, 300, 3001)
    charges = [np.searchsorted(np.sort(each["monthly_charges"].dropna()), grid) for each in (before, now)]
    return float(max(plans.abs().sum() / 2, np.abs(charges[0] - charges[1]).max() / len(before)))


def main() -> None:
    """Print false-alarm rates and power."""
    warnings.filterwarnings("ignore")
    begun = time.monotonic()
    print(f"Ours: effect above {THRESHOLD} with q < {RATE}. Evidently 0.7: DataDriftPreset() as it comes.")
    head = (
        f"{'':<38} {'ours, any column':<23}  {'Evidently, any column':<23}  "
        f"{'Evidently, half':<23}  {'runs':>5}  {'ms a run':>14}"
    )
    for references, method in ((1_000, "p < 0.05"), (5_000, "distance >= 0.1")):
        print(
            f"\nFalse alarms on stable streams, a reference of {references:,} rows (Evidently tests {method})"
        )
        print(head)
        for rows in SIZES:
            line(f"n = {rows:,}", *measure(references + rows, references, rows, RUNS[rows], None))
    people = measure(3, 5_000, 10_000, 100, None, people=200)
    line("n = 10,000 rows of 200 customers", *people)

    print("\nReal shifts of one column of nine, a reference of 5,000 rows: alarms")
    print(head)
    for rows in (1_000, 10_000):
        for name, changes in (("charges", [moved(s) for s in (0.1, 0.3, 0.6)]),
                              ("plans", [mixed(s) for s in (0.05, 0.15, 0.25)])):  # fmt: skip
            for i, change in enumerate(changes):
                label = f"n = {rows:,}, {name}, effect {true_distance(change):.2f}"
                line(label, *measure(100 + i, 5_000, rows, 40, change))
    print(f"\n{time.monotonic() - begun:.0f} s. An effect up to {THRESHOLD} is not drift by our definition.")


if __name__ == "__main__":
    main()
