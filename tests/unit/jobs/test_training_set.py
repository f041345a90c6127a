"""The training set is the same for the same rows, however they come, and cut exactly where asked."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.training import loans, publish, settings_in, write_project

from serinus_contracts.plan import OnDemand, OnlinePlan, PlanFeature, PlanView
from serinus_jobs import reference, training_set
from serinus_jobs.errors import JobError
from serinus_jobs.project import Feature, load_model
from serinus_jobs.training_set import TrainingSet


def loaded(folder: Path, frame: pd.DataFrame, **window: datetime) -> TrainingSet:
    settings = settings_in(folder)
    publish(settings, "loans", frame)
    return training_set.load(load_model(write_project(folder / "project")), settings, **window)


def test_rows_come_in_one_order_whatever_the_files_order(tmp_path: Path) -> None:
    frame = loans()
    one = loaded(tmp_path / "one", frame)
    two = loaded(tmp_path / "two", frame.sample(frac=1, random_state=1))
    assert one.digest == two.digest
    assert (one.matrix == two.matrix).all()
    assert (np.diff(one.times) >= np.timedelta64(0)).all()
    changed = loaded(tmp_path / "three", frame.assign(debt=frame["debt"].where(frame.index != 5, 1.0)))
    assert changed.digest != one.digest


def test_partitions_are_read_together(tmp_path: Path) -> None:
    frame = loans()
    whole = loaded(tmp_path / "whole", frame)
    folder = tmp_path / "parts" / "data" / "events" / "loans"
    for i, part in enumerate((frame[:150], frame[150:])):
        (folder / f"day=2026-01-0{i + 1}").mkdir(parents=True)
        part.to_parquet(folder / f"day=2026-01-0{i + 1}" / "part-0.parquet")
    project = load_model(write_project(tmp_path / "parts" / "project"))
    assert training_set.load(project, settings_in(tmp_path / "parts")).digest == whole.digest


@pytest.mark.parametrize("zone", ["UTC", None])
def test_the_window_is_closed_at_its_start_and_open_at_its_end(tmp_path: Path, zone: str | None) -> None:
    frame = loans()
    since, until = frame["at"][100].to_pydatetime(), frame["at"][200].to_pydatetime()
    if zone is None:
        frame["at"] = frame["at"].dt.tz_localize(None)
        since, until = since.replace(tzinfo=None), until.replace(tzinfo=None)
    found = loaded(tmp_path, frame, since=since, until=until)
    assert len(found.target) == 100
    assert found.times[0] == np.datetime64("2026-01-11T00:00")


def test_rows_without_a_label_or_outside_the_contract_are_counted(tmp_path: Path) -> None:
    frame = loans()
    frame.loc[:9, "bad"] = None
    frame.loc[10:14, "debt"] = 10_000.0
    frame.loc[20:24, "visits"] = None
    found = loaded(tmp_path, frame)
    assert (len(found.target), found.unlabelled, found.unusable) == (385, 10, 5)
    assert np.isfinite(found.matrix).all()
    assert len(found.frame) == 385
    assert found.frame["visits"].isna().sum() == 5


VIEW = PlanView("v", 60, (PlanFeature("stored", "DOUBLE", "00"),), "_ts:v", "t")
PLAN = OnlinePlan("p", "s", (), (VIEW,), (OnDemand("computed", "DOUBLE", "stored * 2"),), ("given",))


def test_the_plan_says_who_gives_an_input() -> None:
    features = tuple(
        Feature(name=name, type="float64", default=0.0) for name in ("stored", "computed", "given")
    )
    sources = [each.source for each in training_set.contract_inputs(features, PLAN)]
    assert sources == ["store", "on_demand", "request"]
    assert {each.source for each in training_set.contract_inputs(features, None)} == {"request"}


@pytest.mark.parametrize(
    ("without", "plan", "message"),
    [
        (("stored",), PLAN, "features.stored: comes from the online store, .* declare a `default`"),
        (("computed",), PLAN, "features.computed: is computed on demand, .* declare a `default`"),
        (("stored", "computed"), PLAN, "features.stored: .*; likewise computed"),
        (("given",), PLAN, None),
        (("stored", "computed", "given"), None, None),
    ],
)
def test_what_a_store_that_is_down_would_leave_open_needs_a_default(
    without: tuple[str, ...], plan: OnlinePlan | None, message: str | None
) -> None:
    features = tuple(
        Feature(name=name, type="float64", default=None if name in without else 0.0)
        for name in ("stored", "computed", "given")
    )
    if message is None:
        assert len(training_set.contract_inputs(features, plan)) == 3
        return
    with pytest.raises(JobError, match=message) as caught:
        training_set.contract_inputs(features, plan)
    assert caught.value.exit_code == 2


def test_falsy_defaults_are_defaults() -> None:
    features = (Feature(name="stored", type="float64", default=0.0),)
    assert training_set.contract_inputs(features, PLAN)[0].default == 0.0
    (flag,) = training_set.contract_inputs((Feature(name="stored", type="bool", default=False),), PLAN)
    assert flag.default is False


def test_reference_statistics_are_of_the_raw_values(tmp_path: Path) -> None:
    frame = loans(101)
    frame["debt"] = np.arange(101, dtype=float)
    frame["visits"] = pd.array([None, *[4] * 100], dtype="Int64")
    data = loaded(tmp_path, frame)
    described = reference.describe(
        data.frame, data.inputs, np.array([0, 0, 1]), ("no", "yes"), {"roc_auc": 0.8, "f1": float("nan")}
    )
    debt, visits = described.numeric
    assert (debt.count, debt.missing, debt.mean, debt.quantiles[0], debt.quantiles[50]) == (
        101,
        0,
        50.0,
        0.0,
        50.0,
    )
    assert len(debt.quantiles) == 101
    assert debt.std == pytest.approx(np.std(np.arange(101)))
    assert (visits.count, visits.missing, visits.mean) == (100, 1, 4.0)
    plan, member = described.categorical
    assert plan.counts == frame["plan"].value_counts().sort_index().to_dict()
    assert set(member.counts) == {"true", "false"}
    assert described.predictions == {"no": 2, "yes": 1}
    assert described.metrics == {"roc_auc": 0.8}


def test_naive_times_are_utc() -> None:
    from serinus_jobs.window_times import in_utc

    assert in_utc(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001  what a command line gives
    assert in_utc(None) is None
