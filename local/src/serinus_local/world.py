"""The world outside: what happens to the customers, what they ask, and what later turns out to be true."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from serinus_contracts.records import LabelRecord
from serinus_jobs import generate
from serinus_local.load import Outcome, Request

ROW_FEATURES = (
    "age", "tenure_months", "monthly_charges", "total_charges", "num_support_tickets",
    "avg_support_tickets_30d", "payment_failures_30d",
)  # fmt: skip
# One request in so many carries the whole row; the others carry the key and are looked up.
_WHOLE_ROW_EVERY = 5
_TRUTH_DAYS = 7


@dataclass(frozen=True)
class Window:
    """One stretch of history and what became of the customers in the week after it. `truth` maps a
    customer to yes or no."""

    events: Path
    labels: Path
    end: date
    truth: dict[str, str]
    rows: int

    @property
    def end_time(self) -> datetime:
        """The window's end, exclusive, UTC."""
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC)


class World:
    """One seeded population and its history, window after window."""

    def __init__(self, folder: Path, *, customers: int, seed: int, origin: date) -> None:
        self._folder = folder
        self._customers = customers
        self._seed = seed
        self._origin = origin
        self._next = origin

    def live(self, days: int, shift: float = 0.0) -> Window:
        """Let `days` more pass. Labels are drawn weekly, so a week more is simulated for the truth."""
        start = self._next
        self._next = start + timedelta(days=days)
        past = self._generate(start, days, shift, f"{start}")
        future = self._generate(self._next, _TRUTH_DAYS, shift, f"{self._next}-truth")
        told = pd.read_parquet(future.labels)
        truth = dict(zip(told["customer_id"].astype(str), told["churned"], strict=True))
        return Window(past.customers, past.labels, self._next, truth, past.rows)

    def traffic(self, window: Window, model: str) -> list[Request]:
        """Return the requests of all customers as they are at the window's end, in seeded order."""
        frame = pd.read_parquet(window.events, columns=["customer_id", "event_timestamp", *ROW_FEATURES])
        newest = frame[frame["event_timestamp"] == frame["event_timestamp"].max()]
        order = np.random.default_rng([self._seed, len(frame)]).permutation(len(newest))
        path = f"/v1/models/{model}:predict"
        requests = []
        for i, row in enumerate(newest.iloc[order].to_dict("records")):
            customer = int(row["customer_id"])
            instance: dict[str, object] = {"customer_id": customer}
            if i % _WHOLE_ROW_EVERY == 0:
                instance = {name: None if pd.isna(row[name]) else row[name] for name in ROW_FEATURES}
            requests.append(Request(path, json.dumps({"instances": [instance]}).encode(), str(customer)))
        return requests

    def _generate(self, start: date, days: int, shift: float, name: str) -> generate.GenerateResult:
        return generate.run(
            self._folder / name,
            customers=self._customers,
            days=days,
            seed=self._seed,
            start=start,
            shift=shift,
            origin=self._origin,
        )


def labels_of(outcomes: list[Outcome], truth: dict[str, str], observed_at: float) -> list[LabelRecord]:
    """Return the truth about every answered prediction, as it becomes known at `observed_at`."""
    return [
        LabelRecord(each.prediction_id, truth[each.entity], observed_at)
        for each in outcomes
        if each.status == 200 and each.entity in truth
    ]


def write_labels(path: Path, labels: list[LabelRecord]) -> None:
    """Write labels as the JSON lines that `serinus-jobs labels` takes."""
    lines = (
        json.dumps(
            {"prediction_id": each.prediction_id, "label": each.label, "observed_at": each.observed_at}
        )
        for each in labels
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def swap_labels(source: Path, target: Path) -> None:
    """Write a label table in which yes and no are exchanged: the mistake behind the silently wrong model."""
    frame = pd.read_parquet(source)
    frame["churned"] = frame["churned"].map({"yes": "no", "no": "yes"})
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(target, index=False)
