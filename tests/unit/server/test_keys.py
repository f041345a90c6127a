"""Entity keys, byte for byte as Feast serialises them, and what is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_contracts.errors import ContractError
from serinus_contracts.plan import JoinKey, OnlinePlan
from serinus_server.online import check_entity
from serinus_server.online.keys import LONGEST_KEY, key_encoder


def _plan(*keys: tuple[str, str], version: int = 3) -> OnlinePlan:
    return OnlinePlan(
        "p",
        "s",
        tuple(JoinKey(name, kind) for name, kind in keys),
        (),
        key_serialization_version=version,  # type: ignore[arg-type]
    )


THREE = _plan(("branch", "INT32"), ("customer_id", "INT64"), ("shop", "STRING"))
ONE = _plan(("customer_id", "INT64"))


def _feasts(plan: OnlinePlan, entity: dict[str, Any]) -> bytes:
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    fields = {"INT32": "int32_val", "INT64": "int64_val", "STRING": "string_val"}
    # In reverse, because Feast sorts by itself.
    keys = list(reversed(plan.join_keys))
    values = [Value(**{fields[key.value_type]: entity[key.name]}) for key in keys]
    message = EntityKey(join_keys=[key.name for key in keys], entity_values=values)
    return serialize_entity_key(message, entity_key_serialization_version=3)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
)
def test_keys_equal_feasts(branch: int, customer: int, shop: str) -> None:
    entity = {"branch": branch, "customer_id": customer, "shop": shop}
    assert key_encoder(THREE)(check_entity(THREE, entity)) == _feasts(THREE, entity)
    single = {"customer_id": customer}
    assert key_encoder(ONE)(check_entity(ONE, single)) == _feasts(ONE, single)


def test_a_checked_entity_has_the_plans_names_in_the_plans_order() -> None:
    given_order = {"shop": "s", "customer_id": 1, "branch": 2}
    assert list(check_entity(THREE, given_order).items()) == [
        ("branch", 2),
        ("customer_id", 1),
        ("shop", "s"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customer_id": None}, "customer_id: required"),
        ({"customer_id": "5"}, "customer_id: must be a whole number, not str"),
        ({"customer_id": 5.0}, "customer_id: must be a whole number, not float"),
        ({"customer_id": float("nan")}, "customer_id: must be a whole number"),
        ({"customer_id": True}, "customer_id: must be a whole number, not bool"),
        ({"customer_id": 2**63}, "customer_id: is beyond INT64"),
        ({"customer_id": [1]}, "customer_id: must be a whole number, not list"),
        ({"branch": 2**31}, "branch: is beyond INT32"),
        ({"branch": -(2**31) - 1}, "branch: is beyond INT32"),
        ({"shop": 5}, "shop: must be a string"),
        ({"shop": ""}, f"shop: must have between 1 and {LONGEST_KEY} bytes"),
        ({"shop": "x" * (10 << 20)}, "shop: must have between"),
        ({"shop": "ü" * (LONGEST_KEY // 2 + 1)}, "shop: must have between"),
        ({"shop": "\ud800"}, "shop: holds a lone surrogate"),
        ({"__class__": 1}, "__class__: unknown entity key; known are branch, customer_id, shop"),
        ({"x" * 5000: 1}, "x{64}: unknown entity key"),
    ],
)  # fmt: skip
def test_bad_keys_are_named(change: dict[str, Any], message: str) -> None:
    entity = {"branch": 1, "customer_id": 2, "shop": "s", **change}
    with pytest.raises(ContractError, match=f"^{message}"):
        check_entity(THREE, entity)


def test_the_longest_key_is_taken() -> None:
    assert check_entity(THREE, {"branch": 1, "customer_id": 2, "shop": "x" * LONGEST_KEY})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (_plan(("a", "INT64"), version=2), "entity_key_serialization_version: 3"),
        (_plan(), "at least one"),
        (_plan(("b", "INT64"), ("a", "INT64")), "sorted by name"),
        (_plan(("a", "INT64"), ("a", "INT32")), "unique"),
    ],
)
def test_plans_that_the_store_would_serialise_otherwise_are_refused(plan: OnlinePlan, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        key_encoder(plan)
