"""From stored features and a request to named values; and contracts that do not fit their plan."""

import math
from dataclasses import replace
from typing import Any

import pytest

from serinus_contracts.artifact import Input, ModelContract
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan, PlanFeature, PlanView
from serinus_server.doors import FeatureRow
from serinus_server.online import check_plan, make_store
from serinus_server.online.enrich import Enricher

PLAN = OnlinePlan(
    "p",
    "churn",
    (JoinKey("customer_id", "INT64"),),
    (
        PlanView(
            "v",
            60,
            (
                PlanFeature("age", "INT64", "00000001"),
                PlanFeature("charges", "DOUBLE", "00000002"),
                PlanFeature("tenure", "INT32", "00000003"),
                PlanFeature("tier", "STRING", "00000004"),
                PlanFeature("paperless", "BOOL", "00000005"),
            ),
            "_ts:v",
            "p_v",
        ),
    ),
    on_demand=(
        OnDemand("ratio", "DOUBLE", "charges / tenure"),
        OnDemand("double_ratio", "DOUBLE", "ratio * 2"),
        OnDemand("boost", "INT64", "amount + calls"),
    ),
    request=("amount", "calls"),
)
INPUTS = (
    Input("age", "int64", minimum=18, maximum=100, default=40, source="store"),
    Input("charges", "float64", default=65.0, minimum=0, source="store"),
    Input("tier", "string", default="basic", allowed=("basic", "plus"), source="store"),
    Input("paperless", "bool", default=False, source="store"),
    Input("double_ratio", "float64", default=1.0, source="on_demand"),
    Input("boost", "int64", default=0, source="on_demand"),
    Input("calls", "int64", default=0, minimum=0, source="request"),
    Input("channel", "string", default="web", allowed=("web", "shop"), source="request"),
)
CONTRACT = ModelContract("churn", "x.Y", INPUTS, ("no", "yes"), 0.5, {"model.onnx": "0"}, plan=PLAN)
STORED: dict[str, Any] = {"age": 30, "charges": 50.0, "tenure": 10, "tier": "plus", "paperless": True}


def _row(stored: dict[str, Any] | None = None, request: dict[str, Any] | None = None) -> dict[str, Any]:
    values = {**STORED, **(stored or {})}
    enricher = Enricher(CONTRACT)
    return enricher.usable(enricher.gather(FeatureRow(values, True), request or {}))


def test_stored_and_computed_values_make_a_row_that_the_encoder_takes() -> None:
    row = _row(request={"amount": 1.0, "calls": 2, "channel": "shop"})
    assert row == {
        "age": 30, "charges": 50.0, "tier": "plus", "paperless": True,
        "double_ratio": 10.0, "boost": 3, "calls": 2, "channel": "shop",
    }  # fmt: skip
    encoded, defaulted = RowEncoder(INPUTS).encode(row)
    assert encoded == [30.0, 50.0, 1.0, 1.0, 10.0, 3.0, 2.0, 1.0]
    assert defaulted == ()


def test_an_unknown_entity_gets_every_default() -> None:
    row = Enricher(CONTRACT).gather(FeatureRow(dict.fromkeys(STORED), False), {})
    assert set(row.values()) == {None}
    assert RowEncoder(INPUTS).encode(row)[1] == tuple(each.name for each in INPUTS)


@pytest.mark.parametrize(
    ("stored", "left_out"),
    [
        ({"age": None}, {"age"}),
        ({"age": 17}, {"age"}),
        ({"age": 101}, {"age"}),
        ({"charges": math.nan}, {"charges", "double_ratio"}),
        ({"charges": math.inf}, {"charges", "double_ratio"}),
        ({"charges": -1.0}, {"charges"}),
        ({"charges": None}, {"charges", "double_ratio"}),
        ({"tenure": 0}, {"double_ratio"}),
        ({"tier": "gold"}, {"tier"}),
        ({"tier": ""}, {"tier"}),
        ({"paperless": None}, {"paperless"}),
    ],
)
def test_what_the_store_holds_wrongly_is_no_fault_of_the_client(
    stored: dict[str, Any], left_out: set[str]
) -> None:
    row = _row(stored, {"amount": 1, "calls": 2})
    assert set(row) == {each.name for each in INPUTS} - left_out - {"channel"}
    RowEncoder(INPUTS).encode(row)


def test_a_null_operand_gives_a_null_feature() -> None:
    assert "boost" not in _row(request={"amount": None, "calls": 1})
    assert "boost" not in _row(request={"calls": 1})
    assert "boost" not in _row(request={"amount": 0.5, "calls": 1})


@pytest.mark.parametrize(
    ("request_values", "message"),
    [
        ({"age": 5}, "age: comes from the feature store; a request may not give it"),
        ({"age": None}, "age: comes from the feature store"),
        ({"tenure": 5}, "tenure: comes from the feature store"),
        ({"double_ratio": 5}, "double_ratio: comes from the feature store"),
        ({"__class__": 5}, "__class__: unknown value; with an entity key a request may give amount, calls"),
        ({"v:age": 5}, "v:age: unknown value"),
        ({"amount": "a"}, "amount: must be a number"),
        ({"amount": [1]}, "amount: must be a number"),
        ({"amount": math.nan}, "amount: must be finite"),
        ({"amount": 2**60}, "amount: must be finite and within"),
        ({"calls": "a"}, "calls: must be a whole number"),
        ({"calls": -1}, "calls: must lie between"),
        ({"calls": {}}, "calls: must be a whole number"),
    ],
)
def test_what_a_request_may_not_give_is_named(request_values: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=f"^{message}"):
        _row(request=request_values)


def test_an_expression_that_cannot_be_computed_is_null() -> None:
    plan = replace(PLAN, on_demand=(OnDemand("double_ratio", "DOUBLE", "tier - age"),))
    inputs = tuple(each for each in INPUTS if each.name != "boost")
    row = Enricher(replace(CONTRACT, plan=plan, inputs=inputs)).gather(FeatureRow(STORED, True), {})
    assert row["double_ratio"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Input("gone", "int64", source="store"), "gone: source is the store, but no view"),
        (Input("tier", "int64", source="store"), "tier: a stored STRING cannot be a int64 input"),
        (Input("charges", "int64", source="store"), "charges: a stored DOUBLE cannot be a int64"),
        (Input("gone", "int64", source="on_demand"), "gone: source is on_demand, but the plan"),
    ],
)
def test_a_contract_that_does_not_fit_its_plan_is_refused_at_start(change: Input, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Enricher(replace(CONTRACT, inputs=(change,)))


def test_a_contract_without_a_plan_has_nothing_to_enrich() -> None:
    with pytest.raises(ContractError, match="send whole rows"):
        Enricher(replace(CONTRACT, plan=None))


def _with_feature(*features: PlanFeature) -> OnlinePlan:
    return replace(PLAN, views=(replace(PLAN.views[0], features=features),), on_demand=())


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (_with_feature(PlanFeature("a", "INT64_LIST", "00")), "v:a is INT64_LIST; a served feature must be"),
        (_with_feature(PlanFeature("a", "MAP", "00")), "v:a is MAP"),
        (_with_feature(PlanFeature("a", "BOOL", "0"), PlanFeature("a", "BOOL", "1")), "a stands twice"),
        (replace(PLAN, on_demand=(OnDemand("x", "DOUBLE", "nobody + 1"),)), "reads nobody, which neither"),
        (replace(PLAN, on_demand=(OnDemand("x", "DOUBLE", "__import__('os')"),)), "may be called"),
        (replace(PLAN, on_demand=(OnDemand("x", "MAP", "1"),)), "on-demand type"),
        (replace(PLAN, key_serialization_version=2), "key_serialization_version 2"),
    ],
)
def test_plans_that_cannot_be_served_are_refused_at_start(plan: OnlinePlan, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        make_store("redis://127.0.0.1:1/0", plan, 0.02)


def test_the_plan_itself_is_served() -> None:
    check_plan(PLAN)


@pytest.mark.parametrize(
    ("url", "budget", "message"),
    [
        ("mysql://x", 0.02, "must be redis://"),
        ("", 0.02, "must be redis://"),
        ("redis://", 0.02, "Redis URL"),
        ("redis://host:port/0", 0.02, "Redis URL"),
        ("redis://host:99999/0", 0.02, "Redis URL"),
        ("redis://host/x", 0.02, "database must be a number"),
        ("redis://host/0?ssl_ca_certs=/ca.crt", 0.02, "ssl_ca_certs needs rediss://"),
        ("rediss://host/0?ssl_cert_reqs=none", 0.02, "unknown option 'ssl_cert_reqs'"),
        ("sqlite://relative.db", 0.02, "sqlite:///absolute"),
        ("sqlite:///", 0.02, "sqlite:///absolute"),
        ("redis://host/0", 0.0, "budget must be positive"),
        ("redis://host/0", math.nan, "budget must be positive"),
    ],
)
def test_addresses_that_name_no_store_are_refused(url: str, budget: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_store(url, PLAN, budget)


def test_a_password_is_never_shown() -> None:
    from serinus_server.redis_address import parse_address

    address = parse_address("rediss://user:s3cret@host:6380/2?stream=a")
    assert "s3cret" not in f"{address} {address!r}"
    assert (address.host, address.port, address.database, address.user) == ("host", 6380, 2, "user")
    assert address.tls is not None
    assert str(address) == "rediss://host:6380/2"
    assert address.greeting[0] == b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$6\r\ns3cret\r\n"
    with pytest.raises(ValueError, match="Redis URL") as error:
        parse_address("redis://:s3cret@host:x/0")
    assert "s3cret" not in str(error.value)
