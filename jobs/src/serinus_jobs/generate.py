"""The verb `generate`: seeded churn events and labels, as the columns of `manifests/models/churn/data.yaml`.

One snapshot row per customer and day at midnight UTC, one label row per customer and week at some
moment between two snapshots. The same seed, start and size give the same bytes.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from serinus_jobs.errors import JobError
from serinus_jobs.population import Snapshot, churn_probability, day_generator, draw_profiles, snapshots

CUSTOMERS_FILE = "customers.parquet"
LABELS_FILE = "churn_labels.parquet"
# Shares of rows with a null charge, and of rows that reach the store days late.
_NULL_SHARE = 0.01
_LATE_SHARE = 0.01
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class GenerateResult:
    """What was written. `churn_rate` is the share of labels that are "yes"; `end` is exclusive."""

    customers: Path
    labels: Path
    rows: int
    label_rows: int
    churn_rate: float
    start: date
    end: date


def run(
    out: Path,
    *,
    customers: int = 1000,
    days: int = 90,
    seed: int = 7,
    start: date | None = None,
    shift: float = 0.0,
    origin: date | None = None,
) -> GenerateResult:
    """Write `out`/customers.parquet and `out`/churn_labels.parquet.

    start: first day; without it the window ends with the day before today (UTC), so that nothing lies
        in the future.
    shift: 0 is the world that a first model learns, 1 a clearly different one (features and their
        meaning both move).
    origin: the day at which this history began, `start` by default. To continue a history with the
        same customers give the first window's start here, and the later day as `start`.

    Raises JobError for sizes that make no table.
    """
    if not 1 <= customers <= 1_000_000 or not 1 <= days <= 3650:
        raise JobError("--customers takes 1 to 1000000 and --days 1 to 3650")
    if not 0.0 <= shift <= 1.0:
        raise JobError(f"--shift {shift}: must lie between 0 (none) and 1 (strong)")
    if seed < 0:
        raise JobError(f"--seed {seed}: must not be negative")
    first = start or datetime.now(UTC).date() - timedelta(days=days)
    offset = (first - (origin or first)).days
    if not 0 <= offset <= 3650:
        raise JobError(f"--origin {origin}: must lie 0 to 3650 days before --start {first}")
    events, labels = simulate(customers, days, seed, first, shift, offset)
    out.mkdir(parents=True, exist_ok=True)
    events.to_parquet(out / CUSTOMERS_FILE, index=False)
    labels.to_parquet(out / LABELS_FILE, index=False)
    return GenerateResult(
        customers=out / CUSTOMERS_FILE,
        labels=out / LABELS_FILE,
        rows=len(events),
        label_rows=len(labels),
        churn_rate=float((labels["churned"] == "yes").mean()),
        start=first,
        end=first + timedelta(days=days),
    )


def simulate(
    customers: int, days: int, seed: int, first: date, shift: float, offset: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (snapshot rows, label rows) of the window that begins `offset` days after the origin."""
    ids = np.arange(1, customers + 1, dtype=np.int64)
    midnight = pd.Timestamp(first, tz="UTC")
    rows, labels = [], []
    for i, snapshot in enumerate(snapshots(draw_profiles(customers, seed), seed, offset, days, shift)):
        morning = midnight + pd.Timedelta(days=i)
        rng = day_generator(seed, offset + i, 1)
        rows.append(_day_rows(ids, morning, snapshot, rng, days_left=days - i))
        labels.append(_day_labels(ids, morning, snapshot, rng, weekday=(offset + i) % 7, shift=shift))
    return pd.concat(rows, ignore_index=True), pd.concat(labels, ignore_index=True)


def _day_rows(
    ids: np.ndarray, morning: pd.Timestamp, at: Snapshot, rng: np.random.Generator, days_left: int
) -> pd.DataFrame:
    count = len(ids)
    delay = rng.integers(60, 3600, count)
    late = rng.random(count) < _LATE_SHARE
    delay += np.where(late, rng.integers(1, 4, count), 0) * _DAY_SECONDS
    # A row that would be created after the window's end comes on time instead.
    delay = np.where(delay >= days_left * _DAY_SECONDS, delay % 3600, delay)
    null_monthly, null_total = rng.random((2, count)) < _NULL_SHARE
    return pd.DataFrame(
        {
            "customer_id": ids,
            "event_timestamp": _moments(morning, np.zeros(count, dtype=np.int64)),
            "created_timestamp": _moments(morning, delay),
            "age": at.age,
            "tenure_months": at.tenure_months,
            "monthly_charges": np.where(null_monthly, np.nan, at.monthly_charges),
            "total_charges": np.where(null_total, np.nan, at.total_charges),
            "num_support_tickets": at.num_support_tickets,
            "avg_support_tickets_30d": at.avg_support_tickets_30d,
            "payment_failures_30d": at.payment_failures_30d,
        }
    )


def _day_labels(
    ids: np.ndarray, morning: pd.Timestamp, at: Snapshot, rng: np.random.Generator, weekday: int, shift: float
) -> pd.DataFrame:
    churned = rng.random(len(ids)) < churn_probability(at, shift)
    # After the snapshot is created and before the next one.
    moments = _moments(morning, rng.integers(2 * 3600, _DAY_SECONDS, len(ids)))
    due = ids % 7 == weekday
    frame = pd.DataFrame(
        {
            "customer_id": ids[due],
            "event_timestamp": moments[due],
            "churned": np.where(churned[due], "yes", "no"),
        }
    )
    return frame.sort_values(["event_timestamp", "customer_id"], ignore_index=True)


def _moments(morning: pd.Timestamp, seconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(morning + pd.to_timedelta(seconds, unit="s")).as_unit("us")


def command(
    out: Annotated[Path, typer.Option(help="folder for customers.parquet and churn_labels.parquet")],
    customers: Annotated[int, typer.Option(help="number of customers")] = 1000,
    days: Annotated[int, typer.Option(help="days in the window")] = 90,
    seed: Annotated[int, typer.Option(help="same seed and start, same bytes")] = 7,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first day")] = None,
    shift: Annotated[float, typer.Option(help="0 the usual world, 1 a clearly different one")] = 0.0,
    origin: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="start of the history to continue")
    ] = None,
) -> None:
    """Generate and say what was written."""
    result = run(
        out,
        customers=customers,
        days=days,
        seed=seed,
        start=start.date() if start else None,
        shift=shift,
        origin=origin.date() if origin else None,
    )
    print(f"{result.rows} snapshots in {result.customers}")
    print(f"{result.label_rows} labels in {result.labels}, {result.churn_rate:.1%} churned")
    print(f"window {result.start} to {result.end} (exclusive), UTC")
