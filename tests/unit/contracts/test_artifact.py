"""The model contract: sealed by its digest, read back or refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from serinus_contracts.artifact import MODEL_FILE, Input, ModelContract, contract_digest, read_contract
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan, PlanFeature, PlanView

PLAN = OnlinePlan(
    project="p",
    feature_service="s",
    join_keys=(JoinKey("id", "INT64"),),
    views=(PlanView("v", 3600, (PlanFeature("x", "DOUBLE", "ab12"),), "_ts:v", "p_v"),),
    on_demand=(OnDemand("y", "DOUBLE", "x * 2"),),
)
CONTRACT = ModelContract(
    model="m",
    estimator="sklearn.ensemble.RandomForestClassifier",
    inputs=(Input("x", "float64", default=1), Input("c", "string", allowed=("a", "b"))),
    classes=("no", "yes"),
    threshold=0.5,
    files={MODEL_FILE: "0" * 64},
    plan=PLAN,
)


def test_a_sealed_contract_is_read_back_equal():
    sealed = CONTRACT.sealed()
    assert read_contract(sealed.to_json()) == sealed
    assert read_contract(sealed.to_json().encode()) == sealed


def test_the_digest_is_over_everything_but_itself():
    sealed = CONTRACT.sealed()
    assert len(sealed.digest) == 64
    assert sealed.revision == sealed.digest[:12]
    assert sealed.digest == contract_digest(replace(sealed, digest="other"))
    assert sealed.sealed() == sealed
    assert replace(CONTRACT, threshold=0.6).sealed().digest != sealed.digest
    assert replace(CONTRACT, files={MODEL_FILE: "1" * 64}).sealed().digest != sealed.digest


def test_a_default_is_the_same_whether_written_as_1_or_1_0():
    other = replace(CONTRACT, inputs=(replace(CONTRACT.inputs[0], minimum=0), CONTRACT.inputs[1])).sealed()
    same = replace(CONTRACT, inputs=(replace(CONTRACT.inputs[0], minimum=0.0), CONTRACT.inputs[1])).sealed()
    assert other.digest == same.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ()}, r"\$\.inputs"),
        ({"inputs": (Input("x", "int64"), Input("x", "bool"))}, r"\$\.inputs: must be non-empty with unique"),
        ({"inputs": (Input("x", "string"),)}, r"\$\.inputs\[0\]\.allowed"),
        ({"inputs": (Input("x", "int64", allowed=("a",)),)}, r"\$\.inputs\[0\]\.allowed"),
        ({"classes": ("one",)}, r"\$\.classes"),
        ({"classes": ("1", 1)}, r"\$\.classes"),
        ({"threshold": 0.0}, r"\$\.threshold"),
        ({"threshold": 1.0}, r"\$\.threshold"),
        ({"files": {}}, r"\$\.files"),
    ],
)
def test_an_inconsistent_contract_cannot_be_sealed_or_read(change: dict[str, Any], message: str):
    wrong = replace(CONTRACT, **change)
    with pytest.raises(ContractError, match=message):
        wrong.sealed()
    with pytest.raises(ContractError, match=message):
        read_contract(replace(wrong, digest=contract_digest(wrong)).to_json())


@pytest.mark.parametrize("text", ["", "{", "\xff", "nonsense"])
def test_text_that_is_no_json(text: str):
    with pytest.raises(ContractError, match="not JSON"):
        read_contract(text)


@pytest.mark.parametrize("document", [[], 1, "x", {}, {"schema_version": 2}, {"schema_version": "1"}])
def test_another_version_or_no_document_at_all(document: Any):
    with pytest.raises(ContractError, match=r"schema_version: .*knows 1 only"):
        read_contract(json.dumps(document))


@pytest.mark.parametrize(
    ("key", "value"), [("threshold", 0.4), ("model", "other"), ("digest", "0" * 64), ("digest", "")]
)
def test_a_contract_that_was_changed_by_hand_is_refused(key: str, value: Any):
    document = json.loads(CONTRACT.sealed().to_json())
    with pytest.raises(ContractError, match=r"\$\.digest: does not match"):
        read_contract(json.dumps({**document, key: value}))


def test_an_unknown_key_is_refused():
    document = json.loads(CONTRACT.sealed().to_json())
    with pytest.raises(ContractError, match=r"\$\.surprise: unknown key"):
        read_contract(json.dumps({**document, "surprise": 1}))
