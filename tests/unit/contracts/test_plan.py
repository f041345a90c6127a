"""The online feature plan as a document: what one process writes, another reads back, strictly."""

import json
from dataclasses import replace

import pytest

from serinus_contracts.documents import canonical_json, from_document, to_document
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan, PlanFeature, PlanView

PLAN = OnlinePlan(
    project="shop",
    feature_service="churn",
    join_keys=(JoinKey("customer_id", "INT64"), JoinKey("region", "STRING")),
    views=(
        PlanView(
            "profile", 86_400, (PlanFeature("age", "INT64", "c3f30cd8"),), "_ts:profile", "shop_profile"
        ),
        PlanView("forever", 0, (), "_ts:forever", "shop_forever"),
    ),
    on_demand=(OnDemand("twice", "DOUBLE", "age * 2.0"),),
    request=("basket",),
)


def test_a_plan_survives_its_document():
    text = canonical_json(PLAN)
    assert from_document(OnlinePlan, json.loads(text)) == PLAN
    assert canonical_json(from_document(OnlinePlan, json.loads(text))) == text


def test_what_a_plan_need_not_say_has_a_default():
    document = to_document(PLAN)
    for name in ("on_demand", "request", "key_serialization_version"):
        del document[name]
    read = from_document(OnlinePlan, document)
    assert read == replace(PLAN, on_demand=(), request=(), key_serialization_version=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("project"), r"\$\.project: missing"),
        (lambda d: d.update(extra=1), r"\$\.extra: unknown key"),
        (lambda d: d["join_keys"][1].update(value_type="BYTES"), r"\$\.join_keys\[1\]\.value_type: 'BYTES'"),
        (
            lambda d: d["views"][0].update(ttl_seconds="1"),
            r"\$\.views\[0\]\.ttl_seconds: expected int, got str",
        ),
        (lambda d: d["views"][0].update(ttl_seconds=True), r"ttl_seconds: expected int, got bool"),
        (
            lambda d: d["views"][0]["features"][0].pop("field"),
            r"\$\.views\[0\]\.features\[0\]\.field: missing",
        ),
        (lambda d: d.update(views={}), r"\$\.views: expected a list, got dict"),
        (lambda d: d["on_demand"].append("x"), r"\$\.on_demand\[1\]: expected an object, got str"),
    ],
)
def test_a_document_that_is_no_plan_is_refused_by_place(change, message: str):
    document = to_document(PLAN)
    change(document)
    with pytest.raises(ContractError, match=message):
        from_document(OnlinePlan, document)
