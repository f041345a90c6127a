"""The generated world: seeded, continuable, in the declared shape, and shifted when asked to."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serinus_jobs import cli, generate
from serinus_jobs.errors import JobError
from serinus_jobs.project import load_data

START = date(2026, 3, 2)
CHURN = Path(__file__).resolve().parents[3] / "manifests/models/churn"


def tables(out: Path, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    result = generate.run(out, **{"customers": 50, "days": 10, "start": START, **options})
    return pd.read_parquet(result.customers), pd.read_parquet(result.labels)


def test_the_same_seed_and_start_give_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        generate.run(tmp_path / name, customers=30, days=5, start=START)
    for file in (generate.CUSTOMERS_FILE, generate.LABELS_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_seed_gives_other_customers(tmp_path: Path):
    first, _ = tables(tmp_path / "a", seed=1)
    second, _ = tables(tmp_path / "b", seed=2)
    assert not first["monthly_charges"].equals(second["monthly_charges"])


def test_columns_are_those_that_the_project_declares(tmp_path: Path):
    customers, labels = tables(tmp_path)
    declared = load_data(CHURN).tables
    assert list(customers.columns) == list(declared["customers"].columns)
    assert list(labels.columns) == list(declared["churn_labels"].columns)


def test_one_snapshot_a_day_and_one_label_a_week(tmp_path: Path):
    customers, labels = tables(tmp_path, days=14)
    assert len(customers) == 50 * 14
    assert not customers.duplicated(["customer_id", "event_timestamp"]).any()
    assert labels.groupby("customer_id").size().tolist() == [2] * 50
    gaps = labels.sort_values("event_timestamp").groupby("customer_id")["event_timestamp"].diff().dropna()
    assert gaps.between(pd.Timedelta(days=6), pd.Timedelta(days=8)).all()


def test_rows_are_created_after_their_event_and_a_few_days_late(tmp_path: Path):
    customers, _ = tables(tmp_path, customers=500)
    delay = customers["created_timestamp"] - customers["event_timestamp"]
    assert (delay >= pd.Timedelta(seconds=60)).all()
    assert 0.001 < (delay > pd.Timedelta(days=1)).mean() < 0.03
    assert customers["created_timestamp"].max() < pd.Timestamp(START + timedelta(days=10), tz="UTC")


def test_a_few_charges_are_null_and_nothing_else_is(tmp_path: Path):
    customers, labels = tables(tmp_path, customers=500)
    nulls = customers.isna().mean()
    assert 0 < nulls["monthly_charges"] < 0.03
    assert 0 < nulls["total_charges"] < 0.03
    assert nulls.drop(["monthly_charges", "total_charges"]).eq(0).all()
    assert labels.notna().all().all()


def test_without_a_start_the_window_ends_with_yesterday(tmp_path: Path):
    before = datetime.now(UTC).date()
    result = generate.run(tmp_path, customers=3, days=2)
    assert before <= result.end <= datetime.now(UTC).date()
    assert pd.read_parquet(result.labels)["event_timestamp"].max() < pd.Timestamp(result.end, tz="UTC")


def test_a_continued_history_agrees_where_windows_overlap(tmp_path: Path):
    whole, _ = tables(tmp_path / "whole", days=20)
    later, _ = tables(tmp_path / "later", days=10, start=START + timedelta(days=10), origin=START)
    overlap = whole[whole["event_timestamp"] >= pd.Timestamp(START + timedelta(days=10), tz="UTC")]
    kept = ["customer_id", "age", "tenure_months", "num_support_tickets", "payment_failures_30d"]
    pd.testing.assert_frame_equal(overlap[kept].reset_index(drop=True), later[kept])
    np.testing.assert_allclose(
        overlap["total_charges"].to_numpy(), later["total_charges"].to_numpy(), atol=0.02
    )


def test_rolling_features_are_sums_over_the_days_before(tmp_path: Path):
    customers, _ = tables(tmp_path, customers=200, days=40)
    one = customers.pivot(index="event_timestamp", columns="customer_id", values="num_support_tickets")
    tickets = one.diff().iloc[1:]  # tickets of the day before each morning
    window = tickets.rolling(30).sum().dropna() / 30
    stored = customers.pivot(
        index="event_timestamp", columns="customer_id", values="avg_support_tickets_30d"
    ).loc[window.index]
    np.testing.assert_allclose(window.to_numpy(), stored.to_numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"customers": 0}, "--customers"),
        ({"days": 0}, "--days"),
        ({"days": 4000}, "--days"),
        ({"shift": -0.1}, "--shift"),
        ({"shift": float("nan")}, "--shift"),
        ({"seed": -1}, "--seed"),
        ({"origin": START + timedelta(days=1)}, "--origin"),
    ],
)
def test_sizes_that_make_no_table_are_refused(tmp_path: Path, options: dict[str, object], message: str):
    with pytest.raises(JobError, match=message):
        tables(tmp_path, **options)


def test_the_verb_prints_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--out", str(tmp_path), "--customers", "7", "--days", "7", "--start", "2026-03-02"]
    with pytest.raises(SystemExit) as done:
        cli.main(["generate", *arguments])
    assert done.value.code in (0, None)
    printed = capsys.readouterr().out
    assert "49 snapshots" in printed
    assert "7 labels" in printed
    assert "2026-03-02 to 2026-03-09" in printed
