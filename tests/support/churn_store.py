"""The churn feature repository over small tables that a test writes row by row."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from serinus_jobs.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2] / "feature_repo"
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
VALUES: dict[str, Any] = {
    "age": 40,
    "tenure_months": 24,
    "monthly_charges": 50.0,
    "total_charges": 1000.0,
    "num_support_tickets": 3,
    "avg_support_tickets_30d": 0.2,
    "payment_failures_30d": 2,
}


def settings(home: Path, online_store: str = "") -> Settings:
    return Settings(data=home, feature_repo=REPOSITORY, tracking_uri="", online_store=online_store)


def own_repository(folder: Path) -> Path:
    """Copy the repository into `folder`, where a test may change it, and return the folder."""
    folder.mkdir(parents=True)
    for path in REPOSITORY.glob("*.*"):
        (folder / path.name).write_text(path.read_text())
    return folder


def row(customer: int, event: datetime, created: datetime | None = None, **values: Any) -> dict[str, Any]:
    """Return one snapshot; what is not given is VALUES, and it was created at its event."""
    times = {"event_timestamp": event, "created_timestamp": created or event}
    return {"customer_id": customer, **times, **VALUES, **values}


def write(to: Settings, rows: Sequence[dict[str, Any]], part: str = "part-0") -> None:
    """Write snapshots into the ingested table's day partitions, as one part of each day."""
    frame = pd.DataFrame(rows)
    for column in ("event_timestamp", "created_timestamp"):
        frame[column] = pd.DatetimeIndex(frame[column]).as_unit("us")
    for name in ("age", "tenure_months", "num_support_tickets", "payment_failures_30d"):
        frame[name] = frame[name].astype("Int64")
    for name in ("monthly_charges", "total_charges", "avg_support_tickets_30d"):
        frame[name] = frame[name].astype("float64")
    for day, each in frame.groupby(frame["event_timestamp"].dt.date):
        folder = to.events("customers") / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        each.to_parquet(folder / f"{part}.parquet", index=False)
