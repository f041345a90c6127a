"""Encoding by column is the same as encoding by row, which is what the server does."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_contracts.artifact import Input
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError
from serinus_jobs.matrix import encode_frame

INPUTS = (
    Input("age", "int64", minimum=18, maximum=100),
    Input("charge", "float64", default=65.0, minimum=0, maximum=1000),
    Input("plan", "string", default="basic", allowed=("basic", "plus")),
    Input("paperless", "bool"),
)
VALUES = {
    "age": st.one_of(st.none(), st.integers(0, 130), st.integers(2**53 - 1, 2**53 + 2), st.just(30.5)),
    "charge": st.one_of(st.none(), st.floats(-10, 1100), st.just(math.inf), st.integers(0, 5)),
    "plan": st.one_of(st.none(), st.sampled_from(["basic", "plus", "premium", ""]), st.integers(0, 2)),
    "paperless": st.one_of(st.none(), st.booleans(), st.integers(0, 1), st.just("yes")),
}


def by_row(rows: list[dict[str, Any]]) -> tuple[list[list[float] | None], dict[str, int]]:
    encoder = RowEncoder(INPUTS)
    encoded: list[list[float] | None] = []
    defaulted: dict[str, int] = {}
    for row in rows:
        try:
            encoded.append(encoder.encode(row)[0])
        except ContractError:
            encoded.append(None)
        for each in INPUTS:
            if row[each.name] is None and each.default is not None:
                defaulted[each.name] = defaulted.get(each.name, 0) + 1
    return encoded, defaulted


def check_equal(frame: pd.DataFrame, rows: list[dict[str, Any]]) -> None:
    expected, defaulted = by_row(rows)
    found = encode_frame(frame, INPUTS)
    assert sorted(found.faults) == [i for i, row in enumerate(expected) if row is None]
    for i, row in enumerate(expected):
        if row is not None:
            assert found.matrix[i].tolist() == row
    assert found.defaulted == defaulted


@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_columns_of_objects_equal_rows(rows: list[dict[str, Any]]) -> None:
    check_equal(pd.DataFrame(rows, columns=[each.name for each in INPUTS], dtype=object), rows)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "age": st.one_of(st.none(), st.integers(0, 2**53 + 3)),
                "charge": st.one_of(st.none(), st.floats(-10, 1100)),
                "plan": st.one_of(st.none(), st.sampled_from(["basic", "plus", "premium"])),
                "paperless": st.one_of(st.none(), st.booleans()),
            }
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=100, deadline=None)
def test_typed_columns_equal_rows(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(
        {
            "age": pd.array([row["age"] for row in rows], dtype="Int64"),
            "charge": np.array([row["charge"] for row in rows], dtype=np.float64),
            "plan": pd.Categorical([row["plan"] for row in rows], categories=["basic", "plus", "premium"]),
            "paperless": pd.array([row["paperless"] for row in rows], dtype="boolean"),
        }
    )
    check_equal(frame, rows)


def test_whole_numbers_in_a_double_column_are_integers() -> None:
    frame = pd.DataFrame({"age": [30.0, 30.5, np.nan]})
    found = encode_frame(frame, (Input("age", "int64", default=40),))
    assert found.matrix[[0, 2], 0].tolist() == [30.0, 40.0]
    assert found.faults == {1: "age: must be a whole number"}


def test_an_absent_column_is_a_column_of_nulls() -> None:
    found = encode_frame(pd.DataFrame(index=range(2)), INPUTS[:2])
    assert found.faults == {0: "age: required, but null", 1: "age: required, but null"}
    assert found.matrix[:, 1].tolist() == [65.0, 65.0]


@pytest.mark.parametrize("bad", [[1, 2], {"a": 1}, 1 + 2j], ids=["list", "object", "complex"])
def test_a_value_that_is_no_scalar_is_a_fault(bad: object) -> None:
    frame = pd.DataFrame({"charge": pd.Series([1.0, bad], dtype=object)})
    assert list(encode_frame(frame, INPUTS[1:2]).faults) == [1]
    text = pd.DataFrame({"plan": pd.Series(["plus", bad], dtype=object)})
    assert list(encode_frame(text, INPUTS[2:3]).faults) == [1]


def test_complex_columns_are_faults() -> None:
    frame = pd.DataFrame({"charge": np.array([1 + 2j, 3 + 0j])})
    assert list(encode_frame(frame, INPUTS[1:2]).faults) == [0, 1]
