"""The churn repository through our door: training frames, materialization on SQLite, the plan."""

import os
import sqlite3
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.churn_store import DAY, NOON, REPOSITORY, VALUES, own_repository, row, settings, write

from serinus_contracts.expressions import names, typed
from serinus_contracts.plan import OnlinePlan
from serinus_jobs import materialize
from serinus_jobs.errors import JobError
from serinus_jobs.feature_store import FeatureStore
from serinus_jobs.offline.repository import online_options

STORED = tuple(VALUES)
COMPUTED = ("usage_vs_avg", "high_risk_score")


@pytest.fixture(scope="module")
def churn_plan(tmp_path_factory: pytest.TempPathFactory) -> OnlinePlan:
    store = FeatureStore(settings(tmp_path_factory.mktemp("plan")))
    store.apply()
    return store.plan("churn")


def labels(*rows: tuple[int, datetime]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "event_timestamp"])
    return frame.assign(churned="no")


def test_a_training_frame_keeps_labels_and_adds_the_services_features(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON - DAY), row(2, NOON - 8 * DAY, monthly_charges=None)])
    store = FeatureStore(to)
    store.apply()
    frame = store.training_frame("churn", labels((2, NOON), (1, NOON)))
    assert list(frame.columns) == ["customer_id", "event_timestamp", "churned", *STORED, *COMPUTED]
    first, second = frame.to_dict("records")
    assert second["usage_vs_avg"] == 50.0 / (1000.0 / 24)
    assert second["high_risk_score"] == pytest.approx(0.7)
    assert first["age"] == 40, "profile lives 30 days"
    assert np.isnan(first["payment_failures_30d"]), "behaviour lives 7 days"
    assert np.isnan(first["usage_vs_avg"])
    assert np.isnan(first["high_risk_score"])


def test_a_column_without_any_value_is_numeric_all_the_same(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON, tenure_months=0)])
    store = FeatureStore(to)
    store.apply()
    assert store.training_frame("churn", labels((1, NOON)))["usage_vs_avg"].dtype == np.float64


def test_a_view_without_any_value_is_refused_with_its_name(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON - DAY, created=NOON + DAY)])
    store = FeatureStore(to)
    store.apply()
    with pytest.raises(JobError, match=r"customer_profile: no label row has any value.*created_timestamp"):
        store.training_frame("churn", labels((1, NOON)))


def test_a_service_that_was_not_applied_is_named(tmp_path: Path):
    store = FeatureStore(settings(tmp_path))
    with pytest.raises(JobError, match="'churn' is not in the registry"):
        store.plan("churn")


def test_apply_twice_changes_nothing_and_leaves_no_trace_in_the_process(tmp_path: Path):
    to = settings(tmp_path)
    store = FeatureStore(to)
    before = dict(os.environ), list(sys.path)
    store.apply()
    first = store.plan("churn")
    store.apply()
    assert store.plan("churn") == first
    assert (dict(os.environ), list(sys.path)) == before
    assert not {"entities", "sources", "views", "services", "on_demand"} & set(sys.modules)


def test_a_registry_in_a_database(tmp_path: Path):
    to = replace(settings(tmp_path), feast_registry=f"sqlite:///{tmp_path}/feast.db")
    FeatureStore(to).apply()
    assert FeatureStore(to).plan("churn").feature_service == "churn"
    with sqlite3.connect(tmp_path / "feast.db") as stored:
        assert stored.execute("SELECT count(*) FROM feature_views").fetchone() == (2,)


def test_what_the_repository_no_longer_declares_is_unregistered(tmp_path: Path):
    repository = own_repository(tmp_path / "repository")
    to = replace(settings(tmp_path / "data"), feature_repo=repository)
    FeatureStore(to).apply()
    services = repository / "services.py"
    services.write_text(
        services.read_text() + 'young = FeatureService(name="young", features=[customer_profile])\n'
    )
    FeatureStore(to).apply()
    assert [view.name for view in FeatureStore(to).plan("young").views] == ["customer_profile"]
    services.write_text((REPOSITORY / "services.py").read_text())
    FeatureStore(to).apply()
    with pytest.raises(JobError, match="there: churn"):
        FeatureStore(to).plan("young")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("views.py", "import nothing_like_this", "services.py: ModuleNotFoundError|views.py"),
        ("feature_store.yaml", "project: [", "feature_store.yaml"),
        ("feature_store.yaml", "project: x", "feature_store.yaml"),
        ("on_demand.yaml", "v: {sources: [nobody], features: []}", "no view 'nobody'"),
        (
            "on_demand.yaml",
            "v: {sources: [], features: [{name: a, type: float64, expression: b}]}",
            "reads b",
        ),
        ("on_demand.yaml", "v: {sources: [], features: [{name: a, type: int, expression: b}]}", "type 'int'"),
        (
            "on_demand.yaml",
            "v: {sources: [], features: [{name: a, type: float64, expression: open(b)}]}",
            "v.a: only abs",
        ),
    ],
)
def test_a_broken_repository_is_named(tmp_path: Path, name: str, text: str, message: str):
    repository = own_repository(tmp_path / "repository")
    (repository / name).write_text(text)
    with pytest.raises(JobError, match=message):
        FeatureStore(replace(settings(tmp_path / "data"), feature_repo=repository)).apply()


def test_a_missing_repository_is_named(tmp_path: Path):
    with pytest.raises(JobError, match="set SERINUS_FEATURE_REPO"):
        FeatureStore(replace(settings(tmp_path), feature_repo=tmp_path / "none"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/online.db", {"type": "sqlite", "path": "/data/online.db"}),
        ("sqlite:////data/online.db", {"type": "sqlite", "path": "/data/online.db"}),
        ("redis://store:7000/2", "store:7000,db=2"),
        ("redis://store", "store:6379,db=0"),
        ("rediss://me:12%33@store/1", 'store:6379,db=1,username="me",password="123",ssl=true'),
    ],
)
def test_online_store_addresses(url: str, expected: object):
    options = online_options(url)
    assert (options if options["type"] == "sqlite" else options["connection_string"]) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite://relative.db",
        "sqlite:///",
        "redis://",
        "redis://h/x",
        "redis://h:x",
        "http://h",
        "redis://u:a,b@h",
        "redis://h?ssl_ca_certs=/ca.crt",
    ],
)
def test_other_online_store_addresses_are_refused(url: str):
    with pytest.raises(JobError, match="SERINUS_ONLINE_STORE"):
        online_options(url)


def test_a_password_is_never_shown():
    with pytest.raises(JobError) as refused:
        online_options("http://me:hidden@h")
    assert "hidden" not in str(refused.value)


def test_the_plan_holds_what_feast_stores(tmp_path: Path, churn_plan: OnlinePlan):
    assert [view.name for view in churn_plan.views] == ["customer_profile", "customer_behaviour"]
    assert [feature.name for view in churn_plan.views for feature in view.features] == list(STORED)
    assert [view.ttl_seconds for view in churn_plan.views] == [30 * 86_400, 7 * 86_400]
    assert [each.name for each in churn_plan.on_demand] == list(COMPUTED)
    assert [(key.name, key.value_type) for key in churn_plan.join_keys] == [("customer_id", "INT64")]
    to = settings(tmp_path)
    write(to, [row(1, NOON)])
    materialize.run(to, until=NOON)
    with sqlite3.connect(tmp_path / "online.db") as stored:
        for view in churn_plan.views:
            found = stored.execute(f'SELECT feature_name FROM "{view.table}"').fetchall()
            assert {name for (name,) in found} == {feature.name for feature in view.features}


def test_the_stores_on_demand_values_are_the_servers(tmp_path: Path, churn_plan: OnlinePlan):
    rng = np.random.default_rng(4)
    to, count = settings(tmp_path), 300
    rows = [
        row(
            customer, NOON,
            tenure_months=int(rng.choice([0, 1, 5, 6, 40])),
            monthly_charges=rng.choice([None, 0.0, 12.5, 1e308]),
            total_charges=rng.choice([None, 0.0, 1e-308, 300.0]),
            avg_support_tickets_30d=rng.choice([0.0, 0.1, 0.5]),
            payment_failures_30d=rng.choice([None, 1, 2]),
        )
        for customer in range(count)
    ]  # fmt: skip
    write(to, rows)
    materialize.run(to, until=NOON)
    store = FeatureStore(to)
    online = store.online("churn", [{"customer_id": customer} for customer in range(count)])
    frame = store.training_frame("churn", labels(*((customer, NOON) for customer in range(count))))
    nulls = 0
    for each in churn_plan.on_demand:
        evaluate, read = typed(each.expression, each.value_type), names(each.expression)
        expected = [evaluate(*(r[name] for name in read)) for r in rows]
        assert online[each.name] == expected
        historical = frame[each.name].astype(object).where(frame[each.name].notna(), None)
        assert historical.tolist() == expected
        nulls += expected.count(None)
    assert 100 < nulls < 2 * count
