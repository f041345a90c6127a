"""What a valid row is: a table of values, and the places that errors name."""

from typing import Any

import pytest

from serinus_contracts.artifact import Input
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError

INPUTS = (
    Input("age", "int64", minimum=18, maximum=100),
    Input("charge", "float64", default=65.0, minimum=0),
    Input("plan", "string", default="plus", allowed=("basic", "plus")),
    Input("paid", "bool", default=True),
)
ENCODER = RowEncoder(INPUTS)
ROW: dict[str, Any] = {"age": 20, "charge": 1.5, "plan": "basic", "paid": False}


def test_a_row_becomes_doubles_in_the_contracts_order():
    assert ENCODER.encode(dict(reversed(ROW.items()))) == ([20.0, 1.5, 0.0, 0.0], ())
    assert ENCODER.encode_list(list(ROW.values())) == ([20.0, 1.5, 0.0, 0.0], ())
    assert ENCODER.names == ("age", "charge", "plan", "paid")


@pytest.mark.parametrize("absent", [True, False])
def test_defaults_fill_nulls_and_absent_values_and_are_marked(absent: bool):
    row = {"age": 20} if absent else {"age": 20, "charge": None, "plan": None, "paid": None}
    assert ENCODER.encode(row) == ([20.0, 65.0, 1.0, 1.0], ("charge", "plan", "paid"))


def test_the_list_form_fills_nulls_too():
    assert ENCODER.encode_list([20, None, "basic", None]) == ([20.0, 65.0, 0.0, 1.0], ("charge", "paid"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("age", 18, 18.0),
        ("age", 100, 100.0),
        ("age", 20.0, 20.0),
        ("charge", 7, 7.0),
        ("charge", 0, 0.0),
        ("charge", -0.0, 0.0),
        ("charge", 2**53, float(2**53)),
        ("charge", 1.7976931348623157e308, 1.7976931348623157e308),
        ("plan", "plus", 1.0),
        ("paid", True, 1.0),
    ],
)
def test_accepted_values(name: str, value: Any, expected: float):
    values, defaulted = ENCODER.encode({**ROW, name: value})
    assert values[ENCODER.names.index(name)] == expected
    assert defaulted == ()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("age", None, "age: required"),
        ("age", 17, "age: must lie between 18 and 100"),
        ("age", 101, "age: must lie between 18 and 100"),
        ("age", 20.5, "age: must be a whole number"),
        ("age", "20", "age: must be a whole number"),
        ("age", True, "age: must be a whole number"),
        ("age", [20], "age: must be a whole number"),
        ("charge", -0.01, "charge: must lie between 0 and inf"),
        ("charge", "1", "charge: must be a number"),
        ("charge", False, "charge: must be a number"),
        ("charge", float("nan"), "charge: must be finite"),
        ("charge", float("inf"), "charge: must be finite"),
        ("charge", float("-inf"), "charge: must be finite"),
        ("charge", 2**53 + 1, "charge: beyond 2"),
        ("charge", 10**400, "charge: beyond 2"),
        ("charge", {}, "charge: must be a number"),
        ("plan", "Basic", "plan: must be one of basic, plus"),
        ("plan", 0, "plan: must be one of"),
        ("plan", ["basic"], "plan: must be one of"),
        ("paid", 1, "paid: must be true or false"),
        ("paid", "true", "paid: must be true or false"),
    ],
)
def test_refused_values_name_the_feature_in_both_forms(name: str, value: Any, message: str):
    row = {**ROW, name: value}
    with pytest.raises(ContractError, match=message):
        ENCODER.encode(row)
    with pytest.raises(ContractError, match=message):
        ENCODER.encode_list(list(row.values()))


def test_a_required_feature_may_not_be_absent():
    with pytest.raises(ContractError, match="age: required, but null or absent"):
        ENCODER.encode({"charge": 1.0})


@pytest.mark.parametrize("extra", [{"agee": 1}, {"": 1}, {"x" * 10_000: 1}, {"agee": None}])
def test_an_unknown_feature_is_refused_by_name_and_shortly(extra: dict[str, Any]):
    with pytest.raises(ContractError, match="unknown feature; known are age, charge, plan, paid") as error:
        ENCODER.encode({**ROW, **extra})
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("values", [[], [20], [20, 1.5, "basic", False, 1]])
def test_a_list_of_another_width_is_refused(values: list[Any]):
    with pytest.raises(ContractError, match=f"has {len(values)} values, the model takes 4"):
        ENCODER.encode_list(values)


@pytest.mark.parametrize(
    "wrong",
    [
        Input("x", "int64", default=1.5),
        Input("x", "float64", default=-1.0, minimum=0),
        Input("x", "string", default="c", allowed=("a", "b")),
        Input("x", "bool", default=1),
    ],
)
def test_a_default_that_is_no_valid_value_is_refused_at_once(wrong: Input):
    with pytest.raises(ContractError, match="x: "):
        RowEncoder((wrong,))
