"""From Feast's objects to the plan: what it takes in, what it refuses, request values and chains."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from feast import FeatureService, OnDemandFeatureView
from feast.transformation.python_transformation import PythonTransformation
from tests.support.churn_store import REPOSITORY
from tests.support.feast_repo import ORIGIN, OURS, entity, open_store, view

from serinus_contracts.plan import OnDemand, OnlinePlan
from serinus_jobs.errors import JobError
from serinus_jobs.offline.planning import online_plan
from serinus_jobs.offline.repository import contents

DECLARATIONS = """
extras:
  sources: [a]
  request: {basket: float64, city: string}
  features:
    - {name: rounded, type: int64, expression: a_amount // 1}
    - {name: share, type: float64, expression: basket / rounded}
    - {name: local, type: bool, expression: a_city == city}
    - {name: unused, type: float64, expression: a_visits * 2}
"""


@pytest.fixture
def on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The module feature_repo/on_demand.py, imported as Feast would."""
    monkeypatch.syspath_prepend(str(REPOSITORY))
    import on_demand

    yield on_demand
    import sys

    del sys.modules["on_demand"]


def plan_of(store, service: str) -> OnlinePlan:
    return online_plan(
        store.config,
        store.get_feature_service(service),
        {each.name: each for each in store.list_feature_views()},
        {each.name: each for each in store.list_on_demand_feature_views()},
    )


def test_request_values_and_features_that_read_others(tmp_path: Path, on_demand):
    (tmp_path / "declared.yaml").write_text(DECLARATIONS)
    customer = entity()
    a = view("a", tmp_path / "a.parquet", timedelta(days=1), customer)
    (extras,) = on_demand.declared_views(a, path=tmp_path / "declared.yaml")
    services = [
        FeatureService(name="all", features=[a, extras]),
        FeatureService(name="few", features=[a[["a_visits"]], extras[["share"]]]),
    ]
    store = open_store(tmp_path / "store", OURS, [customer, a, extras, *services])
    pd.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "event_timestamp": ORIGIN,
            "created_timestamp": ORIGIN,
            "a_amount": [4.7, 0.2, None],
            "a_visits": [1, 2, 3],
            "a_city": ["Bern", "Zug", None],
        }
    ).to_parquet(tmp_path / "a.parquet", index=False)
    labels = pd.DataFrame(
        {"customer_id": [1, 2, 3], "event_timestamp": ORIGIN, "basket": [8.0, 8.0, 8.0], "city": "Bern"}
    )
    answer = store.get_historical_features(labels, store.get_feature_service("all")).to_arrow().to_pydict()
    assert answer["rounded"] == [4, 0, None]
    assert answer["share"] == [2.0, None, None]
    assert answer["local"] == [True, False, None]

    plan = plan_of(store, "all")
    assert plan.request == ("basket", "city")
    assert [each.name for each in plan.on_demand] == ["rounded", "share", "local", "unused"]
    assert [each.value_type for each in plan.on_demand] == ["INT64", "DOUBLE", "BOOL", "DOUBLE"]

    few = plan_of(store, "few")
    assert few.on_demand == (
        OnDemand("rounded", "INT64", "a_amount // 1"),
        OnDemand("share", "DOUBLE", "basket / rounded"),
    ), "what it reads comes first, what nobody asked for does not come"
    assert [feature.name for each in few.views for feature in each.features] == ["a_visits", "a_amount"]


def test_the_registry_sees_that_an_expression_changed(tmp_path: Path, on_demand):
    path = tmp_path / "declared.yaml"
    customer = entity()
    a = view("a", tmp_path / "a.parquet", None, customer)
    plans = []
    store = open_store(tmp_path / "store", OURS, [customer, a])
    for expression in ("a_amount * 2", "a_amount * 3"):
        path.write_text(DECLARATIONS.replace("a_visits * 2", expression))
        (extras,) = on_demand.declared_views(a, path=path)
        store.apply([customer, a, extras, FeatureService(name="all", features=[a, extras])])
        plans.append(plan_of(store, "all").on_demand[-1].expression)
    assert plans == ["a_amount * 2", "a_amount * 3"]


def test_what_a_server_could_not_read_is_refused(tmp_path: Path):
    customer, shop = entity("customer"), entity("shop")
    a = view("a", tmp_path / "a.parquet", None, customer)
    b = view("b", tmp_path / "b.parquet", None, shop)
    by_hand = OnDemandFeatureView(
        name="by_hand",
        sources=[a],
        schema=[a.features[0].__class__(name="twice", dtype=a.features[0].dtype)],
        mode="python",
        feature_transformation=PythonTransformation(
            udf=lambda inputs: {"twice": inputs["a_amount"]}, udf_string="lambda inputs: inputs"
        ),
    )
    services = [
        FeatureService(name="two_keys", features=[a, b]),
        FeatureService(name="alias", features=[a.with_name("other")]),
        FeatureService(name="mapped", features=[a.with_join_key_map({"customer_id": "sender"})]),
        FeatureService(name="by_hand", features=[a, by_hand]),
    ]
    objects = {each.name: each for each in (a, b)}
    store = open_store(tmp_path / "store", OURS, [customer, shop, a, b])
    for service, message in (
        ("two_keys", "different keys"),
        ("alias", "has an alias"),
        ("mapped", "join key map"),
        ("by_hand", "twice was not declared in on_demand.yaml"),
    ):
        given = next(each for each in services if each.name == service)
        with pytest.raises(JobError, match=message):
            online_plan(store.config, given, objects, {"by_hand": by_hand})


def test_the_repository_declares_what_the_design_names(tmp_path: Path):
    declared = contents(REPOSITORY, "serinus", {"SERINUS_DATA": str(tmp_path)})
    assert {each.name for each in declared.feature_views} == {"customer_profile", "customer_behaviour"}
    assert [each.name for each in declared.feature_services] == ["churn"]
    assert [each.path for each in declared.data_sources] == [
        str(tmp_path / "events/customers/day=*/part-*.parquet")
    ]
    assert all(each.ttl for each in declared.feature_views)
